-- grain: company x price_date (from prices_from on). Returns, volatility, averages, extremes and the maximum drawdown
-- over the last sessions. The maximum drawdown is exact: the deepest fall from any close to any later close within
-- the last 252 sessions. A window frame cannot express this, so the sessions are numbered in blocks of 252. A window
-- then consists of the end of one block and the beginning of the next. The deepest fall is in the first part, in the
-- second part, or from the highest close of the first part to the lowest close of the second part. Each of these
-- three is a running figure within its block.
create or replace temporary table price_windows as
with bars as (
    select *, floor((session_no - 1)::double / 252.0::double)::bigint as block_no, close_price::double as session_close
    from price_bars
),
block_ends as (
    select *,
        max(session_close) over (
            partition by symbol, block_no order by price_date rows between unbounded preceding and current row
        ) as high_before,
        min(session_close) over (
            partition by symbol, block_no order by price_date rows between unbounded preceding and current row
        ) as low_before,
        max(session_close) over (
            partition by symbol, block_no order by price_date rows between current row and unbounded following
        ) as high_after,
        min(session_close) over (
            partition by symbol, block_no order by price_date rows between current row and unbounded following
        ) as low_after
    from bars
),
block_falls as (
    select *,
        min(session_close / nullif(high_before, 0)) over (
            partition by symbol, block_no order by price_date rows between unbounded preceding and current row
        ) as fall_before,
        min(low_after / nullif(session_close, 0)) over (
            partition by symbol, block_no order by price_date rows between current row and unbounded following
        ) as fall_after
    from block_ends
),
windows as (
    select
        symbol, price_date, is_recomputed, session_no, close_price, session_close, log_close, log_dividends_after,
        low_before, fall_before,
        session_no - block_no * 252 as place_in_block,
        lag(session_close, 1) over (partition by symbol order by price_date) as close_1_ago,
        lag(session_close, 5) over (partition by symbol order by price_date) as close_5_ago,
        lag(session_close, 21) over (partition by symbol order by price_date) as close_21_ago,
        lag(session_close, 63) over (partition by symbol order by price_date) as close_63_ago,
        lag(session_close, 126) over (partition by symbol order by price_date) as close_126_ago,
        lag(session_close, 252) over (partition by symbol order by price_date) as close_252_ago,
        lag(log_dividends_after, 252) over (partition by symbol order by price_date) as log_dividends_after_252,
        lag(high_after, 251) over (partition by symbol order by price_date) as high_after_251,
        lag(fall_after, 251) over (partition by symbol order by price_date) as fall_after_251,
        (log_close - lag(log_close, 30) over (partition by symbol order by price_date))::double as sum_30,
        (log_close - lag(log_close, 90) over (partition by symbol order by price_date))::double as sum_90,
        sum(squared_return) over (
            partition by symbol order by price_date rows between 29 preceding and current row
        )::double as squares_30,
        sum(squared_return) over (
            partition by symbol order by price_date rows between 89 preceding and current row
        )::double as squares_90,
        sum(close_price) over (
            partition by symbol order by price_date rows between 49 preceding and current row
        )::double as closes_50,
        sum(close_price) over (
            partition by symbol order by price_date rows between 199 preceding and current row
        )::double as closes_200,
        max(high_price) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        ) as high_252,
        min(low_price) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        ) as low_252
    from block_falls
),
falls as (
    select *,
        low_before / nullif(high_after_251, 0) as fall_between,
        -- sample variance computed from sums. For a constant series, rounding can make it slightly negative
        (squares_30 - sum_30 * sum_30 / 30.0::double) / 29.0::double as variance_30,
        (squares_90 - sum_90 * sum_90 / 90.0::double) / 89.0::double as variance_90
    from windows
    where is_recomputed
)
select
    symbol, price_date, session_no, close_price,
    session_close / nullif(close_1_ago, 0) - 1 as return_1d,
    session_close / nullif(close_5_ago, 0) - 1 as return_5d,
    session_close / nullif(close_21_ago, 0) - 1 as return_21d,
    session_close / nullif(close_63_ago, 0) - 1 as return_63d,
    session_close / nullif(close_126_ago, 0) - 1 as return_126d,
    session_close / nullif(close_252_ago, 0) - 1 as return_252d,
    session_close / nullif(close_252_ago, 0)
        * exp((log_dividends_after - log_dividends_after_252)::double) - 1 as total_return_252d,
    case
        when variance_30 > 0 then sqrt(variance_30) * sqrt(252.0::double)
        when variance_30 <= 0 then 0.0::double
    end as volatility_30d,
    case
        when variance_90 > 0 then sqrt(variance_90) * sqrt(252.0::double)
        when variance_90 <= 0 then 0.0::double
    end as volatility_90d,
    case when session_no >= 252 then high_252 end as high_52w,
    case when session_no >= 252 then low_252 end as low_52w,
    case when session_no >= 50 then closes_50 / 50.0::double end as sma_50,
    case when session_no >= 200 then closes_200 / 200.0::double end as sma_200,
    case
        when session_no < 252 then null
        when place_in_block = 252 then fall_before
        when fall_before <= fall_after_251 and fall_before <= fall_between then fall_before
        when fall_after_251 <= fall_between then fall_after_251
        else fall_between
    end - 1 as max_drawdown_252d
from falls
