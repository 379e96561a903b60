-- grain: company_key x price_date; prices on the newest split basis, adj_close also adjusted for dividends
create table if not exists analytics.fact_daily_prices (
    company_key varchar,
    symbol varchar,
    price_date date,
    price_date_key bigint,
    open_price decimal(18, 6), -- first price of the session
    high_price decimal(18, 6), -- highest price of the session
    low_price decimal(18, 6), -- lowest price of the session
    close_price decimal(18, 6), -- last price of the session
    adj_close decimal(18, 6), -- close times (1 less dividend over the previous close) of every later ex-date
    volume bigint, -- shares traded
    change_amount double, -- the day's change as FMP defines it: close less open
    change_percent double, -- percent; the day's change as FMP defines it, over the open
    vwap decimal(18, 6), -- FMP's volume-weighted average price
    as_traded_close decimal(18, 6), -- close as paid on the day: close_price times split_factor
    split_factor double, -- number of today's shares that one share of that day has become
    run_id varchar,
    computed_at timestamp
)
