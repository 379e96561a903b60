-- grain: vintage x period version x suspicion. The contradictions within a period and between a period and its
-- neighbours: `ours` contradicts `theirs`, see metrics/suspicions.toml. A suspicion exists from known_on on, the day
-- on which both values were known. A derived quarter inherits the suspicions of its parts. A value that the user
-- corrected or confirmed decides the suspicions of its period that compare it.
create or replace temporary table period_suspects as
with vintages_of_periods as (select vintage_id, version_id, known_on from vintage_periods),
financial_vintages as (
    select l.vintage_id
    from vintages as l
    join profile_ranges as p
        on p.symbol = l.symbol and p.since_at < l.cutoff and (p.until_at is null or p.until_at >= l.cutoff)
        and p.known_from < l.cutoff and (p.known_to is null or p.known_to >= l.cutoff)
    where p.is_financial
),
facts as (
    select
        f.version_id, f.symbol, f.fiscal_date, f.period_type, f.reported_currency, f.known_on, f.is_derived,
        case when f.period_type = 'FY' then 'FY' else 'Q' end as cadence,
        f.revenue::double as revenue, f.net_income::double as net_income,
        f.bottom_line_net_income::double as bottom_line,
        f.net_income_from_continuing_operations::double as continuing,
        f.eps::double as eps, f.eps_diluted::double as eps_diluted,
        f.shares_outstanding::double as shares, f.shares_outstanding_diluted::double as diluted_shares,
        f.cash_flow_net_income::double as cash_flow_net_income, f.operating_cash_flow::double as operating_cash_flow,
        -- FMP's cash flows have dividends as negative amounts
        coalesce(f.preferred_dividends_paid, 0)::double as preferred_dividends,
        coalesce(f.minority_interest, 0)::double as minority_interest,
        f.total_assets::double as total_assets, f.total_liabilities::double as total_liabilities,
        f.current_assets::double as current_assets, f.current_liabilities::double as current_liabilities,
        f.cash_and_equivalents::double as cash,
        f.cash_and_short_term_investments::double as cash_and_short_term_investments,
        f.inventory::double as inventory, f.goodwill_and_intangibles::double as goodwill_and_intangibles,
        f.property_plant_equipment_net::double as property_plant_equipment_net,
        coalesce(f.short_term_debt, 0)::double + coalesce(f.long_term_debt, 0)::double as borrowings,
        f.total_debt::double as total_debt,
        coalesce(f.total_equity, f.stockholders_equity + coalesce(f.minority_interest, 0))::double as total_equity
    from new_fact_financials_history as f
),
-- a total of 0 means that FMP does not have it: banks have no current assets
parts as (
    select version_id, cash as part, current_assets as total from facts where current_assets > 0
    union all
    select version_id, cash_and_short_term_investments, current_assets from facts where current_assets > 0
    union all
    select version_id, inventory, current_assets from facts where current_assets > 0
    union all
    select version_id, cash, total_assets from facts where total_assets > 0
    union all
    select version_id, current_assets, total_assets from facts where total_assets > 0
    union all
    select version_id, property_plant_equipment_net, total_assets from facts where total_assets > 0
    union all
    select version_id, goodwill_and_intangibles, total_assets from facts where total_assets > 0
    union all
    select version_id, current_liabilities, total_liabilities from facts where total_liabilities > 0
    union all
    select version_id, total_debt, total_liabilities from facts where total_liabilities > 0
    union all
    select version_id, borrowings, total_debt from facts
),
-- EPS times shares, and the earnings to which it may belong. Rounding EPS to a cent moves the product by half a cent
-- per share
earnings as (
    select *,
        eps * shares as eps_earnings, eps_diluted * diluted_shares as diluted_earnings,
        eps_diluted * shares as diluted_earnings_on_basic,
        net_income + preferred_dividends as to_common,
        -- the share of minorities in earnings, estimated by their share in equity
        net_income * case
            when minority_interest > 0 and total_equity > minority_interest
                then 1 - minority_interest / nullif(total_equity, 0)
            else 1.0::double
        end as less_minorities,
        coalesce(bottom_line, net_income) as bottom
    from facts
    where not is_derived and shares > 0 and eps is not null and net_income is not null
),
judged_earnings as (
    select *,
        abs(eps_earnings - net_income) <= 0.3 * abs(net_income) + 0.005 * shares
        or abs(eps_earnings - bottom) <= 0.3 * abs(bottom) + 0.005 * shares
        or abs(eps_earnings - to_common) <= 0.3 * abs(to_common) + 0.005 * shares
        or abs(eps_earnings - less_minorities) <= 0.3 * abs(less_minorities) + 0.005 * shares as is_basic_right,
        coalesce(
            abs(diluted_earnings - net_income) <= 0.3 * abs(net_income) + 0.005 * diluted_shares
            or abs(diluted_earnings - bottom) <= 0.3 * abs(bottom) + 0.005 * diluted_shares
            or abs(diluted_earnings - to_common) <= 0.3 * abs(to_common) + 0.005 * diluted_shares
            or abs(diluted_earnings_on_basic - eps_earnings) <= 0.3 * abs(eps_earnings) + 0.005 * shares,
            true
        ) as is_diluted_right,
        coalesce(
            (eps_diluted > 0 and eps > 0 and eps_diluted > eps + 0.011)
            or (eps_diluted > 0.005 and eps < -0.005)
            or (eps_diluted < -0.005 and eps > 0.005),
            false
        ) as is_diluted_impossible
    from earnings
),
own as (
    select version_id, 'impossible_date' as suspicion, null::double as ours, null::double as theirs
    from period_versions
    where flags like '%|impossible_date|%'
    union all
    select version_id, 'parts_exceed_total', part, total
    from parts
    where part > total * 1.005 + 1000
    union all
    select version_id, 'unbalanced', total_assets, total_liabilities + total_equity
    from facts
    where abs(total_assets - total_liabilities - total_equity) > 0.05 * abs(total_assets) + 1000
    union all
    select version_id, 'negative_revenue', revenue, 0.0::double from facts where revenue < 0
    union all
    select version_id, 'eps_disputed', eps_earnings, net_income from judged_earnings where not is_basic_right
    union all
    select version_id, 'eps_disputed', diluted_earnings, net_income
    from judged_earnings
    where is_basic_right and not is_diluted_right
    union all
    select version_id, 'diluted_eps_disputed', eps_diluted, eps from judged_earnings where is_diluted_impossible
),
-- neighbours of the same vintage
sequences as (
    select
        l.vintage_id, f.version_id, f.symbol, f.fiscal_date, f.period_type, f.cadence, f.reported_currency,
        f.is_derived, l.known_on, f.revenue, f.net_income, f.bottom_line, f.continuing, f.minority_interest,
        f.cash_flow_net_income, f.operating_cash_flow,
        lag(f.net_income, 1) over (partition by l.vintage_id, f.cadence order by f.fiscal_date, f.period_type)
            as net_income_1,
        lag(f.net_income, 2) over (partition by l.vintage_id, f.cadence order by f.fiscal_date, f.period_type)
            as net_income_2,
        lag(f.net_income, 3) over (partition by l.vintage_id, f.cadence order by f.fiscal_date, f.period_type)
            as net_income_3,
        f.fiscal_date - lag(f.fiscal_date) over (
            partition by l.vintage_id, f.cadence order by f.fiscal_date, f.period_type
        ) as gap_days
    from vintages_of_periods as l
    join facts as f on f.version_id = l.version_id
),
-- net income since the beginning of the fiscal year
cash_flows as (
    select *,
        case
            when period_type in ('Q2', 'Q4') and abs(cash_flow_net_income - net_income - net_income_1)
                <= 0.005 * abs(cash_flow_net_income)
                then true
            when period_type in ('Q3', 'Q4') and abs(cash_flow_net_income - net_income - net_income_1 - net_income_2)
                <= 0.005 * abs(cash_flow_net_income)
                then true
            when period_type = 'Q4'
                and abs(cash_flow_net_income - net_income - net_income_1 - net_income_2 - net_income_3)
                <= 0.005 * abs(cash_flow_net_income)
                then true
            else false
        end as is_cumulative
    from sequences
    where not is_derived and cash_flow_net_income <> 0
        and abs(cash_flow_net_income - net_income) > 0.1 * abs(net_income) + 1000
        -- the cash flow statement of a group with minorities begins with the net income of the group
        and abs(cash_flow_net_income - coalesce(bottom_line, net_income)) > 0.1 * abs(bottom_line)
        and abs(cash_flow_net_income - coalesce(continuing, net_income)) > 0.1 * abs(continuing)
),
years as (
    select * from sequences where cadence = 'FY'
),
sums as (
    select
        y.vintage_id, y.version_id as year_id, count(*) as n_quarters,
        min(q.fiscal_date) as oldest_date, max(q.fiscal_date) as newest_date,
        max(case when q.period_type = 'Q1' then q.fiscal_date end) as first_quarter_date,
        max(case when q.is_derived or q.reported_currency is distinct from y.reported_currency then 1 else 0 end)
            as n_unlike,
        max(case when q.known_on > y.known_on then q.known_on else y.known_on end) as known_on,
        case when count(q.revenue) = count(*) then sum(q.revenue) end as revenue,
        case when count(q.net_income) = count(*) then sum(q.net_income) end as net_income,
        case when count(q.operating_cash_flow) = count(*) then sum(q.operating_cash_flow) end as operating_cash_flow
    from years as y
    join sequences as q
        on q.vintage_id = y.vintage_id and q.cadence = 'Q'
        and q.fiscal_date between y.fiscal_date - 330 and y.fiscal_date + 14
    group by y.vintage_id, y.version_id
),
compared as (
    select
        y.vintage_id, y.version_id, y.fiscal_date, s.known_on, y.revenue as year_revenue, s.revenue,
        y.net_income as year_net_income, s.net_income, y.operating_cash_flow as year_operating_cash_flow,
        s.operating_cash_flow,
        -- amounts in millions are rounded, which matters when profits are small
        0.0025 * coalesce(abs(y.revenue), 0.0::double) + 1000 as rounding,
        s.newest_date >= y.fiscal_date - 14
        and (
            (s.n_quarters = 4 and s.newest_date - s.oldest_date between 230 and 310)
            or (s.n_quarters = 2 and s.newest_date - s.oldest_date between 150 and 215)
        ) as is_whole,
        s.n_quarters = 3 and s.newest_date - s.oldest_date between 150 and 215
        and y.fiscal_date - s.newest_date between 70 and 120 as has_three
    from years as y
    join sums as s on s.vintage_id = y.vintage_id and s.year_id = y.version_id
    where s.n_unlike = 0
        -- a year of fewer than 350 days is a part of a year: its four newest quarters begin before it
        and case
            when y.gap_days is null then coalesce(y.fiscal_date - s.first_quarter_date >= 230, true)
            else y.gap_days not between 15 and 349
        end
),
contradictions as (
    select vintage_id, version_id, fiscal_date, known_on, revenue as ours, year_revenue as theirs
    from compared
    where (is_whole and abs(revenue - year_revenue) > 0.005 * abs(year_revenue) + 1000)
        -- without the fourth quarter, the others must not exceed the year
        or (has_three and revenue > year_revenue + 1000)
    union all
    select vintage_id, version_id, fiscal_date, known_on, net_income, year_net_income
    from compared
    where is_whole and abs(net_income - year_net_income) > 0.005 * abs(year_net_income) + rounding
    union all
    select vintage_id, version_id, fiscal_date, known_on, operating_cash_flow, year_operating_cash_flow
    from compared
    where is_whole
        and abs(operating_cash_flow - year_operating_cash_flow) > 0.005 * abs(year_operating_cash_flow) + rounding
),
-- the lines that each suspicion compares
compared_items as (
    {% for pair in suspicion_items %}
    {{ "union all " if not loop.first }}select
        '{{ pair.code }}'{{ " as suspicion" if loop.first }}, '{{ pair.item }}'{{ " as item" if loop.first }}
    {% endfor %}
),
decided as (
    select distinct v.version_id, c.suspicion
    from corrected_values as v
    join compared_items as c on c.item = v.item
),
share_errors as (
    select version_id, share_reason as suspicion, ours, theirs from split_adjusted_shares where share_reason is not null
    union all
    select version_id, eps_reason, ours, theirs
    from split_adjusted_shares
    where share_reason is null and eps_reason is not null
),
found as (
    select l.vintage_id, o.version_id, o.suspicion, l.known_on, o.ours, o.theirs
    from share_errors as o
    join vintages_of_periods as l on l.version_id = o.version_id
    union all
    select l.vintage_id, o.version_id, o.suspicion, l.known_on, o.ours, o.theirs
    from own as o
    join vintages_of_periods as l on l.version_id = o.version_id
    left join financial_vintages as b on b.vintage_id = l.vintage_id
    where o.suspicion <> 'negative_revenue' or b.vintage_id is null
    union all
    select
        vintage_id, version_id,
        case when is_cumulative then 'cumulative_cash_flow' else 'cash_flow_mismatch' end,
        known_on, cash_flow_net_income, net_income
    from cash_flows
    where is_cumulative
        or (minority_interest = 0 and abs(cash_flow_net_income - net_income) > 0.3 * abs(net_income) + 1000)
    union all
    select vintage_id, version_id, 'contradicted_by_year', known_on, ours, theirs from contradictions
    union all
    select q.vintage_id, q.version_id, 'contradicted_by_year', c.known_on, c.ours, c.theirs
    from contradictions as c
    join sequences as q
        on q.vintage_id = c.vintage_id and q.cadence = 'Q'
        and q.fiscal_date between c.fiscal_date - 330 and c.fiscal_date + 14
),
undecided as (
    select f.*
    from found as f
    left join decided as d on d.version_id = f.version_id and d.suspicion = f.suspicion
    where d.version_id is null
),
inherited as (
    select * from undecided
    union all
    select
        d.vintage_id, q.version_id, f.suspicion, case when f.known_on > d.known_on then f.known_on else d.known_on end,
        f.ours, f.theirs
    from undecided as f
    join derived_quarters as q
        on f.version_id = q.year_id or f.version_id = q.first_id or f.version_id = q.second_id
        or f.version_id = q.third_id
    join vintages_of_periods as d on d.vintage_id = f.vintage_id and d.version_id = q.version_id
)
-- one row per suspicion: that with the largest difference
select
    s.vintage_id, s.version_id, f.symbol, f.fiscal_date, f.period_type, s.suspicion, s.known_on, s.ours, s.theirs
from inherited as s
join facts as f on f.version_id = s.version_id
qualify row_number() over (
    partition by s.vintage_id, s.version_id, s.suspicion order by s.known_on, abs(s.ours - s.theirs) desc nulls last
) = 1
