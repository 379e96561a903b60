-- grain: company x price_date (from prices_from on). Beta and correlation against the index, over the last 252
-- returns. Returns are between sessions for which both company and index have a bar. Computed from sums, because
-- Snowflake does not allow window frames for REGR_SLOPE and CORR.
create or replace temporary table index_windows as
with index_bars as (
    select p.price_date, ln(case when p.close_price > 0 then p.close_price::double end)::decimal(38, 12) as log_index
    from staging.prices as p
    join run_params as r on p.symbol = r.index_symbol and p.price_date <= r.as_of
),
common as (
    select b.symbol, b.price_date, b.is_recomputed, b.log_close, i.log_index
    from price_bars as b
    join index_bars as i on i.price_date = b.price_date
    where b.log_close is not null and i.log_index is not null
),
paired as (
    select *,
        (log_close - lag(log_close) over (partition by symbol order by price_date))::double as y,
        (log_index - lag(log_index) over (partition by symbol order by price_date))::double as x
    from common
),
windows as (
    select
        symbol, price_date, is_recomputed,
        -- the sum of log returns is the difference of the logarithms at both ends, so two of the five sums need no
        -- window frame
        (log_close - lag(log_close, 252) over (partition by symbol order by price_date))::double as sum_y,
        (log_index - lag(log_index, 252) over (partition by symbol order by price_date))::double as sum_x,
        sum((x * x)::decimal(38, 18)) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as sum_xx,
        sum((x * y)::decimal(38, 18)) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as sum_xy,
        sum((y * y)::decimal(38, 18)) over (
            partition by symbol order by price_date rows between 251 preceding and current row
        )::double as sum_yy
    from paired
),
moments as (
    select
        symbol, price_date,
        252.0::double * sum_xx - sum_x * sum_x as var_x,
        252.0::double * sum_yy - sum_y * sum_y as var_y,
        252.0::double * sum_xy - sum_x * sum_y as cov_xy
    from windows
    where is_recomputed and sum_y is not null
)
select
    symbol, price_date,
    case when var_x > 0 then cov_xy / nullif(var_x, 0) end as beta_252d,
    case
        when var_x > 0 and var_y > 0 then cov_xy / nullif(sqrt(abs(var_x)) * sqrt(abs(var_y)), 0)
    end as correlation_252d
from moments
