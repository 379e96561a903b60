-- grain: company x price_date (from prices_from on). Which fundamentals, dividends and share count go with a day.
create or replace temporary table market_days as
with days as (select symbol, price_date, session_no, close_price::double as price from price_windows),
payers as (select distinct symbol from dividend_events)
select
    d.symbol, d.price_date, d.session_no, d.price, k.range_id, k.fundamentals_as_of, k.fundamentals_known_on,
    coalesce(n.shares, o.shares_outstanding_used) as shares,
    case when n.shares is not null then n.shares_source when o.shares_outstanding_used is not null then 'statement' end as shares_source,
    -- a payer's dividends of the year, zero when there were none; NULL for a company without any dividend event
    case when p.symbol is not null then coalesce(v.dividends_per_share, 0.0::double) end as dividends_per_share
from days as d
join known_ranges as k on k.symbol = d.symbol and d.price_date >= k.valid_from and d.price_date < k.valid_to
join range_operands as o on o.range_id = k.range_id
left join newest_shares as n on n.symbol = d.symbol and n.price_date = d.price_date
left join payers as p on p.symbol = d.symbol
left join dividend_ranges as v on v.symbol = d.symbol and d.price_date >= v.valid_from and d.price_date < v.valid_to
