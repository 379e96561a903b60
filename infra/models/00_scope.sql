-- grain: company; the companies to recompute and the first day whose daily figures may differ.
-- A NULL first_date in `pending` means every day: dividends and splits reach back over the whole series.
create or replace temporary table scope as
with pending_companies as (
    select p.dataset, p.symbol, p.first_date
    from pending p
    where p.dataset <> 'sp500_constituents'
        and p.symbol <> (select coalesce(max(r.index_symbol), '') from run_params r)
),
-- A new index bar moves the beta of every company that has bars from then on.
index_days as (
    select min(p.first_date) as first_date
    from pending p
    join run_params r on r.index_symbol = p.symbol
    where p.dataset = 'prices'
),
companies as (
    select symbol from staging.profile
    union
    select symbol from staging.income_statement
    union
    select symbol from staging.prices
),
newest as (
    select symbol, max(metric_date) as metric_date
    from analytics.fact_market_metrics
    group by symbol
),
-- The newest day is priced with the profile's share count; once it is no longer the newest, with the statements'.
days as (
    select symbol, first_date from pending_companies where dataset in ('prices', 'income_statement', 'balance_sheet', 'cash_flow')
    union all
    select symbol, date '1900-01-01' from pending_companies where dataset in ('dividends', 'splits')
    union all
    select p.symbol, n.metric_date
    from pending_companies p
    join newest n on n.symbol = p.symbol
    union all
    -- Sector and currency decide which figures mean something, on every day.
    select p.symbol, date '1900-01-01'
    from pending_companies p
    join staging.profile c on c.symbol = p.symbol
    join analytics.dim_company d on d.symbol = p.symbol and d.is_current
    where p.dataset = 'profile'
        and (coalesce(d.sector, '') <> coalesce(c.sector, '') or coalesce(d.currency, '') <> coalesce(c.currency, ''))
    union all
    select c.symbol, i.first_date
    from companies c
    cross join index_days i
    where i.first_date is not null
        and c.symbol <> (select coalesce(max(r.index_symbol), '') from run_params r)
    union all
    select symbol, date '9999-12-31' from pending_companies
)
select symbol, min(first_date) as prices_from
from days
group by symbol
