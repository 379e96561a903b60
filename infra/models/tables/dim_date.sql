-- grain: calendar day
create table if not exists analytics.dim_date (
    date_key bigint,
    calendar_date date,
    year bigint,
    quarter bigint,
    month bigint,
    day_of_month bigint,
    day_of_week bigint,
    month_start date,
    quarter_start date,
    year_start date,
    is_weekend boolean,
    is_month_end boolean,
    run_id varchar,
    computed_at timestamp
)
