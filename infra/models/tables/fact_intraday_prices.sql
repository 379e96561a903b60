-- grain: company_key x bar_start. Bars of one minute from streamed ticks, as traded: not adjusted for later splits.
-- Late ticks correct their bar. No run reads or changes this table
create table if not exists analytics.fact_intraday_prices (
    company_key varchar,
    symbol varchar,
    price_date date, -- day in New York
    price_date_key bigint, -- day in New York as yyyymmdd
    bar_start timestamp, -- first moment of the minute, UTC
    open_price decimal(18, 6), -- money a share; price of the first tick by exchange time
    high_price decimal(18, 6), -- money a share; highest price
    low_price decimal(18, 6), -- money a share; lowest price
    close_price decimal(18, 6), -- money a share; price of the last tick by exchange time
    volume decimal(18, 6), -- shares; sum of the sizes of the ticks
    vwap double, -- money a share; volume-weighted average price; NULL without volume
    tick_count bigint, -- number of ticks
    run_id varchar, -- load of ticks that computed the bar
    computed_at timestamp
)
