-- grain: vintage x valid_from. The fundamentals that market metrics use on each range of days, as doubles. Prefixes
-- of columns: ttm_ for the twelve months, fy_ for the newest fiscal year, latest_ for the newest statement, growth_
-- for growth rates of the twelve months. Fundamentals that are not recomputed are read from the published tables.
-- Computed figures get the types of these tables first.
create or replace temporary table valuation_inputs as
with ranges as (select * from fundamentals_ranges),
published as (
    select l.vintage_id, l.symbol
    from vintages as l
    join companies as c on c.symbol = l.symbol
    where not c.with_fundamentals
),
ttm as (
    select *{{ conversions.fact_financials_ttm_history }} from new_fact_financials_ttm_history
    union all
    select p.vintage_id, null::timestamp, t.* exclude (known_from, run_id, computed_at)
    from published as p
    join analytics.fact_financials_ttm as t on t.symbol = p.symbol
),
statements as (
    select
        l.vintage_id, f.*, s.split_adjusted_eps_diluted, s.split_adjusted_shares_outstanding,
        coalesce(s.share_reason, s.eps_reason) as count_reason
    from vintage_periods as l
    join (select *{{ conversions.fact_financials_history }} from new_fact_financials_history) as f
        on f.version_id = l.version_id
    join split_adjusted_shares as s on s.version_id = l.version_id
    union all
    -- figures from before a split are always recomputed, so these are on the newest split basis already
    select
        p.vintage_id, null::bigint, f.* exclude (run_id, computed_at), (f.eps_diluted::double)::decimal(38, 12),
        f.shares_outstanding::decimal(38, 6), null::varchar
    from published as p
    join analytics.fact_financials_history as f on f.symbol = p.symbol and f.known_to is null
),
rates as (
    select
        p.vintage_id, p.fiscal_date,
        {% for rate in valuation_growth %}
        {{ rate.horizon }}.{{ rate.figure }} as {{ rate.name }},
        {% endfor %}
        concat(
            {% for horizon in valuation_horizons %}
            coalesce({{ horizon }}.null_reasons, ''){{ "," if not loop.last }}
            {% endfor %}
        ) as null_reasons
    from period_inputs as p
    {% for horizon in valuation_horizons %}
    join growth_rates as {{ horizon }}
        on {{ horizon }}.period_id = p.period_id and {{ horizon }}.horizon = '{{ horizon }}'
    {% endfor %}
    where p.basis = 'TTM'
    union all
    select
        p.vintage_id, r.fiscal_date,
        {% for rate in valuation_growth %}
        r.{{ rate.name }},
        {% endfor %}
        r.null_reasons
    from published as p
    join analytics.fact_growth_rates as r on r.symbol = p.symbol and r.basis = 'TTM'
),
growth as (
    select
        vintage_id, fiscal_date,
        {% for rate in valuation_growth %}
        {{ rate.name }},
        -- the reason of the rate, or of all rates over its horizon
        case
            when {{ rate.name }} is null
                then coalesce(
                    nullif(split_part(split_part(null_reasons, '|{{ rate.name }}=', 2), '|', 1), ''),
                    nullif(split_part(split_part(null_reasons, '|{{ rate.horizon }}=', 2), '|', 1), '')
                )
        end as {{ rate.name }}_reason{{ "," if not loop.last }}
        {% endfor %}
    from rates
),
joined as (
    select
        r.range_id, r.is_ttm_stale, r.is_fy_stale, r.is_latest_stale, r.quote_currency, r.unknown_reason,
        -- a lender is a bank if interest is a large part of the revenue of the newest twelve months, or where they are
        -- unknown of the newest year or statement
        case
            when r.is_lender and {{ industries.interest_share }}::double * coalesce(
                t.ttm_revenue, y.revenue, a.revenue
            )::double < coalesce(t.ttm_interest_income, y.interest_income, a.interest_income)::double
                then 'not_meaningful_for_sector'
            else r.sector_reason
        end as sector_reason,
        r.ttm_date, t.reason as ttm_reason, t.reported_currency as ttm_currency,
        {{ ttm_count_reason }} as ttm_count_reason,
        r.fy_date, y.reported_currency as fy_currency, y.count_reason as fy_count_reason,
        r.latest_date, a.reported_currency as latest_currency, a.count_reason as latest_count_reason,
        {% for input in valuation_inputs %}
        {{ input.sql }} as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from ranges as r
    left join ttm as t on t.vintage_id = r.vintage_id and t.fiscal_date = r.ttm_date
    left join statements as y
        on y.vintage_id = r.vintage_id and y.fiscal_date = r.fy_date and y.period_type = 'FY'
    left join statements as a
        on a.vintage_id = r.vintage_id and a.fiscal_date = r.latest_date and a.period_type = r.latest_basis
    left join growth as g on g.vintage_id = r.vintage_id and g.fiscal_date = r.ttm_date
)
select *,
    {% for source in ["ttm", "fy", "latest"] %}
    case
        when {{ source }}_currency <> quote_currency then 'currency_mismatch'
        when {{ source }}_currency is null or quote_currency is null then 'unknown_currency'
    end as {{ source }}_currency_reason{{ "," if not loop.last }}
    {% endfor %}
from joined
