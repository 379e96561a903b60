-- grain: company_key x fiscal_date x basis (Q1..Q4, FY, TTM) x metric x known_from: why a ratio or a growth rate is NULL
create table if not exists analytics.period_nulls_history (
    company_key varchar,
    symbol varchar,
    fiscal_date date,
    fiscal_date_key bigint,
    basis varchar,
    metric varchar, -- column of fact_financial_ratios or fact_growth_rates that is NULL
    reason varchar, -- why
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
