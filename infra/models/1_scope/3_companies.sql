-- grain: company. The companies of the slice to recompute. Every model that depends on this table runs once per slice.
-- company_key: the hash of the first symbol under which the security was loaded.
-- profile_from: the day on which the first profile was received.
create or replace temporary table companies as
with to_recompute as (select * from companies_to_recompute),
-- the New York date of receipt, computed as UTC minus five hours
first_profiles as (
    select p.symbol, (min(p.observed_at) - interval '5 hours')::date as received_on
    from raw.profile as p
    join to_recompute as s on s.symbol = p.symbol
    group by p.symbol
)
select
    s.symbol, coalesce(k.company_key, md5(s.symbol)) as company_key, s.prices_from, s.with_history, s.with_fundamentals,
    f.received_on as profile_from
from to_recompute as s
join company_slice as n on s.company_no between n.first_company and n.last_company
left join first_profiles as f on f.symbol = s.symbol
left join ops.securities as k on k.symbol = s.symbol
