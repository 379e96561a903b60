-- grain: company x fiscal_date x period_type x known_from. All lines of the three statements as reported, in every
-- known version. Also fourth quarters derived as the year minus its first three quarters (is_derived); their balances
-- are those of the year. ebitda is FMP's figure or, without one, operating income plus D&A. Without D&A it is NULL. A
-- gross profit of 0 next to revenue without cost of revenue is not reported: both are NULL. The user's corrections
-- replace reported values. Share counts are rounded to whole shares, so that figures computed from the published table
-- equal those computed from this one.
{%- macro income(line) -%}
{% if line == "ebitda" -%}
coalesce(
    k.ebitda, i.ebitda,
    coalesce(k.operating_income, i.operating_income) + coalesce(
        k.depreciation_and_amortization, i.depreciation_and_amortization,
        k.cash_flow_depreciation_and_amortization, c.cash_flow_depreciation_and_amortization
    )
)
{%- elif line in ["gross_profit", "cost_of_revenue"] -%}
case
    when coalesce(k.gross_profit, i.gross_profit) <> 0 or coalesce(k.cost_of_revenue, i.cost_of_revenue) <> 0
        or coalesce(k.revenue, i.revenue) = 0
        then coalesce(k.{{ line }}, i.{{ line }})
end
{%- else -%}
coalesce(k.{{ line }}, i.{{ line }})
{%- endif %}
{%- endmacro %}
{%- macro own(table, line) -%}
coalesce(k.{{ line }}, {{ table }}.{{ line }})
{%- endmacro %}
{%- set counts = ["shares_outstanding", "shares_outstanding_diluted"] -%}
{%- set per_share = ["eps", "eps_diluted"] + counts -%}
{%- set cash_positions = ["cash_at_end_of_period", "cash_at_beginning_of_period"] %}

create or replace temporary table new_fact_financials_history as
with periods as (
    select p.*, v.is_derived
    from period_versions as p
    join fiscal_versions as v on v.version_id = p.version_id
),
-- only the companies of the slice: DuckDB materializes these three before it joins them
incomes as (
    select i.*
    from staging.income_statement as i
    join companies as m on m.symbol = i.symbol
),
balances as (
    select b.*
    from staging.balance_sheet as b
    join companies as m on m.symbol = b.symbol
),
cash_flows as (
    select c.*
    from staging.cash_flow as c
    join companies as m on m.symbol = c.symbol
),
numbers as (select version_id, item, try_cast(value as decimal(38, 6)) as amount from corrected_values),
corrections as (
    select
        version_id,
        {% for line in income_lines + per_share + balances + cash_positions + cash_flow_lines %}
        max(case when item = '{{ line }}' then amount end) as {{ line }}{{ "," if not loop.last }}
        {% endfor %}
    from numbers
    group by version_id
),
-- the four parts of a derived quarter: the year, which is added, and the three quarters, which are subtracted
parts as (
    select version_id, year_id as part_id, true as is_year from derived_quarters
    union all
    select version_id, first_id, false from derived_quarters
    union all
    select version_id, second_id, false from derived_quarters
    union all
    select version_id, third_id, false from derived_quarters
),
signed_parts as (
    select
        d.version_id,
        {% for line in income_lines %}
        case when d.is_year then {{ income(line) }} else -{{ income(line) }} end as {{ line }},
        {% endfor %}
        {% for line in cash_flow_lines %}
        case when d.is_year then {{ own('c', line) }} else -{{ own('c', line) }} end as {{ line }},
        {% endfor %}
        case when d.is_year then {{ own('i', 'eps') }} else -{{ own('i', 'eps') }} end as eps,
        case when d.is_year then {{ own('i', 'eps_diluted') }} else -{{ own('i', 'eps_diluted') }} end as eps_diluted,
        case
            when d.is_year then {{ own('i', 'shares_outstanding') }} + {{ own('i', 'shares_outstanding') }}
                + {{ own('i', 'shares_outstanding') }} + {{ own('i', 'shares_outstanding') }}
            else -{{ own('i', 'shares_outstanding') }}
        end as shares_outstanding,
        case when d.is_year then {{ own('i', 'shares_outstanding') }} end as year_shares_outstanding,
        case
            when d.is_year
                then {{ own('i', 'shares_outstanding_diluted') }} + {{ own('i', 'shares_outstanding_diluted') }}
                + {{ own('i', 'shares_outstanding_diluted') }} + {{ own('i', 'shares_outstanding_diluted') }}
            else -{{ own('i', 'shares_outstanding_diluted') }}
        end as shares_outstanding_diluted,
        case when d.is_year then {{ own('i', 'shares_outstanding_diluted') }} end as year_shares_outstanding_diluted
    from parts as d
    join period_versions as p on p.version_id = d.part_id
    join incomes as i on i.symbol = p.symbol and i.source_file = p.income_file and i.source_row = p.income_row
    join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
    left join corrections as k on k.version_id = d.part_id
),
differences as (
    select
        version_id,
        {% for line in flows %}
        case when count({{ line }}) = 4 then sum({{ line }}) end as {{ line }},
        {% endfor %}
        case when count(eps) = 4 then sum(eps) end as eps,
        case when count(eps_diluted) = 4 then sum(eps_diluted) end as eps_diluted,
        case when count(shares_outstanding) = 4 then sum(shares_outstanding) end as shares_outstanding,
        max(year_shares_outstanding) as year_shares_outstanding,
        case
            when count(shares_outstanding_diluted) = 4 then sum(shares_outstanding_diluted)
        end as shares_outstanding_diluted,
        max(year_shares_outstanding_diluted) as year_shares_outstanding_diluted
    from signed_parts
    group by version_id
),
-- after a split within the year, the quarters are on another share basis than the year. If the share counts differ by
-- more than buybacks can explain, no per-share figure is derived
derived as (
    select *,
        coalesce(
            shares_outstanding::double
                between year_shares_outstanding::double * 0.8 and year_shares_outstanding::double * 1.25
            and coalesce(
                shares_outstanding_diluted::double
                    between year_shares_outstanding_diluted::double * 0.8
                    and year_shares_outstanding_diluted::double * 1.25,
                true
            ),
            false
        ) as is_one_basis
    from differences
)
select
    p.version_id, m.company_key, p.symbol, p.fiscal_date,
    (year(p.fiscal_date) * 10000 + month(p.fiscal_date) * 100 + day(p.fiscal_date))::bigint as fiscal_date_key,
    p.period_type, p.fiscal_year, p.cik, p.filing_date, p.accepted_at, p.accepted_at_source, p.known_on,
    p.reported_currency, p.has_income, p.has_balance, p.has_cash_flow, p.is_derived,
    {% for line in income_lines %}
    {{ income(line) }} as {{ line }},
    {% endfor %}
    {{ own("i", "eps") }} as eps, {{ own("i", "eps_diluted") }} as eps_diluted,
    {% for line in counts %}
    round({{ own("i", line) }})::decimal(38, 6) as {{ line }},
    {% endfor %}
    {% for line in balances %}
    {{ own("b", line) }} as {{ line }},
    {% endfor %}
    {% for line in cash_flow_lines %}
    {% if line == "operating_cash_flow" %}
    {% for position in cash_positions %}
    {{ own("c", position) }} as {{ position }},
    {% endfor %}
    {% endif %}
    {{ own("c", line) }} as {{ line }},
    {% endfor %}
    p.known_reconstructed, p.known_from, p.known_to
