-- grain: company_key x subject_date x basis (Q1..Q4, FY, TTM, MARKET) x metric: why a metric is NULL, one row for
-- every NULL.
-- The reasons are stored beside the figures: one row per day and metric would be several times the size of the facts.
create or replace view analytics.metric_nulls as
with ttm_nulls as (
    select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_revenue' as metric, reason
    from analytics.fact_financials_ttm where ttm_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cost_of_revenue', reason
    from analytics.fact_financials_ttm where ttm_cost_of_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_gross_profit', reason
    from analytics.fact_financials_ttm where ttm_gross_profit is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_research_and_development', reason
    from analytics.fact_financials_ttm where ttm_research_and_development is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_general_and_administrative', reason
    from analytics.fact_financials_ttm where ttm_general_and_administrative is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_selling_and_marketing', reason
    from analytics.fact_financials_ttm where ttm_selling_and_marketing is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_selling_general_and_administrative', reason
    from analytics.fact_financials_ttm where ttm_selling_general_and_administrative is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_expenses', reason
    from analytics.fact_financials_ttm where ttm_other_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_expenses', reason
    from analytics.fact_financials_ttm where ttm_operating_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cost_and_expenses', reason
    from analytics.fact_financials_ttm where ttm_cost_and_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_interest_income', reason
    from analytics.fact_financials_ttm where ttm_net_interest_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_income', reason
    from analytics.fact_financials_ttm where ttm_interest_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_expense', reason
    from analytics.fact_financials_ttm where ttm_interest_expense is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_depreciation_and_amortization', reason
    from analytics.fact_financials_ttm where ttm_depreciation_and_amortization is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_ebitda', reason
    from analytics.fact_financials_ttm where ttm_ebitda is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_ebit', reason
    from analytics.fact_financials_ttm where ttm_ebit is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_non_operating_income_excluding_interest',
        reason
    from analytics.fact_financials_ttm where ttm_non_operating_income_excluding_interest is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_income', reason
    from analytics.fact_financials_ttm where ttm_operating_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_total_other_income_expenses_net', reason
    from analytics.fact_financials_ttm where ttm_total_other_income_expenses_net is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_before_tax', reason
    from analytics.fact_financials_ttm where ttm_income_before_tax is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_tax_expense', reason
    from analytics.fact_financials_ttm where ttm_income_tax_expense is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_from_continuing_operations',
        reason
    from analytics.fact_financials_ttm where ttm_net_income_from_continuing_operations is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_from_discontinued_operations',
        reason
    from analytics.fact_financials_ttm where ttm_net_income_from_discontinued_operations is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_adjustments_to_net_income', reason
    from analytics.fact_financials_ttm where ttm_other_adjustments_to_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income', reason
    from analytics.fact_financials_ttm where ttm_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_deductions', reason
    from analytics.fact_financials_ttm where ttm_net_income_deductions is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_bottom_line_net_income', reason
    from analytics.fact_financials_ttm where ttm_bottom_line_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cash_flow_net_income', reason
    from analytics.fact_financials_ttm where ttm_cash_flow_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cash_flow_depreciation_and_amortization',
        reason
    from analytics.fact_financials_ttm where ttm_cash_flow_depreciation_and_amortization is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_deferred_income_tax', reason
    from analytics.fact_financials_ttm where ttm_deferred_income_tax is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_stock_based_compensation', reason
    from analytics.fact_financials_ttm where ttm_stock_based_compensation is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_working_capital', reason
    from analytics.fact_financials_ttm where ttm_change_in_working_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_receivables', reason
    from analytics.fact_financials_ttm where ttm_change_in_receivables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_inventory', reason
    from analytics.fact_financials_ttm where ttm_change_in_inventory is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_payables', reason
    from analytics.fact_financials_ttm where ttm_change_in_payables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_other_working_capital', reason
    from analytics.fact_financials_ttm where ttm_change_in_other_working_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_non_cash_items', reason
    from analytics.fact_financials_ttm where ttm_other_non_cash_items is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_cash_from_operating_activities', reason
    from analytics.fact_financials_ttm where ttm_net_cash_from_operating_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key,
        'ttm_investments_in_property_plant_and_equipment', reason
    from analytics.fact_financials_ttm where ttm_investments_in_property_plant_and_equipment is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_acquisitions_net', reason
    from analytics.fact_financials_ttm where ttm_acquisitions_net is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_purchases_of_investments', reason
    from analytics.fact_financials_ttm where ttm_purchases_of_investments is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_sales_maturities_of_investments', reason
    from analytics.fact_financials_ttm where ttm_sales_maturities_of_investments is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_investing_activities', reason
    from analytics.fact_financials_ttm where ttm_other_investing_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_investing_cash_flow', reason
    from analytics.fact_financials_ttm where ttm_investing_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_debt_issuance', reason
    from analytics.fact_financials_ttm where ttm_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_long_term_net_debt_issuance', reason
    from analytics.fact_financials_ttm where ttm_long_term_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_short_term_net_debt_issuance', reason
    from analytics.fact_financials_ttm where ttm_short_term_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_stock_issuance', reason
    from analytics.fact_financials_ttm where ttm_net_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_common_stock_issuance', reason
    from analytics.fact_financials_ttm where ttm_net_common_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_stock_issuance', reason
    from analytics.fact_financials_ttm where ttm_common_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_stock_repurchased', reason
    from analytics.fact_financials_ttm where ttm_common_stock_repurchased is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_preferred_stock_issuance', reason
    from analytics.fact_financials_ttm where ttm_net_preferred_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_dividends_paid', reason
    from analytics.fact_financials_ttm where ttm_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_dividends_paid', reason
    from analytics.fact_financials_ttm where ttm_common_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_preferred_dividends_paid', reason
    from analytics.fact_financials_ttm where ttm_preferred_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_financing_activities', reason
    from analytics.fact_financials_ttm where ttm_other_financing_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_financing_cash_flow', reason
    from analytics.fact_financials_ttm where ttm_financing_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_effect_of_forex_changes_on_cash', reason
    from analytics.fact_financials_ttm where ttm_effect_of_forex_changes_on_cash is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_change_in_cash', reason
    from analytics.fact_financials_ttm where ttm_net_change_in_cash is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_cash_flow', reason
    from analytics.fact_financials_ttm where ttm_operating_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_capital_expenditures', reason
    from analytics.fact_financials_ttm where ttm_capital_expenditures is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_free_cash_flow', reason
    from analytics.fact_financials_ttm where ttm_free_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_taxes_paid', reason
    from analytics.fact_financials_ttm where ttm_income_taxes_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_paid', reason
    from analytics.fact_financials_ttm where ttm_interest_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps', reason
    from analytics.fact_financials_ttm where ttm_eps is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps_diluted', reason
    from analytics.fact_financials_ttm where ttm_eps_diluted is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps_diluted_sum', reason
    from analytics.fact_financials_ttm where ttm_eps_diluted_sum is null
),
period_nulls as (
    select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'gross_margin' as metric, null_reasons
    from analytics.fact_financial_ratios where gross_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ebit_margin', null_reasons
    from analytics.fact_financial_ratios where ebit_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_margin', null_reasons
    from analytics.fact_financial_ratios where operating_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'pretax_margin', null_reasons
    from analytics.fact_financial_ratios where pretax_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'continuous_operations_margin',
        null_reasons
    from analytics.fact_financial_ratios where continuous_operations_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_margin', null_reasons
    from analytics.fact_financial_ratios where net_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'bottom_line_margin', null_reasons
    from analytics.fact_financial_ratios where bottom_line_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'fcf_margin', null_reasons
    from analytics.fact_financial_ratios where fcf_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ocf_to_sales', null_reasons
    from analytics.fact_financial_ratios where ocf_to_sales is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'capex_to_revenue', null_reasons
    from analytics.fact_financial_ratios where capex_to_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'research_and_development_to_revenue',
        null_reasons
    from analytics.fact_financial_ratios where research_and_development_to_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis,
        'selling_general_and_administrative_to_revenue', null_reasons
    from analytics.fact_financial_ratios where selling_general_and_administrative_to_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'stock_based_compensation_to_revenue',
        null_reasons
    from analytics.fact_financial_ratios where stock_based_compensation_to_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roe', null_reasons
    from analytics.fact_financial_ratios where roe is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roa', null_reasons
    from analytics.fact_financial_ratios where roa is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'return_on_tangible_assets', null_reasons
    from analytics.fact_financial_ratios where return_on_tangible_assets is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roic', null_reasons
    from analytics.fact_financial_ratios where roic is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roce', null_reasons
    from analytics.fact_financial_ratios where roce is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_return_on_assets',
        null_reasons
    from analytics.fact_financial_ratios where operating_return_on_assets is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roe_average', null_reasons
    from analytics.fact_financial_ratios where roe_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roa_average', null_reasons
    from analytics.fact_financial_ratios where roa_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'roic_average', null_reasons
    from analytics.fact_financial_ratios where roic_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'asset_turnover', null_reasons
    from analytics.fact_financial_ratios where asset_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'fixed_asset_turnover', null_reasons
    from analytics.fact_financial_ratios where fixed_asset_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'receivables_turnover', null_reasons
    from analytics.fact_financial_ratios where receivables_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'inventory_turnover', null_reasons
    from analytics.fact_financial_ratios where inventory_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'payables_turnover', null_reasons
    from analytics.fact_financial_ratios where payables_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'working_capital_turnover', null_reasons
    from analytics.fact_financial_ratios where working_capital_turnover is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'asset_turnover_average', null_reasons
    from analytics.fact_financial_ratios where asset_turnover_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'fixed_asset_turnover_average',
        null_reasons
    from analytics.fact_financial_ratios where fixed_asset_turnover_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'receivables_turnover_average',
        null_reasons
    from analytics.fact_financial_ratios where receivables_turnover_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'inventory_turnover_average',
        null_reasons
    from analytics.fact_financial_ratios where inventory_turnover_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'payables_turnover_average', null_reasons
    from analytics.fact_financial_ratios where payables_turnover_average is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'days_sales_outstanding', null_reasons
    from analytics.fact_financial_ratios where days_sales_outstanding is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'days_inventory', null_reasons
    from analytics.fact_financial_ratios where days_inventory is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'days_payables', null_reasons
    from analytics.fact_financial_ratios where days_payables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_cycle', null_reasons
    from analytics.fact_financial_ratios where operating_cycle is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'cash_conversion_cycle', null_reasons
    from analytics.fact_financial_ratios where cash_conversion_cycle is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'average_receivables', null_reasons
    from analytics.fact_financial_ratios where average_receivables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'average_payables', null_reasons
    from analytics.fact_financial_ratios where average_payables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'average_inventory', null_reasons
    from analytics.fact_financial_ratios where average_inventory is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'current_ratio', null_reasons
    from analytics.fact_financial_ratios where current_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'quick_ratio', null_reasons
    from analytics.fact_financial_ratios where quick_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'cash_ratio', null_reasons
    from analytics.fact_financial_ratios where cash_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_cash_flow_ratio', null_reasons
    from analytics.fact_financial_ratios where operating_cash_flow_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'working_capital', null_reasons
    from analytics.fact_financial_ratios where working_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_current_asset_value', null_reasons
    from analytics.fact_financial_ratios where net_current_asset_value is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'graham_net_net', null_reasons
    from analytics.fact_financial_ratios where graham_net_net is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'debt_to_equity', null_reasons
    from analytics.fact_financial_ratios where debt_to_equity is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'debt_to_assets', null_reasons
    from analytics.fact_financial_ratios where debt_to_assets is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'debt_to_capital', null_reasons
    from analytics.fact_financial_ratios where debt_to_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'long_term_debt_to_capital', null_reasons
    from analytics.fact_financial_ratios where long_term_debt_to_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'liabilities_to_assets', null_reasons
    from analytics.fact_financial_ratios where liabilities_to_assets is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'financial_leverage', null_reasons
    from analytics.fact_financial_ratios where financial_leverage is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'solvency_ratio', null_reasons
    from analytics.fact_financial_ratios where solvency_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'invested_capital', null_reasons
    from analytics.fact_financial_ratios where invested_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'tangible_asset_value', null_reasons
    from analytics.fact_financial_ratios where tangible_asset_value is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'intangibles_to_assets', null_reasons
    from analytics.fact_financial_ratios where intangibles_to_assets is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'interest_coverage', null_reasons
    from analytics.fact_financial_ratios where interest_coverage is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ocf_to_short_term_debt', null_reasons
    from analytics.fact_financial_ratios where ocf_to_short_term_debt is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ocf_to_total_debt', null_reasons
    from analytics.fact_financial_ratios where ocf_to_total_debt is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'capex_coverage', null_reasons
    from analytics.fact_financial_ratios where capex_coverage is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'dividend_and_capex_coverage',
        null_reasons
    from analytics.fact_financial_ratios where dividend_and_capex_coverage is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ebitda_margin', null_reasons
    from analytics.fact_financial_ratios where ebitda_margin is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_debt_to_ebitda', null_reasons
    from analytics.fact_financial_ratios where net_debt_to_ebitda is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'debt_service_coverage', null_reasons
    from analytics.fact_financial_ratios where debt_service_coverage is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'fcf_to_ocf', null_reasons
    from analytics.fact_financial_ratios where fcf_to_ocf is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'capex_to_ocf', null_reasons
    from analytics.fact_financial_ratios where capex_to_ocf is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'capex_to_depreciation', null_reasons
    from analytics.fact_financial_ratios where capex_to_depreciation is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'income_quality', null_reasons
    from analytics.fact_financial_ratios where income_quality is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'payout_ratio', null_reasons
    from analytics.fact_financial_ratios where payout_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'total_payout_ratio', null_reasons
    from analytics.fact_financial_ratios where total_payout_ratio is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_to_equity', null_reasons
    from analytics.fact_financial_ratios where free_cash_flow_to_equity is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_to_firm', null_reasons
    from analytics.fact_financial_ratios where free_cash_flow_to_firm is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'effective_tax_rate', null_reasons
    from analytics.fact_financial_ratios where effective_tax_rate is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'tax_burden', null_reasons
    from analytics.fact_financial_ratios where tax_burden is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'interest_burden', null_reasons
    from analytics.fact_financial_ratios where interest_burden is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ebt_to_operating_income', null_reasons
    from analytics.fact_financial_ratios where ebt_to_operating_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'revenue_per_share', null_reasons
    from analytics.fact_financial_ratios where revenue_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_income_per_share', null_reasons
    from analytics.fact_financial_ratios where net_income_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'ocf_per_share', null_reasons
    from analytics.fact_financial_ratios where ocf_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'fcf_per_share', null_reasons
    from analytics.fact_financial_ratios where fcf_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'capex_per_share', null_reasons
    from analytics.fact_financial_ratios where capex_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'dividends_per_share', null_reasons
    from analytics.fact_financial_ratios where dividends_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'cash_per_share', null_reasons
    from analytics.fact_financial_ratios where cash_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'book_value_per_share', null_reasons
    from analytics.fact_financial_ratios where book_value_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'tangible_book_value_per_share',
        null_reasons
    from analytics.fact_financial_ratios where tangible_book_value_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'interest_debt_per_share', null_reasons
    from analytics.fact_financial_ratios where interest_debt_per_share is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'graham_number', null_reasons
    from analytics.fact_financial_ratios where graham_number is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'revenue_yoy', null_reasons
    from analytics.fact_growth_rates where revenue_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'revenue_qoq', null_reasons
    from analytics.fact_growth_rates where revenue_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'revenue_cagr_3y', null_reasons
    from analytics.fact_growth_rates where revenue_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'revenue_cagr_5y', null_reasons
    from analytics.fact_growth_rates where revenue_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_income_yoy', null_reasons
    from analytics.fact_growth_rates where net_income_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_income_qoq', null_reasons
    from analytics.fact_growth_rates where net_income_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_income_cagr_3y', null_reasons
    from analytics.fact_growth_rates where net_income_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'net_income_cagr_5y', null_reasons
    from analytics.fact_growth_rates where net_income_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'eps_diluted_yoy', null_reasons
    from analytics.fact_growth_rates where eps_diluted_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'eps_diluted_qoq', null_reasons
    from analytics.fact_growth_rates where eps_diluted_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'eps_diluted_cagr_3y', null_reasons
    from analytics.fact_growth_rates where eps_diluted_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'eps_diluted_cagr_5y', null_reasons
    from analytics.fact_growth_rates where eps_diluted_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_income_yoy', null_reasons
    from analytics.fact_growth_rates where operating_income_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_income_qoq', null_reasons
    from analytics.fact_growth_rates where operating_income_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_income_cagr_3y', null_reasons
    from analytics.fact_growth_rates where operating_income_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'operating_income_cagr_5y', null_reasons
    from analytics.fact_growth_rates where operating_income_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_yoy', null_reasons
    from analytics.fact_growth_rates where free_cash_flow_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_qoq', null_reasons
    from analytics.fact_growth_rates where free_cash_flow_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_cagr_3y', null_reasons
    from analytics.fact_growth_rates where free_cash_flow_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'free_cash_flow_cagr_5y', null_reasons
    from analytics.fact_growth_rates where free_cash_flow_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'total_assets_yoy', null_reasons
    from analytics.fact_growth_rates where total_assets_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'total_assets_qoq', null_reasons
    from analytics.fact_growth_rates where total_assets_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'total_assets_cagr_3y', null_reasons
    from analytics.fact_growth_rates where total_assets_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'total_assets_cagr_5y', null_reasons
    from analytics.fact_growth_rates where total_assets_cagr_5y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'stockholders_equity_yoy', null_reasons
    from analytics.fact_growth_rates where stockholders_equity_yoy is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'stockholders_equity_qoq', null_reasons
    from analytics.fact_growth_rates where stockholders_equity_qoq is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'stockholders_equity_cagr_3y',
        null_reasons
    from analytics.fact_growth_rates where stockholders_equity_cagr_3y is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, 'stockholders_equity_cagr_5y',
        null_reasons
    from analytics.fact_growth_rates where stockholders_equity_cagr_5y is null
),
market_nulls as (
    select company_key, symbol, metric_date, metric_date_key, 'shares_outstanding_used' as metric, null_reasons
    from analytics.fact_market_metrics where shares_outstanding_used is null
    union all select company_key, symbol, metric_date, metric_date_key, 'market_cap', null_reasons
    from analytics.fact_market_metrics where market_cap is null
    union all select company_key, symbol, metric_date, metric_date_key, 'enterprise_value', null_reasons
    from analytics.fact_market_metrics where enterprise_value is null
    union all select company_key, symbol, metric_date, metric_date_key, 'enterprise_value_fmp', null_reasons
    from analytics.fact_market_metrics where enterprise_value_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pe_ratio', null_reasons
    from analytics.fact_market_metrics where pe_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pe_ratio_ttm', null_reasons
    from analytics.fact_market_metrics where pe_ratio_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pb_ratio', null_reasons
    from analytics.fact_market_metrics where pb_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ps_ratio', null_reasons
    from analytics.fact_market_metrics where ps_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ps_ratio_ttm', null_reasons
    from analytics.fact_market_metrics where ps_ratio_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'p_to_fcf_ttm', null_reasons
    from analytics.fact_market_metrics where p_to_fcf_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'p_to_ocf_ttm', null_reasons
    from analytics.fact_market_metrics where p_to_ocf_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'peg_ratio', null_reasons
    from analytics.fact_market_metrics where peg_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue', null_reasons
    from analytics.fact_market_metrics where ev_to_revenue is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue_ttm', null_reasons
    from analytics.fact_market_metrics where ev_to_revenue_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebitda', null_reasons
    from analytics.fact_market_metrics where ev_to_ebitda is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebit', null_reasons
    from analytics.fact_market_metrics where ev_to_ebit is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_fcf', null_reasons
    from analytics.fact_market_metrics where ev_to_fcf is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ocf', null_reasons
    from analytics.fact_market_metrics where ev_to_ocf is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue_ttm_fmp', null_reasons
    from analytics.fact_market_metrics where ev_to_revenue_ttm_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebitda_fmp', null_reasons
    from analytics.fact_market_metrics where ev_to_ebitda_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_fcf_fmp', null_reasons
    from analytics.fact_market_metrics where ev_to_fcf_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ocf_fmp', null_reasons
    from analytics.fact_market_metrics where ev_to_ocf_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'debt_to_market_cap', null_reasons
    from analytics.fact_market_metrics where debt_to_market_cap is null
    union all select company_key, symbol, metric_date, metric_date_key, 'fcf_yield', null_reasons
    from analytics.fact_market_metrics where fcf_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'earnings_yield', null_reasons
    from analytics.fact_market_metrics where earnings_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'dividend_yield', null_reasons
    from analytics.fact_market_metrics where dividend_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'dividends_per_share_ttm', null_reasons
    from analytics.fact_market_metrics where dividends_per_share_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'payout_ratio', null_reasons
    from analytics.fact_market_metrics where payout_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_1d', null_reasons
    from analytics.fact_market_metrics where return_1d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_5d', null_reasons
    from analytics.fact_market_metrics where return_5d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_21d', null_reasons
    from analytics.fact_market_metrics where return_21d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_63d', null_reasons
    from analytics.fact_market_metrics where return_63d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_126d', null_reasons
    from analytics.fact_market_metrics where return_126d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_252d', null_reasons
    from analytics.fact_market_metrics where return_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'total_return_252d', null_reasons
    from analytics.fact_market_metrics where total_return_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'volatility_30d', null_reasons
    from analytics.fact_market_metrics where volatility_30d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'volatility_90d', null_reasons
    from analytics.fact_market_metrics where volatility_90d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'beta_252d', null_reasons
    from analytics.fact_market_metrics where beta_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'correlation_252d', null_reasons
    from analytics.fact_market_metrics where correlation_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'high_52w', null_reasons
    from analytics.fact_market_metrics where high_52w is null
    union all select company_key, symbol, metric_date, metric_date_key, 'low_52w', null_reasons
    from analytics.fact_market_metrics where low_52w is null
    union all select company_key, symbol, metric_date, metric_date_key, 'sma_50', null_reasons
    from analytics.fact_market_metrics where sma_50 is null
    union all select company_key, symbol, metric_date, metric_date_key, 'sma_200', null_reasons
    from analytics.fact_market_metrics where sma_200 is null
    union all select company_key, symbol, metric_date, metric_date_key, 'max_drawdown_252d', null_reasons
    from analytics.fact_market_metrics where max_drawdown_252d is null
),
market_reasons as (
    select
        company_key, symbol, metric_date, metric_date_key, metric,
        nullif(split_part(split_part(null_reasons, '|' || metric || '=', 2), '|', 1), '') as own_reason,
        nullif(split_part(split_part(null_reasons, '|shares_outstanding_used=', 2), '|', 1), '') as shares_reason
    from market_nulls
)
select
    company_key, symbol, fiscal_date as subject_date, fiscal_date_key as subject_date_key, basis, metric,
    coalesce(
        nullif(split_part(split_part(null_reasons, '|' || metric || '=', 2), '|', 1), ''), 'missing_input'
    ) as reason
from period_nulls
union all
select company_key, symbol, fiscal_date, fiscal_date_key, 'TTM', metric, coalesce(reason, 'missing_input')
from ttm_nulls
union all
-- metrics that need a market cap have the reason of the missing share count
select
    company_key, symbol, metric_date, metric_date_key, 'MARKET', metric,
    coalesce(own_reason, shares_reason, 'missing_input')
from market_reasons
