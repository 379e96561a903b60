-- grain: company_key x valid_from; valid_to is the first day on which the row no longer holds
create table if not exists analytics.dim_company (
    company_key varchar,
    symbol varchar,
    cik varchar, -- SEC number
    company_name varchar, -- name
    sector varchar, -- sector as FMP has it
    industry varchar, -- industry as FMP has it
    exchange varchar, -- exchange the price is of
    currency varchar, -- currency the price is in
    country varchar, -- country code
    market_cap_category varchar, -- mega from 200, large from 10, mid from 2, small from 0.3, micro from 0.05 thousand million, else nano
    is_etf boolean, -- an exchange-traded fund
    is_fund boolean, -- a fund
    is_adr boolean, -- an American depositary receipt
    is_actively_trading boolean, -- still traded
    is_current boolean, -- whether the row holds now
    valid_from date, -- first day on which the row holds
    valid_to date, -- first day on which it no longer holds, NULL for the current row
    run_id varchar,
    computed_at timestamp
)