from periods as p
join companies as m on m.symbol = p.symbol
left join incomes as i on i.symbol = p.symbol and i.source_file = p.income_file and i.source_row = p.income_row
left join balances as b on b.symbol = p.symbol and b.source_file = p.balance_file and b.source_row = p.balance_row
left join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
left join corrections as k on k.version_id = p.version_id
union all
select
    v.version_id, m.company_key, v.symbol, v.fiscal_date,
    (year(v.fiscal_date) * 10000 + month(v.fiscal_date) * 100 + day(v.fiscal_date))::bigint,
    v.period_type, v.fiscal_year, p.cik, p.filing_date, v.accepted_at, p.accepted_at_source, v.known_on,
    v.reported_currency, v.has_income, v.has_balance, v.has_cash_flow, v.is_derived,
    {% for line in income_lines %}
    d.{{ line }},
    {% endfor %}
    case when d.is_one_basis then d.eps end, case when d.is_one_basis then d.eps_diluted end,
    {% for line in counts %}
    case when d.is_one_basis then round(d.{{ line }})::decimal(38, 6) end,
    {% endfor %}
    {% for line in balances %}
    {{ own("b", line) }},
    {% endfor %}
    {% for line in cash_flow_lines %}
    {% if line == "operating_cash_flow" %}
    {{ own("c", "cash_at_end_of_period") }}, coalesce(o.cash_at_end_of_period, t.cash_at_end_of_period),
    {% endif %}
    d.{{ line }},
    {% endfor %}
    p.known_reconstructed, v.known_from, v.known_to
from derived_quarters as q
join fiscal_versions as v on v.version_id = q.version_id
join derived as d on d.version_id = q.version_id
join period_versions as p on p.version_id = q.year_id
join period_versions as third on third.version_id = q.third_id
join companies as m on m.symbol = v.symbol
left join balances as b on b.symbol = p.symbol and b.source_file = p.balance_file and b.source_row = p.balance_row
join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
join cash_flows as t on t.symbol = third.symbol and t.source_file = third.cash_file and t.source_row = third.cash_row
left join corrections as k on k.version_id = q.year_id
left join corrections as o on o.version_id = q.third_id
