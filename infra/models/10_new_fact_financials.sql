-- grain: company x fiscal_date x period_type. All lines of the three statements as reported; a period exists when any of the three does.
create or replace temporary table new_fact_financials as
with headers as (
    select symbol, fiscal_date, period_type, fiscal_year, reported_currency, cik, filing_date, accepted_at, accepted_at_source, known_on, 'income' as kind
    from latest_income
    union all
    select symbol, fiscal_date, period_type, fiscal_year, reported_currency, cik, filing_date, accepted_at, accepted_at_source, known_on, 'balance'
    from latest_balance
    union all
    select symbol, fiscal_date, period_type, fiscal_year, reported_currency, cik, filing_date, accepted_at, accepted_at_source, known_on, 'cash'
    from latest_cash_flow
),
-- a period is known once the last of its statements is: the greatest dates, and the weakest of the sources
periods as (
    select
        symbol, fiscal_date, period_type,
        max(fiscal_year) as fiscal_year, max(cik) as cik, max(filing_date) as filing_date,
        max(accepted_at) as accepted_at, max(known_on) as known_on, max(reported_currency) as any_currency,
        case
            when max(case when accepted_at_source = 'estimated' then 1 else 0 end) = 1 then 'estimated'
            when max(case when accepted_at_source = 'filing' then 1 else 0 end) = 1 then 'filing'
            else 'accepted'
        end as accepted_at_source,
        max(case when kind = 'income' then 1 else 0 end) = 1 as has_income,
        max(case when kind = 'balance' then 1 else 0 end) = 1 as has_balance,
        max(case when kind = 'cash' then 1 else 0 end) = 1 as has_cash_flow
    from headers
    group by symbol, fiscal_date, period_type
)
select
    m.company_key, p.symbol, p.fiscal_date,
    (year(p.fiscal_date) * 10000 + month(p.fiscal_date) * 100 + day(p.fiscal_date))::bigint as fiscal_date_key,
    p.period_type, p.fiscal_year, p.cik, p.filing_date, p.accepted_at, p.accepted_at_source, p.known_on,
    coalesce(i.reported_currency, b.reported_currency, c.reported_currency, p.any_currency) as reported_currency,
    p.has_income, p.has_balance, p.has_cash_flow,
    i.revenue, i.cost_of_revenue, i.gross_profit, i.research_and_development, i.general_and_administrative, i.selling_and_marketing,
    i.selling_general_and_administrative, i.other_expenses, i.operating_expenses, i.cost_and_expenses, i.net_interest_income,
    i.interest_income, i.interest_expense, i.depreciation_and_amortization,
    -- never operating income alone: FMP's own figure, else operating income plus D&A
    coalesce(i.ebitda, i.operating_income + coalesce(i.depreciation_and_amortization, c.cash_flow_depreciation_and_amortization)) as ebitda,
    i.ebit, i.non_operating_income_excluding_interest, i.operating_income, i.total_other_income_expenses_net, i.income_before_tax,
    i.income_tax_expense, i.net_income_from_continuing_operations, i.net_income_from_discontinued_operations,
    i.other_adjustments_to_net_income, i.net_income, i.net_income_deductions, i.bottom_line_net_income, i.eps, i.eps_diluted,
    i.shares_outstanding, i.shares_outstanding_diluted,
    b.cash_and_equivalents, b.short_term_investments, b.cash_and_short_term_investments, b.net_receivables, b.accounts_receivable,
    b.other_receivables, b.inventory, b.prepaids, b.other_current_assets, b.current_assets, b.property_plant_equipment_net,
    b.goodwill, b.intangible_assets, b.goodwill_and_intangibles, b.long_term_investments, b.tax_assets, b.other_non_current_assets,
    b.non_current_assets, b.other_assets, b.total_assets, b.total_payables, b.accounts_payable, b.other_payables,
    b.accrued_expenses, b.short_term_debt, b.capital_lease_obligations_current, b.tax_payables, b.deferred_revenue,
    b.other_current_liabilities, b.current_liabilities, b.long_term_debt, b.capital_lease_obligations_non_current,
    b.deferred_revenue_non_current, b.deferred_tax_liabilities_non_current, b.other_non_current_liabilities,
    b.non_current_liabilities, b.other_liabilities, b.capital_lease_obligations, b.total_liabilities, b.treasury_stock,
    b.preferred_stock, b.common_stock, b.retained_earnings, b.additional_paid_in_capital, b.accumulated_other_comprehensive_income,
    b.other_stockholders_equity, b.stockholders_equity, b.total_equity, b.minority_interest, b.total_liabilities_and_equity,
    b.total_investments, b.total_debt, b.net_debt,
    c.cash_flow_net_income, c.cash_flow_depreciation_and_amortization, c.deferred_income_tax, c.stock_based_compensation,
    c.change_in_working_capital, c.change_in_receivables, c.change_in_inventory, c.change_in_payables,
    c.change_in_other_working_capital, c.other_non_cash_items, c.net_cash_from_operating_activities,
    c.investments_in_property_plant_and_equipment, c.acquisitions_net, c.purchases_of_investments,
    c.sales_maturities_of_investments, c.other_investing_activities, c.investing_cash_flow, c.net_debt_issuance,
    c.long_term_net_debt_issuance, c.short_term_net_debt_issuance, c.net_stock_issuance, c.net_common_stock_issuance,
    c.common_stock_issuance, c.common_stock_repurchased, c.net_preferred_stock_issuance, c.dividends_paid, c.common_dividends_paid,
    c.preferred_dividends_paid, c.other_financing_activities, c.financing_cash_flow, c.effect_of_forex_changes_on_cash,
    c.net_change_in_cash, c.cash_at_end_of_period, c.cash_at_beginning_of_period, c.operating_cash_flow, c.capital_expenditures,
    c.free_cash_flow, c.income_taxes_paid, c.interest_paid
from periods as p
join companies as m on m.symbol = p.symbol
left join latest_income as i on i.symbol = p.symbol and i.fiscal_date = p.fiscal_date and i.period_type = p.period_type
left join latest_balance as b on b.symbol = p.symbol and b.fiscal_date = p.fiscal_date and b.period_type = p.period_type
left join latest_cash_flow as c on c.symbol = p.symbol and c.fiscal_date = p.fiscal_date and c.period_type = p.period_type
