-- grain: company x price_date (from prices_from on). The vendor's share count of a day on the newest split basis: the
-- market cap of that day / the close; on the newest day the profile or else the float data. A day without a market cap
-- has the count of an earlier day, at most 31 sessions ago. is_whole: the counts begin with the prices, so there was no
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
        b.symbol, b.price_date, b.is_recomputed, b.session_no, v.first_date,
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
    select
        b.symbol, b.price_date, b.is_recomputed, b.session_no, b.first_date,
        case when c.market_cap < b.price * 1e18 then c.market_cap / nullif(b.price, 0) end as shares
    from bars as b
    left join caps as c on c.symbol = b.symbol and c.price_date = b.price_date
),
numbered as (
    select *,
        count(shares) over (
            partition by symbol order by price_date rows between unbounded preceding and current row
        ) as count_no
    from counted
),
latest as (
    select
        symbol, price_date, is_recomputed, first_date,
        case
            when count_no > 0 and session_no - min(session_no) over (partition by symbol, count_no) <= 31
                then max(shares) over (partition by symbol, count_no)
        end as shares
    from numbered
),
carried as (
    select *, lag(shares) over (partition by symbol order by price_date) as shares_before from latest
),
newest as (select symbol, max(price_date) as price_date from price_bars group by symbol)
select
    n.symbol, n.price_date,
    case
        when c.vendor_shares is null then h.shares
        when h.shares_before is null or c.is_in_motion then c.vendor_shares
        when c.vendor_shares <= h.shares_before * 1.05 and h.shares_before <= c.vendor_shares * 1.05
            then c.vendor_shares
        else h.shares_before
    end as shares,
    case
        when c.vendor_shares is null then 'market_caps'
        when h.shares_before is null or c.is_in_motion then c.shares_source
        when c.vendor_shares <= h.shares_before * 1.05 and h.shares_before <= c.vendor_shares * 1.05
            then c.shares_source
        else 'market_caps'
    end as shares_source,
    coalesce(h.first_date <= b.first_bar + 7 and h.shares_before is not null, false) as is_whole, c.is_in_motion
from newest as n
join checks as c on c.symbol = n.symbol
left join carried as h on h.symbol = n.symbol and h.price_date = n.price_date
left join first_bars as b on b.symbol = n.symbol
where coalesce(c.vendor_shares, h.shares) is not null
union all
select
    h.symbol, h.price_date, h.shares, 'market_caps', h.first_date <= b.first_bar + 7, c.is_in_motion
from carried as h
join checks as c on c.symbol = h.symbol
join newest as n on n.symbol = h.symbol and h.price_date < n.price_date
left join first_bars as b on b.symbol = h.symbol
where h.is_recomputed and h.shares is not null
