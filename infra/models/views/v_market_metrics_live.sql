-- grain: company_key. The market metrics of the newest session at the last streamed price: market cap and the ratios
-- that follow from it, with the fundamentals of that session. Companies without ticks since then have no row. It
-- contains today's knowledge only, so a backtest must not use it.
create or replace view analytics.v_market_metrics_live (
    company_key,
    symbol,
    last_price, -- decimal(18, 6): money a share; price of the newest tick, as traded
    last_bar, -- timestamp: minute of the newest tick, UTC
    price_date, -- date: day of the newest tick in New York
    day_open, -- decimal(18, 6): money a share; price of the first tick of the day
    day_high, -- decimal(18, 6): money a share; highest price of the day
    day_low, -- decimal(18, 6): money a share; lowest price of the day
    day_volume, -- double: shares; sum of the sizes of the day's ticks
    day_vwap, -- double: money a share; volume-weighted average price of the day
    metric_date, -- date: newest session with market metrics
    close_price,
    price_change, -- double: ratio; last_price over the close of that session, less 1; splits since then considered
    market_cap,
    enterprise_value,
    pe_ratio,
    pe_ratio_ttm,
    pb_ratio,
    ps_ratio_ttm,
    p_to_fcf_ttm,
    p_to_ocf_ttm,
    peg_ratio,
    ev_to_revenue_ttm,
    ev_to_ebitda,
    ev_to_ebit,
    fcf_yield,
    earnings_yield,
    dividend_yield,
    fundamentals_as_of,
    is_suspect,
    suspect_reason
) as
with newest_days as (
    select company_key, max(price_date) as price_date from analytics.fact_intraday_prices group by company_key
),
day_bars as (
    select
        b.*,
        row_number() over (partition by b.company_key order by b.bar_start) as place,
        row_number() over (partition by b.company_key order by b.bar_start desc nulls last) as place_from_end
    from analytics.fact_intraday_prices as b
    join newest_days as n on n.company_key = b.company_key and n.price_date = b.price_date
),
days as (
    select
        company_key, price_date, max(case when place_from_end = 1 then close_price end) as last_price,
        max(bar_start) as last_bar, max(case when place = 1 then open_price end) as day_open,
        max(high_price) as day_high, min(low_price) as day_low, sum(volume::double) as day_volume,
        sum(vwap * volume::double) / nullif(sum(volume::double), 0) as day_vwap
    from day_bars
    group by company_key, price_date
),
metrics as (
    select *
    from analytics.fact_market_metrics
    qualify row_number() over (partition by company_key order by metric_date desc nulls last) = 1
),
-- a split since the session: the close and the share count are still those of before
splits as (
    select
        m.company_key, max(s.numerator::double / nullif(s.denominator::double, 0)) as new_shares
    from metrics as m
    join days as d on d.company_key = m.company_key
    join staging.splits as s
        on s.symbol = m.symbol and s.split_date > m.metric_date and s.split_date <= d.price_date
    group by m.company_key
),
moves as (
    select
        m.*, d.price_date, d.last_price, d.last_bar, d.day_open, d.day_high, d.day_low, d.day_volume, d.day_vwap,
        d.last_price::double * coalesce(s.new_shares, 1.0::double) / nullif(m.close_price::double, 0) as price_factor
    from metrics as m
    join days as d on d.company_key = m.company_key and d.price_date >= m.metric_date
    left join splits as s on s.company_key = m.company_key
),
-- debt and cash do not change with the price
valued as (
    select *, enterprise_value + market_cap * (price_factor - 1) as live_value from moves
),
-- multiples of an enterprise value at or below zero are NULL, as at the close
scaled as (
    select *, case when live_value > 0 then live_value / nullif(enterprise_value, 0) end as value_factor from valued
)
select
    company_key, symbol, last_price, last_bar, price_date, day_open, day_high, day_low, day_volume, day_vwap,
    metric_date, close_price, price_factor - 1 as price_change,
    market_cap * price_factor as market_cap,
    live_value as enterprise_value,
    pe_ratio * price_factor as pe_ratio,
    pe_ratio_ttm * price_factor as pe_ratio_ttm,
    pb_ratio * price_factor as pb_ratio,
    ps_ratio_ttm * price_factor as ps_ratio_ttm,
    p_to_fcf_ttm * price_factor as p_to_fcf_ttm,
    p_to_ocf_ttm * price_factor as p_to_ocf_ttm,
    peg_ratio * price_factor as peg_ratio,
    ev_to_revenue_ttm * value_factor as ev_to_revenue_ttm,
    ev_to_ebitda * value_factor as ev_to_ebitda,
    ev_to_ebit * value_factor as ev_to_ebit,
    fcf_yield / nullif(price_factor, 0) as fcf_yield,
    earnings_yield / nullif(price_factor, 0) as earnings_yield,
    dividend_yield / nullif(price_factor, 0) as dividend_yield,
    fundamentals_as_of, is_suspect, suspect_reason
from scaled
