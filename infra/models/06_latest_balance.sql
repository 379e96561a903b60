-- grain: company x fiscal_date x period_type. The newest version of each balance sheet: staging keeps every version ever seen.
create or replace temporary table latest_balance as
with scoped as (select symbol from companies),
versions as (select * from staging.balance_sheet)
select
    v.symbol, v.fiscal_date, v.period_type, v.fiscal_year, v.reported_currency, v.cik, v.filing_date, v.accepted_at,
    v.accepted_at_source,
    -- a restatement must not make the days before it forget that the period was known
    min(v.known_on) over (partition by v.symbol, v.period_type, v.fiscal_date) as known_on,
    v.cash_and_equivalents, v.short_term_investments, v.cash_and_short_term_investments, v.net_receivables, v.accounts_receivable,
    v.other_receivables, v.inventory, v.prepaids, v.other_current_assets, v.current_assets, v.property_plant_equipment_net,
    v.goodwill, v.intangible_assets, v.goodwill_and_intangibles, v.long_term_investments, v.tax_assets, v.other_non_current_assets,
    v.non_current_assets, v.other_assets, v.total_assets, v.total_payables, v.accounts_payable, v.other_payables,
    v.accrued_expenses, v.short_term_debt, v.capital_lease_obligations_current, v.tax_payables, v.deferred_revenue,
    v.other_current_liabilities, v.current_liabilities, v.long_term_debt, v.capital_lease_obligations_non_current,
    v.deferred_revenue_non_current, v.deferred_tax_liabilities_non_current, v.other_non_current_liabilities,
    v.non_current_liabilities, v.other_liabilities, v.capital_lease_obligations, v.total_liabilities, v.treasury_stock,
    v.preferred_stock, v.common_stock, v.retained_earnings, v.additional_paid_in_capital, v.accumulated_other_comprehensive_income,
    v.other_stockholders_equity, v.stockholders_equity, v.total_equity, v.minority_interest, v.total_liabilities_and_equity,
    v.total_investments, v.total_debt, v.net_debt,
    (v.observed_at - interval '5 hours')::date as basis_date
from versions as v
join scoped as c on c.symbol = v.symbol
where v.period_type in ('Q1', 'Q2', 'Q3', 'Q4', 'FY')
qualify row_number() over (
    partition by v.symbol, v.period_type, v.fiscal_date
    order by v.observed_at desc nulls last, v.source_file desc nulls last, v.source_row desc nulls last
) = 1
