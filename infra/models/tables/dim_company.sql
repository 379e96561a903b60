-- grain: company_key x valid_from; valid_to is the first day on which the row no longer holds
create table if not exists analytics.dim_company (
    company_key varchar,
    symbol varchar,
    cik varchar,
    company_name varchar,
    sector varchar,
    industry varchar,
    exchange varchar,
    currency varchar,
    country varchar,
    market_cap_category varchar,
    is_etf boolean,
    is_fund boolean,
    is_adr boolean,
    is_actively_trading boolean,
    is_current boolean,
    valid_from date,
    valid_to date,
    run_id varchar,
    computed_at timestamp
)
