-- grain: company_key x price_date; prices on the newest split basis, adj_close also free of dividends
create table if not exists analytics.fact_daily_prices (
    company_key varchar,
    symbol varchar,
    price_date date,
    price_date_key bigint,
    open_price decimal(38, 6),
    high_price decimal(38, 6),
    low_price decimal(38, 6),
    close_price decimal(38, 6),
    adj_close decimal(38, 6),
    volume decimal(38, 6),
    change_amount decimal(38, 6),
    change_percent double,
    vwap decimal(38, 6),
    as_traded_close decimal(38, 6),
    split_factor double,
    run_id varchar,
    computed_at timestamp
)
