-- grain: company_key x valid_from; valid_to is the first day on which the row no longer holds
create table if not exists analytics.dim_company (
    company_key varchar,
    symbol varchar,
    cik varchar, -- SEC number (CIK)
    filer_key varchar, -- key of the company that files: a hash of its CIK, the same for all its share classes
    company_name varchar, -- name
    sector varchar, -- sector as FMP names it
    industry varchar, -- industry as FMP names it
    exchange varchar, -- exchange of the price
    currency varchar, -- currency of the price
    country varchar, -- country code
    market_cap_category varchar, -- in billions: mega from 200, large 10, mid 2, small 0.3, micro 0.05, else nano
    is_etf boolean, -- whether it is an exchange-traded fund
    is_fund boolean, -- whether it is a fund
    is_adr boolean, -- whether it is an American depositary receipt
    is_actively_trading boolean, -- whether it is still traded
    receipt_ratio double, -- shares of the statements that one receipt stands for, NULL if it is one share
    class_ratio double, -- shares of this class that one share of the statements' class is worth, NULL if it is one
    is_current boolean, -- whether this is the current row
    valid_from date, -- first day on which the row holds
    valid_to date, -- first day on which it no longer holds, NULL for the current row
    run_id varchar,
    computed_at timestamp
)
