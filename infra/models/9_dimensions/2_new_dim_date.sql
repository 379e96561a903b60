-- grain: calendar day, 1985-01-01 to 2049-12-31. It has no week number, because Snowflake's depends on a
-- session setting.
create or replace temporary table new_dim_date as
with digits as (
    select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
    union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
),
days as (
    select date '1985-01-01' + (a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n) as calendar_date
    from digits as a
    cross join digits as b
    cross join digits as c
    cross join digits as d
    cross join (select n from digits where n <= 2) as e
),
weekdays as (
    -- 1984-01-02 was a Monday, which is day 1 in ISO 8601
    select
        calendar_date,
        (
            calendar_date - date '1984-01-02'
            - 7 * floor((calendar_date - date '1984-01-02')::double / 7.0::double) + 1
        )::bigint as day_of_week
    from days
    where calendar_date <= date '2049-12-31'
)
select
    (year(calendar_date) * 10000 + month(calendar_date) * 100 + day(calendar_date))::bigint as date_key,
    calendar_date,
    year(calendar_date)::bigint as year,
    quarter(calendar_date)::bigint as quarter,
    month(calendar_date)::bigint as month,
    day(calendar_date)::bigint as day_of_month,
    day_of_week,
    date_trunc('month', calendar_date)::date as month_start,
    date_trunc('quarter', calendar_date)::date as quarter_start,
    date_trunc('year', calendar_date)::date as year_start,
    day_of_week >= 6 as is_weekend,
    calendar_date = last_day(calendar_date) as is_month_end
from weekdays
