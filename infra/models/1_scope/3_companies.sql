-- grain: company. The companies of the slice to recompute, with the attributes that the other models read. Every model
-- that depends on this table runs once per slice.
-- company_key: the hash of the first symbol under which the security was loaded.
-- sector_reason: why figures that banks do not have are NULL, whatever the company reports. is_lender: it is a bank for
-- a period in which interest is a large part of revenue. is_financial: it belongs to the financial sector, in which
-- revenue can be negative. metrics/industries.toml lists the industries.
create or replace temporary table companies as
with to_recompute as (select * from companies_to_recompute),
profiles as (
    select
        symbol, currency, nullif(lower(trim(sector)), '') as sector, nullif(lower(trim(industry)), '') as industry
    from newest_profiles
)
select
    s.symbol, coalesce(k.company_key, md5(s.symbol)) as company_key, s.prices_from, s.with_history, s.with_fundamentals,
    nullif(trim(p.currency), '') as quote_currency,
    case
        when p.industry in (
            {{ industries.banks }}
        ) then 'not_meaningful_for_sector'
        when p.industry in (
            {{ industries.lenders }}
        ) then null
        when p.industry in (
            {{ industries.others }}
        ) then null
        when p.sector in ('financial services', 'financials') then 'unknown_sector'
        when p.industry is null and (p.sector is null or p.sector = 'real estate') then 'unknown_sector'
    end as sector_reason,
    coalesce(
        p.industry in (
            {{ industries.lenders }}
        ), false
    ) as is_lender,
    coalesce(
        p.sector in ('financial services', 'financials') or p.industry in (
            {{ industries.banks }}
        ) or p.industry in (
            {{ industries.lenders }}
        ) or p.industry in (
            {{ industries.others }}
        ), false
    ) as is_financial
from to_recompute as s
join company_slice as n on s.company_no between n.first_company and n.last_company
left join profiles as p on p.symbol = s.symbol
left join ops.securities as k on k.symbol = s.symbol
