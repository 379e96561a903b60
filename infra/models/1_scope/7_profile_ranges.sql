-- grain: company x valid_from x known_from. What follows from a company's profile on the days [valid_from, valid_to):
-- the currency of its price, and whether it is a bank. The first profile also counts for the days before its receipt.
-- A profile was the newest one in [since_at, until_at). As long as no correction of the user concerns the profile,
-- there is one row per profile, known at all times; otherwise a row was known in [known_from, known_to).
-- sector_reason: why figures that banks do not have are NULL, whatever the company reports. is_lender: it is a bank for
-- a period in which interest is a large part of revenue. is_financial: it belongs to the financial sector, whose
-- revenue can be negative. metrics/industries.toml lists the industries.
create or replace temporary table profile_ranges as
with recomputed_companies as (select symbol from companies),
profiles as (
    select c.symbol, c.sector, c.industry, c.currency, c.changed_at as until_at
    from staging.profile_changes as c
    join recomputed_companies as r on r.symbol = c.symbol
    union all
    select r.symbol, p.sector, p.industry, p.currency, null::timestamp
    from recomputed_companies as r
    left join newest_profiles as p on p.symbol = r.symbol
),
dated as (
    select *,
        coalesce(
            lag(until_at) over (partition by symbol order by until_at nulls last), timestamp '1900-01-01 00:00:00'
        ) as since_at
    from profiles
),
fixes as (
    select c.symbol, c.item, c.value, c.known_from, c.known_to
    from staging.corrections as c
    join recomputed_companies as r on r.symbol = c.symbol
    where c.kind = 'value' and c.item in ('sector', 'industry', 'currency')
),
moments as (
    select symbol, timestamp '1900-01-01 00:00:00' as known_from from recomputed_companies
    union
    select symbol, known_from from fixes
    union
    select symbol, known_to from fixes where known_to is not null
),
knowledge as (
    select symbol, known_from, lead(known_from) over (partition by symbol order by known_from) as known_to
    from moments
),
fixed as (
    select
        k.symbol, k.known_from, k.known_to,
        max(case when f.item = 'sector' then f.value end) as sector,
        max(case when f.item = 'industry' then f.value end) as industry,
        max(case when f.item = 'currency' then f.value end) as currency
    from knowledge as k
    left join fixes as f
        on f.symbol = k.symbol and f.known_from <= k.known_from
        and coalesce(f.known_to, timestamp '9999-12-31 00:00:00') > k.known_from
    group by k.symbol, k.known_from, k.known_to
),
texts as (
    select
        d.symbol, d.since_at, d.until_at, k.known_from, k.known_to,
        nullif(trim(coalesce(k.currency, d.currency)), '') as quote_currency,
        nullif(trim(coalesce(k.sector, d.sector)), '') as sector,
        nullif(trim(coalesce(k.industry, d.industry)), '') as industry
    from dated as d
    join fixed as k on k.symbol = d.symbol
),
classified as (
    select
        symbol, since_at, known_from, known_to, quote_currency, sector, industry,
        case
            when lower(industry) in (
                {{ industries.banks }}
            ) then 'not_meaningful_for_sector'
            when lower(industry) in (
                {{ industries.lenders }}
            ) then null
            when lower(industry) in (
                {{ industries.others }}
            ) then null
            when lower(sector) in ('financial services', 'financials') then 'unknown_sector'
            when industry is null and (sector is null or lower(sector) = 'real estate') then 'unknown_sector'
        end as sector_reason,
        coalesce(
            lower(industry) in (
                {{ industries.lenders }}
            ), false
        ) as is_lender,
        coalesce(
            lower(sector) in ('financial services', 'financials') or lower(industry) in (
                {{ industries.banks }}
            ) or lower(industry) in (
                {{ industries.lenders }}
            ) or lower(industry) in (
                {{ industries.others }}
            ), false
        ) as is_financial
    from texts
),
compared as (
    select *,
        lag(quote_currency) over (partition by symbol, known_from order by since_at) as old_currency,
        lag(sector_reason) over (partition by symbol, known_from order by since_at) as old_reason,
        lag(is_lender) over (partition by symbol, known_from order by since_at) as old_lender,
        lag(is_financial) over (partition by symbol, known_from order by since_at) as old_financial
    from classified
),
-- only profiles that change something; the first one has no predecessor
steps as (
    select *, lead(since_at) over (partition by symbol, known_from order by since_at) as until_at
    from compared
    where old_lender is null
        or quote_currency is distinct from old_currency
        or sector_reason is distinct from old_reason
        or is_lender <> old_lender
        or is_financial <> old_financial
)
-- the New York date of receipt, computed as UTC minus five hours
select
    symbol, (since_at - interval '5 hours')::date as valid_from,
    coalesce((until_at - interval '5 hours')::date, date '9999-12-31') as valid_to,
    since_at, until_at, known_from, known_to, sector, industry, quote_currency, sector_reason, is_lender, is_financial
from steps
