-- grain: company_key x price_date; prices on the newest split basis, adj_close also free of dividends
create table if not exists analytics.fact_daily_prices (
    company_key varchar,
    symbol varchar,
    price_date date,
    price_date_key bigint,
    open_price decimal(38, 6), -- first price of the session
    high_price decimal(38, 6), -- highest price of the session
    low_price decimal(38, 6), -- lowest price of the session
    close_price decimal(38, 6), -- last price of the session
    adj_close decimal(38, 6), -- close free of dividends too: times 1 less dividend over the close before, for every later ex-date
    volume decimal(38, 6), -- shares traded
    change_amount decimal(38, 6), -- change of the day as FMP has it: close less open
    change_percent double, -- percent; change of the day as FMP has it, over the open
    vwap decimal(38, 6), -- mean price weighted by volume, as FMP has it
    as_traded_close decimal(38, 6), -- close as it was paid on the day: close_price times split_factor
    split_factor double, -- what later splits made of one share of the day
    run_id varchar,
    computed_at timestamp
)
