-- grain: vintage x price_date (from prices_from on). The fundamentals, dividends and share count of each day. A past
-- vintage has only days whose session closed before the vintage's cutoff and for which the next vintage uses
-- different fundamentals.
create or replace temporary table valuation_days as
with days as (select symbol, price_date, session_no, close_price::double as price from price_windows),
payers as (select distinct symbol from dividend_events),
current_ranges as (
    select l.vintage_id, k.symbol, k.range_id, k.valid_from, k.valid_to
    from fundamentals_ranges as k
    join vintages as l on l.vintage_id = k.vintage_id and l.is_current
),
past_ranges as (
    select
        l.vintage_id, l.symbol, s.range_id, s.valid_from, s.valid_to,
        (l.cutoff - interval '21 hours')::date as last_session
    from revised_ranges as s
    join vintages as l on l.vintage_id = s.vintage_id
),
valued_days as (
    select r.vintage_id, r.range_id, d.*
    from days as d
    join current_ranges as r on r.symbol = d.symbol and d.price_date >= r.valid_from and d.price_date < r.valid_to
    union all
    select r.vintage_id, r.range_id, d.*
    from days as d
    join past_ranges as r
        on r.symbol = d.symbol
        and d.price_date >= r.valid_from and d.price_date < r.valid_to and d.price_date <= r.last_session
)
select
    d.vintage_id, d.symbol, d.price_date, d.session_no, d.price, k.range_id, k.fundamentals_as_of,
    k.fundamentals_known_on,
    coalesce(o.entered_shares, n.shares, o.statement_shares) as shares,
    case
        when o.entered_shares is not null then 'correction'
        when n.shares is not null then n.shares_source
        when o.statement_shares is not null then 'statement'
    end as shares_source,
    -- the dividends of the last twelve months, 0 if there were none; NULL for a company without any dividend event
    case when p.symbol is not null then coalesce(v.dividends_per_share, 0.0::double) end as dividends_per_share
from valued_days as d
join fundamentals_ranges as k on k.range_id = d.range_id
join valuation_operands as o on o.range_id = d.range_id
left join newest_shares as n on n.symbol = d.symbol and n.price_date = d.price_date
left join payers as p on p.symbol = d.symbol
left join dividend_ranges as v on v.symbol = d.symbol and d.price_date >= v.valid_from and d.price_date < v.valid_to
