-- grain: company x price_date (from prices_from on). The vendor's share count of a day on the newest split basis: the
-- market cap of that day / the close; on the newest day the profile or else the float data. A day without a market cap
-- has the count of an earlier day, at most 45 days ago. is_whole: the counts begin with the prices, so there was no
-- other source before. is_in_motion: the count changes, so it may differ from that of the statements by more than a
-- change of source may.
create or replace temporary table vendor_counts as
with checks as (select * from share_checks),
caps as (
    select m.symbol, m.cap_date as price_date, m.market_cap::double as market_cap
    from staging.market_caps as m
    join checks as c on c.symbol = m.symbol
    -- a market cap on the old share count of an unconfirmed split is not used
    left join (
        select symbol, max(split_date) as split_date from split_events where verdict = 'unconfirmed' group by symbol
    ) as u on u.symbol = m.symbol
    where m.market_cap > 0 and c.verdict not in ('disputed', 'all_classes')
        and (u.split_date is null or m.cap_date < u.split_date)
),
coverage as (select symbol, min(price_date) as first_date from caps group by symbol),
bars as (
    select
        b.symbol, b.price_date, b.is_recomputed,
        b.close_price::double * coalesce(f.basis_factor / nullif(f.share_factor, 0), 1.0::double) as price
    from price_bars as b
    join coverage as v on v.symbol = b.symbol
    -- spin-offs divide older prices, but change no share count
    left join split_factors as f
        on f.symbol = b.symbol and b.price_date >= f.from_date and b.price_date < f.until_date
),
first_bars as (
    select p.symbol, min(p.price_date) as first_bar
    from staging.prices as p
    join coverage as v on v.symbol = p.symbol
    group by p.symbol
),
counted as (
    select b.symbol, b.price_date, b.is_recomputed, c.market_cap / nullif(b.price, 0) as shares
    from bars as b
    join caps as c on c.symbol = b.symbol and c.price_date = b.price_date
    where c.market_cap < b.price * 1e18
),
-- a day without a market cap has the count of an earlier day
gaps as (
    select b.symbol, b.price_date, max_by(e.shares, e.price_date) as shares
    from bars as b
    left join counted as c on c.symbol = b.symbol and c.price_date = b.price_date
    join counted as e on e.symbol = b.symbol and e.price_date between b.price_date - 45 and b.price_date - 1
    where b.is_recomputed and c.symbol is null
    group by b.symbol, b.price_date
),
carried as (
    select symbol, price_date, shares from counted where is_recomputed
    union all
    select symbol, price_date, shares from gaps
),
newest as (select symbol, max(price_date) as price_date from price_bars group by symbol),
-- the count before the newest day, from which a change of source moves by at most 5 %
earlier_counts as (
    select n.symbol, max_by(e.shares, e.price_date) as shares
    from newest as n
    join counted as e on e.symbol = n.symbol and e.price_date between n.price_date - 45 and n.price_date - 1
    group by n.symbol
),
newest_days as (
    select
        n.symbol, n.price_date, c.vendor_shares, c.shares_source, c.is_in_motion, e.shares as shares_before,
        h.shares as shares_today,
        c.vendor_shares is not null and (
            e.shares is null or c.is_in_motion
            or (c.vendor_shares <= e.shares * 1.05 and e.shares <= c.vendor_shares * 1.05)
        ) as is_vendor
    from newest as n
    join checks as c on c.symbol = n.symbol
    left join earlier_counts as e on e.symbol = n.symbol
    left join carried as h on h.symbol = n.symbol and h.price_date = n.price_date
)
select
    n.symbol, n.price_date,
    case
        when n.is_vendor then n.vendor_shares
        when n.vendor_shares is not null then n.shares_before
        else n.shares_today
    end as shares,
    case when n.is_vendor then n.shares_source else 'market_caps' end as shares_source,
    coalesce(v.first_date <= b.first_bar + 7 and n.shares_before is not null, false) as is_whole, n.is_in_motion
from newest_days as n
left join coverage as v on v.symbol = n.symbol
left join first_bars as b on b.symbol = n.symbol
where coalesce(n.vendor_shares, n.shares_today) is not null
union all
select h.symbol, h.price_date, h.shares, 'market_caps', v.first_date <= b.first_bar + 7, c.is_in_motion
from carried as h
join checks as c on c.symbol = h.symbol
join newest as n on n.symbol = h.symbol and h.price_date < n.price_date
join coverage as v on v.symbol = h.symbol
join first_bars as b on b.symbol = h.symbol
