-- grain: calendar day
create table if not exists analytics.dim_date (
    date_key bigint, -- the day as yyyymmdd
    calendar_date date, -- the day
    year bigint, -- calendar year
    quarter bigint, -- calendar quarter
    month bigint, -- month of the year
    day_of_month bigint, -- day of the month
    day_of_week bigint, -- 1 for Monday to 7 for Sunday
    month_start date, -- first day of its month
    quarter_start date, -- first day of its quarter
    year_start date, -- first day of its year
    is_weekend boolean, -- whether it is a Saturday or Sunday
    is_month_end boolean, -- whether it is the last day of its month
    run_id varchar,
    computed_at timestamp
)
