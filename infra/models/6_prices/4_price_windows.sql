-- grain: company x price_date (from prices_from on). Returns, volatility, averages, extremes, measures of risk and
-- trading, and the maximum drawdown over the last sessions. The maximum drawdown is exact: the deepest fall from any
-- close to any later close within the last 252 sessions. A window frame cannot express this, so the sessions are
-- numbered in blocks of 252. A window then consists of the end of one block and the beginning of the next. The deepest
-- fall is in the first part, in the second part, or from the highest close of the first part to the lowest close of the
-- second part. Each of these three is a running figure within its block.
create or replace temporary table price_windows as
with bars as (
    select *,
        close_price::double as session_close,
        -- the high, and in the seventh to twelfth decimal place the number of the session, so that the maximum tells
        -- both the highest high and its newest session
        high_price::decimal(38, 12) + (session_no::double / 1000000000000.0::double)::decimal(38, 12) as numbered_high
    from price_bars
),
blocks as (
    select
        symbol, price_date, session_no, session_close,
        floor((session_no - 1)::double / 252.0::double)::bigint as block_no
    from bars
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
    from blocks
),
block_falls as (
    select
        symbol, session_no, low_before, high_after, session_no - block_no * 252 as place_in_block,
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
        symbol, price_date, is_recomputed, session_no, close_price, session_close, log_dividends_after,
        lag(session_close, 1) over (partition by symbol order by price_date) as close_1_ago,
        lag(session_close, 5) over (partition by symbol order by price_date) as close_5_ago,
        lag(session_close, 21) over (partition by symbol order by price_date) as close_21_ago,
        lag(session_close, 63) over (partition by symbol order by price_date) as close_63_ago,
        lag(session_close, 126) over (partition by symbol order by price_date) as close_126_ago,
        lag(session_close, 252) over (partition by symbol order by price_date) as close_252_ago,
        lag(log_dividends_after, 252) over (partition by symbol order by price_date) as log_dividends_after_252,
        lag(close_price, 14) over (partition by symbol order by price_date) as close_14_ago,
        (log_close - lag(log_close, 252) over (partition by symbol order by price_date)) as sum_252,
        (log_close - lag(log_close, 30) over (partition by symbol order by price_date))::double as sum_30,
        (log_close - lag(log_close, 90) over (partition by symbol order by price_date))::double as sum_90,
        sum(squared_return) over (
            partition by symbol order by price_date rows between 29 preceding and current row
        )::double as squares_30,
        sum(squared_return) over (
            partition by symbol order by price_date rows between 89 preceding and current row
        )::double as squares_90,
        sum(squared_total_return) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as squares_252,
        sum(squared_loss) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as losses_252,
        sum(illiquidity) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as illiquidity_252,
        count(illiquidity) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        ) as traded_252,
        sum(price_move) over (
            partition by symbol order by price_date rows between 13 preceding and current row
        )::double as moves_14,
        sum(dollar_volume) over (
            partition by symbol order by price_date rows between 19 preceding and current row
        )::double as dollars_20,
        sum(dollar_volume) over (
            partition by symbol order by price_date rows between 59 preceding and current row
        )::double as dollars_60,
        max(numbered_high) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        ) as numbered_high_252,
        sum(close_price) over (
            partition by symbol order by price_date rows between 49 preceding and current row
        )::double as closes_50,
        sum(close_price) over (
            partition by symbol order by price_date rows between 199 preceding and current row
        )::double as closes_200,
        min(low_price) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        ) as low_252
    from bars
),
sums as (
    select *,
        -- the sum of the log returns with dividends reinvested
        (sum_252 + log_dividends_after - log_dividends_after_252)::double as total_252,
        -- the number of a session is too small to change the sixth decimal place
        numbered_high_252::decimal(38, 6) as high_252
    from windows
    where is_recomputed
),
falls as (
    select
        s.*, n.low_before, n.fall_before, n.place_in_block, f.fall_after as fall_after_251,
        n.low_before / nullif(f.high_after, 0) as fall_between,
        -- sample variance computed from sums. For a constant series, rounding can make it slightly negative
        (s.squares_30 - s.sum_30 * s.sum_30 / 30.0::double) / 29.0::double as variance_30,
        (s.squares_90 - s.sum_90 * s.sum_90 / 90.0::double) / 89.0::double as variance_90,
        (s.squares_252 - s.total_252 * s.total_252 / 252.0::double) / 251.0::double as variance_252
    from sums as s
    join block_falls as n on n.symbol = s.symbol and n.session_no = s.session_no
    -- the first session of the window
    left join block_falls as f on f.symbol = s.symbol and f.session_no = s.session_no - 251
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
        when variance_30 > 0 then sqrt(abs(variance_30)) * sqrt(252.0::double)
        when variance_30 <= 0 then 0.0::double
    end as volatility_30d,
    case
        when variance_90 > 0 then sqrt(abs(variance_90)) * sqrt(252.0::double)
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
    end - 1 as max_drawdown_252d,
    close_21_ago / nullif(close_252_ago, 0) - 1 as momentum_12_1,
    case when session_no >= 20 and dollars_20 >= 0 then dollars_20 / 20.0::double end
        as average_dollar_volume_20d,
    case when session_no >= 60 and dollars_60 >= 0 then dollars_60 / 60.0::double end
        as average_dollar_volume_60d,
    case when session_no >= 253 then illiquidity_252 / nullif(traded_252, 0) end as amihud_illiquidity_252d,
    -- the moves up are half of all moves and the change over the 14 sessions
    50.0::double * (moves_14 + (close_price - close_14_ago)::double) / nullif(moves_14, 0) as rsi_14d,
    case
        when variance_252 > 0 then total_252 / nullif(sqrt(252.0::double) * sqrt(abs(variance_252)), 0)
    end as sharpe_ratio_252d_rf0,
    case
        when total_252 is not null and losses_252 > 0 then total_252 / nullif(sqrt(abs(losses_252)), 0)
    end as sortino_ratio_252d_rf0,
    -- √(sum / 252) x √252
    case when total_252 is not null then sqrt(abs(losses_252)) end as downside_deviation_252d,
    case
        when variance_252 > 0 then 1.6448536269514722::double * sqrt(abs(variance_252))
        when variance_252 <= 0 then 0.0::double
    end - total_252 / 252.0::double as value_at_risk_95_252d,
    case
        when session_no >= 252
            then session_no::double - round(
                (numbered_high_252 - high_252::decimal(38, 12))::double * 1000000000000.0::double
            )
    end as days_since_high_52w
from falls
