-- grain: company x fiscal_date x period_type. The newest version of each cash flow statement: staging keeps every version ever seen.
create or replace temporary table latest_cash_flow as
with scoped as (select symbol from companies),
versions as (select * from staging.cash_flow)
select
    v.symbol, v.fiscal_date, v.period_type, v.fiscal_year, v.reported_currency, v.cik, v.filing_date, v.accepted_at,
    v.accepted_at_source,
    -- a restatement must not make the days before it forget that the period was known
    min(v.known_on) over (partition by v.symbol, v.period_type, v.fiscal_date) as known_on,
    v.cash_flow_net_income, v.cash_flow_depreciation_and_amortization, v.deferred_income_tax, v.stock_based_compensation,
    v.change_in_working_capital, v.change_in_receivables, v.change_in_inventory, v.change_in_payables,
    v.change_in_other_working_capital, v.other_non_cash_items, v.net_cash_from_operating_activities,
    v.investments_in_property_plant_and_equipment, v.acquisitions_net, v.purchases_of_investments,
    v.sales_maturities_of_investments, v.other_investing_activities, v.investing_cash_flow, v.net_debt_issuance,
    v.long_term_net_debt_issuance, v.short_term_net_debt_issuance, v.net_stock_issuance, v.net_common_stock_issuance,
    v.common_stock_issuance, v.common_stock_repurchased, v.net_preferred_stock_issuance, v.dividends_paid, v.common_dividends_paid,
    v.preferred_dividends_paid, v.other_financing_activities, v.financing_cash_flow, v.effect_of_forex_changes_on_cash,
    v.net_change_in_cash, v.cash_at_end_of_period, v.cash_at_beginning_of_period, v.operating_cash_flow, v.capital_expenditures,
    v.free_cash_flow, v.income_taxes_paid, v.interest_paid,
    (v.observed_at - interval '5 hours')::date as basis_date
from versions as v
join scoped as c on c.symbol = v.symbol
where v.period_type in ('Q1', 'Q2', 'Q3', 'Q4', 'FY')
qualify row_number() over (
    partition by v.symbol, v.period_type, v.fiscal_date
    order by v.observed_at desc nulls last, v.source_file desc nulls last, v.source_row desc nulls last
) = 1
