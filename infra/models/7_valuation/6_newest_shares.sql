-- grain: company. Shares outstanding on the newest price date, on the newest split basis, from the profile or else
-- from the float data, unless the count contradicts others. is_in_motion: the count changes, so it may differ from that
-- of the statements by more than a change of source may.
create or replace temporary table newest_shares as
with newest as (select symbol, max(price_date) as price_date from price_bars group by symbol),
checks as (select * from share_checks)
select n.symbol, n.price_date, c.vendor_shares as shares, c.shares_source, c.is_in_motion
from newest as n
join checks as c on c.symbol = n.symbol
where c.vendor_shares is not null
