-- grain: company x fiscal year x known_from. Fourth quarters that were not reported, derived as the year minus its
-- first three quarters. The year and the quarters must have the same currency. They must also be of one lineage: if a
-- quarter is restated after the year was known, the derivation ends. It also ends when a fourth quarter is reported. If
-- the year is restated, a quarter must have been restated too. A fourth quarter with revenue below zero is not derived:
-- the quarters contradict the year. A correction of the user's is not a restatement.
create or replace temporary table derived_quarters as
with revenues as (select version_id, try_cast(value as double) as revenue from corrected_values where item = 'revenue'),
versions as (
    select
        p.*, i.revenue, i.net_income, c.operating_cash_flow,
        coalesce(k.revenue, i.revenue::double) as right_revenue,
        p.known_from = min(p.known_from) over (partition by p.symbol, p.period_type, p.period_no) as is_first
    from period_versions as p
    join staging.income_statement as i
        on i.symbol = p.symbol and i.source_file = p.income_file and i.source_row = p.income_row
    join staging.cash_flow as c
        on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
    left join revenues as k on k.version_id = p.version_id
    where p.reported_currency is not null
),
compared as (
    select *,
        lag(known_from) over (partition by symbol, period_type, period_no order by known_from) as old_known_from,
        lag(revenue) over (partition by symbol, period_type, period_no order by known_from) as old_revenue,
        lag(net_income) over (partition by symbol, period_type, period_no order by known_from) as old_net_income,
        lag(operating_cash_flow) over (
            partition by symbol, period_type, period_no order by known_from
        ) as old_operating_cash_flow
    from versions
    where period_type = 'FY'
),
changes as (
    select *,
        known_from > min(known_from) over (partition by symbol, period_type, period_no)
        and (
            revenue is distinct from old_revenue
            or net_income is distinct from old_net_income
            or operating_cash_flow is distinct from old_operating_cash_flow
        ) as is_restated
    from compared
),
restatements as (
    select *,
        max(case when is_restated then known_from end) over (
            partition by symbol, period_type, period_no order by known_from
            rows between unbounded preceding and current row
        ) as restated_at,
        max(case when is_restated then old_known_from end) over (
            partition by symbol, period_type, period_no order by known_from
            rows between unbounded preceding and current row
        ) as original_from
    from changes
),
-- quarters restated with their year may be received up to a day after it
years as (
    select *,
        case
            when known_from < (restated_at + interval '1 day')::timestamp
                then (restated_at + interval '1 day')::timestamp
            else known_from
        end as lineage_at
    from restatements
),
quarters as (
    select
        y.version_id as year_id, q.version_id as quarter_id, q.period_type, q.known_from, q.known_to, q.known_on,
        q.accepted_at, q.right_revenue as revenue, y.right_revenue as year_revenue,
        case when q.known_from <= y.original_from then 1 else 0 end as is_older
    from years as y
    join versions as q
        on q.symbol = y.symbol and q.reported_currency = y.reported_currency
        -- the version that was known when the year became known, or the first version if the quarter became known
        -- later
        and (
            (q.known_from <= y.lineage_at and (q.known_to is null or q.known_to > y.lineage_at))
            or (q.known_from > y.lineage_at and q.is_first)
        )
    where (q.period_type = 'Q1' and y.fiscal_date - q.fiscal_date between 230 and 310)
        or (q.period_type = 'Q2' and y.fiscal_date - q.fiscal_date between 150 and 215)
        or (q.period_type = 'Q3' and y.fiscal_date - q.fiscal_date between 70 and 120)
),
triples as (
    select
        year_id,
        max(case when period_type = 'Q1' then quarter_id end) as first_id,
        max(case when period_type = 'Q2' then quarter_id end) as second_id,
        max(case when period_type = 'Q3' then quarter_id end) as third_id
    from quarters
    group by year_id
    having count(*) = 3 and count(distinct period_type) = 3
        and sum(is_older) < 3
        and coalesce(max(year_revenue) >= sum(revenue), true)
),
reported as (
    select y.version_id as year_id, min(q.known_from) as reported_from
    from years as y
    join period_versions as q
        on q.symbol = y.symbol and q.period_type = 'Q4'
        and q.fiscal_date between y.fiscal_date - 14 and y.fiscal_date + 14
    group by y.version_id
),
-- the derived quarter is known from the time at which all four parts are known, until the first part is superseded
bounds as (
    select year_id, known_from, known_to, known_on, accepted_at from quarters
    union all
    select version_id, known_from, known_to, known_on, accepted_at from years
    union all
    select year_id, null, reported_from, null, null from reported
),
spans as (
    select
        year_id, max(known_from) as known_from, min(known_to) as known_to, max(known_on) as known_on,
        max(accepted_at) as accepted_at
    from bounds
    group by year_id
)
select
    1000000000 + row_number() over (order by y.symbol, y.fiscal_date, y.known_from) as version_id,
    y.version_id as year_id, t.first_id, t.second_id, t.third_id, s.known_from, s.known_to, s.known_on, s.accepted_at
from years as y
join triples as t on t.year_id = y.version_id
join spans as s on s.year_id = y.version_id
where s.known_to is null or s.known_to > s.known_from
