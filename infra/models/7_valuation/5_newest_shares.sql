-- grain: company. Shares outstanding on the newest price date, on the newest split basis, from the profile or else
-- from the float data.
create or replace temporary table newest_shares as
with newest as (select symbol, max(price_date) as price_date from price_bars group by symbol),
profiles as (
    select p.symbol, p.market_cap::double / nullif(p.price::double, 0) * coalesce(s.share_factor, 1.0::double) as shares
    from newest_profiles as p
    left join split_factors as s
        on s.symbol = p.symbol and p.received_on >= s.from_date and p.received_on < s.until_date
    where p.market_cap > 0 and p.price > 0 and p.market_cap::double / nullif(p.price::double, 0) < 1e18
),
-- the New York date of receipt, computed as UTC minus five hours
received as (
    select symbol, outstanding_shares, (observed_at - interval '5 hours')::date as received_on
    from staging.shares_float
    where outstanding_shares > 0
),
floats as (
    select f.symbol, f.outstanding_shares::double * coalesce(s.share_factor, 1.0::double) as shares
    from received as f
    left join split_factors as s
        on s.symbol = f.symbol and f.received_on >= s.from_date and f.received_on < s.until_date
)
select
    n.symbol, n.price_date, coalesce(p.shares, f.shares) as shares,
    case when p.shares is not null then 'profile' else 'shares_float' end as shares_source
from newest as n
left join profiles as p on p.symbol = n.symbol
left join floats as f on f.symbol = n.symbol
where p.shares is not null or f.shares is not null
