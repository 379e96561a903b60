-- grain: company x fiscal year x known_from. Fourth quarters that were not reported, derived as the year minus its
-- first three quarters. The year and the quarters must have the same currency. They must also be of one lineage: if a
-- quarter is restated after the year was known, the derivation ends. It also ends when a fourth quarter is reported.
create or replace temporary table derived_quarters as
with versions as (
    select *,
        known_from = min(known_from) over (partition by symbol, period_type, period_no) as is_first
    from period_versions
    where has_income and has_cash_flow and reported_currency is not null
),
years as (select * from versions where period_type = 'FY'),
quarters as (
    select
        y.version_id as year_id, q.version_id as quarter_id, q.period_type, q.known_from, q.known_to, q.known_on,
        q.accepted_at
    from years as y
    join versions as q
        on q.symbol = y.symbol and q.reported_currency = y.reported_currency
        -- the version that was known when the year became known, or the first version if the quarter became known
        -- later
        and (
            (q.known_from <= y.known_from and (q.known_to is null or q.known_to > y.known_from))
            or (q.known_from > y.known_from and q.is_first)
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
