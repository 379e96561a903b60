-- grain: company_key x subject_date x basis (Q1..Q4, FY, TTM, MARKET) x metric: why a metric is NULL
create table if not exists analytics.metric_nulls (
    company_key varchar,
    symbol varchar,
    subject_date date,
    subject_date_key bigint,
    basis varchar,
    metric varchar,
    reason varchar,
    run_id varchar,
    computed_at timestamp
)
