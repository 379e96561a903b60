-- grain: company x price_date. Bars on the newest split basis. They begin early enough before prices_from for every
-- window to be complete. Logarithms are decimals, whose sums are exact, so figures do not depend on the first day
-- read or on the number of threads.
create or replace temporary table price_bars as
with recomputed_companies as (select symbol, prices_from from companies),
params as (select as_of, index_symbol from run_params),
index_dates as (
    select p.price_date
    from staging.prices as p
    join params as r on p.symbol = r.index_symbol and p.price_date <= r.as_of
),
-- windows have up to 252 sessions, which fit into 400 days. If trading was halted for so long that they do not fit,
-- read the whole history
history as (
    select c.symbol, count(*) as n_sessions, count(i.price_date) as n_index_sessions
    from recomputed_companies as c
    join staging.prices as p
        on p.symbol = c.symbol and p.price_date < c.prices_from and p.price_date >= c.prices_from - 400
    left join index_dates as i on i.price_date = p.price_date
    group by c.symbol
),
index_size as (select count(*) as n_dates from index_dates),
reads as (
    select
        c.symbol, c.prices_from,
        case
            when h.n_sessions > 252 and (h.n_index_sessions > 252 or x.n_dates = 0) then c.prices_from - 400
            else date '1900-01-01'
        end as read_from
    from recomputed_companies as c
    -- read no bars of a company without days to recompute
    join params as r on c.prices_from <= r.as_of
    cross join index_size as x
    left join history as h on h.symbol = c.symbol
),
-- the New York date of receipt, computed as UTC minus five hours
received as (
    select
        symbol, price_date, close_price, high_price, low_price, volume,
        (observed_at - interval '5 hours')::date as received_on
    from staging.prices
),
on_basis as (
    select
        p.symbol, p.price_date, p.price_date >= c.prices_from as is_recomputed, s.basis_factor,
        case
            when s.basis_factor is null then p.close_price
            else (p.close_price::double / nullif(s.basis_factor, 0))::decimal(38, 6)
        end as close_price,
        case
            when s.basis_factor is null then p.high_price
            else (p.high_price::double / nullif(s.basis_factor, 0))::decimal(38, 6)
        end as high_price,
        case
            when s.basis_factor is null then p.low_price
            else (p.low_price::double / nullif(s.basis_factor, 0))::decimal(38, 6)
        end as low_price,
        -- the same on every split basis. A bar without volume counts as a large negative number, so that the sign of a
        -- sum tells whether one is missing
        coalesce(
            p.close_price::double * p.volume::double, -100000000000000000000.0::double
        )::decimal(38, 6) as dollar_volume
    from received as p
    join reads as c on c.symbol = p.symbol and p.price_date >= c.read_from
    join params as r on p.price_date <= r.as_of
    left join split_factors as s
        on s.symbol = p.symbol and p.received_on >= s.from_date and p.received_on < s.until_date
),
logged as (
    select *, ln(case when close_price > 0 then close_price::double end)::decimal(38, 12) as log_close
    from on_basis
),
sessions as (
    select *,
        row_number() over (partition by symbol order by price_date) as session_no,
        lag(close_price) over (partition by symbol order by price_date) as previous_close,
        log_close - lag(log_close) over (partition by symbol order by price_date) as log_return
    from logged
),
ex_dates as (select symbol, ex_date, sum(amount) as amount from dividend_events group by symbol, ex_date),
-- a dividend is assigned to the first session on or after its ex-date
dividend_days as (
    select d.symbol, d.ex_date, d.amount, d.ex_date + k.n as price_date
    from ex_dates as d
    cross join (
        select 0 as n
        union all select 1 union all select 2 union all select 3
        union all select 4 union all select 5 union all select 6
    ) as k
),
dividend_sessions as (
    select d.symbol, d.ex_date, d.amount, s.price_date
    from dividend_days as d
    join sessions as s on s.symbol = d.symbol and s.price_date = d.price_date
    qualify row_number() over (partition by d.symbol, d.ex_date order by s.price_date) = 1
),
dividends as (select symbol, price_date, sum(amount) as amount from dividend_sessions group by symbol, price_date),
with_dividends as (
    select
        s.symbol, s.price_date, s.is_recomputed, s.session_no, s.basis_factor, s.close_price, s.high_price, s.low_price,
        s.log_close, s.log_return, s.dollar_volume, abs(s.close_price - s.previous_close) as price_move,
        abs(s.close_price::double / nullif(s.previous_close::double, 0) - 1) as absolute_return,
        -- the factor that data vendors use: 1 - dividend / previous close. A dividend that is not smaller than the
        -- previous close is not an ordinary dividend and is ignored.
        case
            when d.amount > 0 and d.amount < s.previous_close
                then ln(nullif(abs(1 - d.amount::double / nullif(s.previous_close::double, 0)), 0))::decimal(38, 12)
        end as log_dividend
    from sessions as s
    left join dividends as d on d.symbol = s.symbol and d.price_date = s.price_date
),
with_total_returns as (
    select *, (log_return - coalesce(log_dividend, 0))::double as log_total_return
    from with_dividends
)
select
    symbol, price_date, is_recomputed, session_no, basis_factor, close_price, high_price, low_price, log_close,
    dollar_volume, price_move,
    (log_return::double * log_return::double)::decimal(38, 18) as squared_return,
    (log_total_return * log_total_return)::decimal(38, 18) as squared_total_return,
    case
        when log_total_return < 0 then (log_total_return * log_total_return)::decimal(38, 18)
        else 0
    end::decimal(38, 18) as squared_loss,
    -- the return that a million of the currency traded goes with; NULL without trading
    case
        when dollar_volume > 0
            then (absolute_return * 1000000.0::double / nullif(dollar_volume::double, 0))::decimal(38, 18)
    end as illiquidity,
    -- the logarithm of the product of all later dividends' factors, by which the close is multiplied to adjust it
    coalesce(
        sum(log_dividend) over (
            partition by symbol order by price_date rows between 1 following and unbounded following
        ), 0
    )::decimal(38, 12) as log_dividends_after
from with_total_returns
