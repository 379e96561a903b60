-- grain: company x fiscal_date x period_type. EPS and share counts on the newest split basis: FMP restates them for splits at the time
-- of the call, so a statement's basis is the day its income statement was received, as with prices.
create or replace temporary table share_bases as
with periods as (select symbol, fiscal_date, period_type, eps, eps_diluted, shares_outstanding, shares_outstanding_diluted from new_fact_financials),
incomes as (select symbol, fiscal_date, period_type, basis_date from latest_income),
bases as (
    select p.*, s.basis_factor
    from periods as p
    left join incomes as i on i.symbol = p.symbol and i.fiscal_date = p.fiscal_date and i.period_type = p.period_type
    left join split_bases as s on s.symbol = i.symbol and i.basis_date >= s.from_date and i.basis_date < s.until_date
)
select
    symbol, fiscal_date, period_type,
    -- twelve places: a per-share figure after many splits is small
    (case when basis_factor is null then eps::double else eps::double / nullif(basis_factor, 0) end)::decimal(38, 12) as basis_eps,
    (case when basis_factor is null then eps_diluted::double else eps_diluted::double / nullif(basis_factor, 0) end)::decimal(38, 12) as basis_eps_diluted,
    case when basis_factor is null then shares_outstanding else (shares_outstanding::double * basis_factor)::decimal(38, 6) end as basis_shares_outstanding,
    case
        when basis_factor is null then shares_outstanding_diluted
        else (shares_outstanding_diluted::double * basis_factor)::decimal(38, 6)
    end as basis_shares_outstanding_diluted
from bases
