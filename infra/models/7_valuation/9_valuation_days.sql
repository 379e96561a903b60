-- grain: vintage x price_date (from prices_from on). The fundamentals, dividends and share count of each day. A past
-- vintage has only days whose session closed before the vintage's cutoff and for which the next vintage uses
-- different fundamentals.
create or replace temporary table valuation_days as
with days as (select symbol, price_date, session_no, close_price::double as price from price_windows),
payers as (select distinct symbol from dividend_events),
-- spin-offs divide older prices, but change no share count: figures of these days use the price before that division
spin_offs as (
    select symbol, from_date, until_date, basis_factor / nullif(share_factor, 0) as price_factor
    from split_factors
    where basis_factor <> share_factor
),
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
),
paired_days as (
    select
        d.*, n.shares as vendor_shares, n.shares_source, n.is_whole,
        n.is_in_motion or k.is_latest_stale or o.statement_shares is null as may_differ,
        ln(nullif(abs(n.shares / nullif(o.statement_shares, 0)), 0)) as log_ratio
    from valued_days as d
    join fundamentals_ranges as k on k.range_id = d.range_id
    join valuation_operands as o on o.range_id = d.range_id
    left join vendor_counts as n on n.symbol = d.symbol and n.price_date = d.price_date and n.shares > 0
),
-- days on which the vendor's count is off by a split of the two years around the day
misadjusted as (
    select distinct d.vintage_id, d.symbol, d.price_date
    from paired_days as d
    join split_events as e on e.symbol = d.symbol and e.is_testable
    where abs(d.log_ratio) > ln(1.25::double) and e.split_date between d.price_date - 730 and d.price_date + 730
        and abs(abs(d.log_ratio) - abs(e.log_factor)) <= ln(1.03::double)
),
-- a change of source alone moves the count by at most 5 %, and a count that differs twofold is not used; otherwise the
-- statement's count stays
counted_days as (
    select
        d.*,
        coalesce(
            d.vendor_shares > 0 and m.symbol is null
            and (
                d.may_differ or abs(d.log_ratio) <= ln(1.05::double)
                or (d.is_whole and abs(d.log_ratio) <= ln(2.0::double))
            ), false
        ) as is_vendor_count
    from paired_days as d
    left join misadjusted as m
        on m.vintage_id = d.vintage_id and m.symbol = d.symbol and m.price_date = d.price_date
)
select
    d.vintage_id, d.symbol, d.price_date, d.session_no, d.price * coalesce(f.price_factor, 1.0::double) as price,
    k.range_id, k.fundamentals_as_of, k.fundamentals_known_on,
    round(case
        when o.entered_shares is not null then o.entered_shares
        when d.is_vendor_count then d.vendor_shares
        else o.statement_shares
    end) as shares,
    case
        when o.entered_shares is not null then 'correction'
        when d.is_vendor_count then d.shares_source
        when o.statement_shares is not null then 'statement'
    end as shares_source,
    -- the dividends of the last twelve months, 0 if there were none; NULL for a company without any dividend event
    case
        when p.symbol is not null
            then coalesce(v.dividends_per_share, 0.0::double) * coalesce(f.price_factor, 1.0::double)
    end as dividends_per_share
from counted_days as d
join fundamentals_ranges as k on k.range_id = d.range_id
join valuation_operands as o on o.range_id = d.range_id
left join spin_offs as f on f.symbol = d.symbol and d.price_date >= f.from_date and d.price_date < f.until_date
left join payers as p on p.symbol = d.symbol
left join dividend_ranges as v on v.symbol = d.symbol and d.price_date >= v.valid_from and d.price_date < v.valid_to
