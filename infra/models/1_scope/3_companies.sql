-- grain: company. The companies of the slice to recompute, with the attributes that the other models read. Every model
-- that depends on this table runs once per slice.
create or replace temporary table companies as
with to_recompute as (select * from companies_to_recompute),
profiles as (select * from newest_profiles)
select
    s.symbol, md5(s.symbol) as company_key, s.prices_from, s.with_history, s.with_fundamentals,
    p.currency as quote_currency,
    coalesce(p.sector in ('Financial Services', 'Financials'), false) as is_financial
from to_recompute as s
join company_slice as n on s.company_no between n.first_company and n.last_company
left join profiles as p on p.symbol = s.symbol
