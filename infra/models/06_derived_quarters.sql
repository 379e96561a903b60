-- grain: company x fiscal year x known_from. Fourth quarters that were never reported, as the year less its first three quarters: only out of
-- what was known together when the year was (a quarter restated since ends the derivation), in one currency, and until a fourth quarter is reported.
create or replace temporary table derived_quarters as
with versions as (select * from period_versions where has_income and has_cash_flow and reported_currency is not null),
years as (select * from versions where period_type = 'FY' and has_balance),
quarters as (
    select y.version_id as year_id, q.version_id as quarter_id, q.period_type, q.known_to
    from years as y
    join versions as q
        on q.symbol = y.symbol and q.reported_currency = y.reported_currency
        and q.known_from <= y.known_from and (q.known_to is null or q.known_to > y.known_from)
    where (q.period_type = 'Q1' and y.fiscal_date - q.fiscal_date between 230 and 310)
        or (q.period_type = 'Q2' and y.fiscal_date - q.fiscal_date between 150 and 215)
        or (q.period_type = 'Q3' and y.fiscal_date - q.fiscal_date between 70 and 120)
),
triples as (
    select
        year_id,
        max(case when period_type = 'Q1' then quarter_id end) as first_id,
        max(case when period_type = 'Q2' then quarter_id end) as second_id,
        max(case when period_type = 'Q3' then quarter_id end) as third_id,
        min(known_to) as quarters_until
    from quarters
    group by year_id
    having count(*) = 3 and count(distinct period_type) = 3
),
reported as (
    select y.version_id as year_id, min(q.known_from) as reported_from
    from years as y
    join period_versions as q on q.symbol = y.symbol and q.period_type = 'Q4' and q.fiscal_date between y.fiscal_date - 14 and y.fiscal_date + 14
    group by y.version_id
),
-- whatever ends first ends the derivation
ends as (
    select version_id as year_id, known_to as ends_at from years
    union all
    select year_id, quarters_until from triples
    union all
    select year_id, reported_from from reported
),
first_ends as (select year_id, min(ends_at) as known_to from ends group by year_id)
select
    1000000000 + row_number() over (order by y.symbol, y.fiscal_date, y.known_from) as version_id,
    y.version_id as year_id, t.first_id, t.second_id, t.third_id, e.known_to
from years as y
join triples as t on t.year_id = y.version_id
join first_ends as e on e.year_id = y.version_id
left join reported as r on r.year_id = y.version_id
where r.reported_from is null or r.reported_from > y.known_from
