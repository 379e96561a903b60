-- grain: company_key x subject_date x basis (Q1..Q4, FY, TTM, MARKET) x metric: why a metric is NULL, one row for every NULL.
-- Reasons stand beside the figures: a row a day and metric would be several times the size of the facts.
create or replace view analytics.metric_nulls as
with ttm_nulls as (
    select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_revenue' as metric, reason from analytics.fact_financials_ttm where ttm_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cost_of_revenue', reason from analytics.fact_financials_ttm where ttm_cost_of_revenue is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_gross_profit', reason from analytics.fact_financials_ttm where ttm_gross_profit is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_research_and_development', reason from analytics.fact_financials_ttm where ttm_research_and_development is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_general_and_administrative', reason from analytics.fact_financials_ttm where ttm_general_and_administrative is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_selling_and_marketing', reason from analytics.fact_financials_ttm where ttm_selling_and_marketing is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_selling_general_and_administrative', reason from analytics.fact_financials_ttm where ttm_selling_general_and_administrative is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_expenses', reason from analytics.fact_financials_ttm where ttm_other_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_expenses', reason from analytics.fact_financials_ttm where ttm_operating_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cost_and_expenses', reason from analytics.fact_financials_ttm where ttm_cost_and_expenses is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_interest_income', reason from analytics.fact_financials_ttm where ttm_net_interest_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_income', reason from analytics.fact_financials_ttm where ttm_interest_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_expense', reason from analytics.fact_financials_ttm where ttm_interest_expense is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_depreciation_and_amortization', reason from analytics.fact_financials_ttm where ttm_depreciation_and_amortization is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_ebitda', reason from analytics.fact_financials_ttm where ttm_ebitda is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_ebit', reason from analytics.fact_financials_ttm where ttm_ebit is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_non_operating_income_excluding_interest', reason from analytics.fact_financials_ttm where ttm_non_operating_income_excluding_interest is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_income', reason from analytics.fact_financials_ttm where ttm_operating_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_total_other_income_expenses_net', reason from analytics.fact_financials_ttm where ttm_total_other_income_expenses_net is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_before_tax', reason from analytics.fact_financials_ttm where ttm_income_before_tax is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_tax_expense', reason from analytics.fact_financials_ttm where ttm_income_tax_expense is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_from_continuing_operations', reason from analytics.fact_financials_ttm where ttm_net_income_from_continuing_operations is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_from_discontinued_operations', reason from analytics.fact_financials_ttm where ttm_net_income_from_discontinued_operations is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_adjustments_to_net_income', reason from analytics.fact_financials_ttm where ttm_other_adjustments_to_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income', reason from analytics.fact_financials_ttm where ttm_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_income_deductions', reason from analytics.fact_financials_ttm where ttm_net_income_deductions is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_bottom_line_net_income', reason from analytics.fact_financials_ttm where ttm_bottom_line_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cash_flow_net_income', reason from analytics.fact_financials_ttm where ttm_cash_flow_net_income is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_cash_flow_depreciation_and_amortization', reason from analytics.fact_financials_ttm where ttm_cash_flow_depreciation_and_amortization is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_deferred_income_tax', reason from analytics.fact_financials_ttm where ttm_deferred_income_tax is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_stock_based_compensation', reason from analytics.fact_financials_ttm where ttm_stock_based_compensation is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_working_capital', reason from analytics.fact_financials_ttm where ttm_change_in_working_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_receivables', reason from analytics.fact_financials_ttm where ttm_change_in_receivables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_inventory', reason from analytics.fact_financials_ttm where ttm_change_in_inventory is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_payables', reason from analytics.fact_financials_ttm where ttm_change_in_payables is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_change_in_other_working_capital', reason from analytics.fact_financials_ttm where ttm_change_in_other_working_capital is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_non_cash_items', reason from analytics.fact_financials_ttm where ttm_other_non_cash_items is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_cash_from_operating_activities', reason from analytics.fact_financials_ttm where ttm_net_cash_from_operating_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_investments_in_property_plant_and_equipment', reason from analytics.fact_financials_ttm where ttm_investments_in_property_plant_and_equipment is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_acquisitions_net', reason from analytics.fact_financials_ttm where ttm_acquisitions_net is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_purchases_of_investments', reason from analytics.fact_financials_ttm where ttm_purchases_of_investments is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_sales_maturities_of_investments', reason from analytics.fact_financials_ttm where ttm_sales_maturities_of_investments is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_investing_activities', reason from analytics.fact_financials_ttm where ttm_other_investing_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_investing_cash_flow', reason from analytics.fact_financials_ttm where ttm_investing_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_debt_issuance', reason from analytics.fact_financials_ttm where ttm_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_long_term_net_debt_issuance', reason from analytics.fact_financials_ttm where ttm_long_term_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_short_term_net_debt_issuance', reason from analytics.fact_financials_ttm where ttm_short_term_net_debt_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_stock_issuance', reason from analytics.fact_financials_ttm where ttm_net_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_common_stock_issuance', reason from analytics.fact_financials_ttm where ttm_net_common_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_stock_issuance', reason from analytics.fact_financials_ttm where ttm_common_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_stock_repurchased', reason from analytics.fact_financials_ttm where ttm_common_stock_repurchased is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_preferred_stock_issuance', reason from analytics.fact_financials_ttm where ttm_net_preferred_stock_issuance is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_dividends_paid', reason from analytics.fact_financials_ttm where ttm_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_common_dividends_paid', reason from analytics.fact_financials_ttm where ttm_common_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_preferred_dividends_paid', reason from analytics.fact_financials_ttm where ttm_preferred_dividends_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_other_financing_activities', reason from analytics.fact_financials_ttm where ttm_other_financing_activities is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_financing_cash_flow', reason from analytics.fact_financials_ttm where ttm_financing_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_effect_of_forex_changes_on_cash', reason from analytics.fact_financials_ttm where ttm_effect_of_forex_changes_on_cash is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_net_change_in_cash', reason from analytics.fact_financials_ttm where ttm_net_change_in_cash is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_operating_cash_flow', reason from analytics.fact_financials_ttm where ttm_operating_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_capital_expenditures', reason from analytics.fact_financials_ttm where ttm_capital_expenditures is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_free_cash_flow', reason from analytics.fact_financials_ttm where ttm_free_cash_flow is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_income_taxes_paid', reason from analytics.fact_financials_ttm where ttm_income_taxes_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_interest_paid', reason from analytics.fact_financials_ttm where ttm_interest_paid is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps', reason from analytics.fact_financials_ttm where ttm_eps is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps_diluted', reason from analytics.fact_financials_ttm where ttm_eps_diluted is null
    union all select company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_eps_diluted_sum', reason from analytics.fact_financials_ttm where ttm_eps_diluted_sum is null
),
market_nulls as (
    select company_key, symbol, metric_date, metric_date_key, 'shares_outstanding_used' as metric, null_reasons from analytics.fact_market_metrics where shares_outstanding_used is null
    union all select company_key, symbol, metric_date, metric_date_key, 'market_cap', null_reasons from analytics.fact_market_metrics where market_cap is null
    union all select company_key, symbol, metric_date, metric_date_key, 'enterprise_value', null_reasons from analytics.fact_market_metrics where enterprise_value is null
    union all select company_key, symbol, metric_date, metric_date_key, 'enterprise_value_fmp', null_reasons from analytics.fact_market_metrics where enterprise_value_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pe_ratio', null_reasons from analytics.fact_market_metrics where pe_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pe_ratio_ttm', null_reasons from analytics.fact_market_metrics where pe_ratio_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'pb_ratio', null_reasons from analytics.fact_market_metrics where pb_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ps_ratio', null_reasons from analytics.fact_market_metrics where ps_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ps_ratio_ttm', null_reasons from analytics.fact_market_metrics where ps_ratio_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'p_to_fcf_ttm', null_reasons from analytics.fact_market_metrics where p_to_fcf_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'p_to_ocf_ttm', null_reasons from analytics.fact_market_metrics where p_to_ocf_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'peg_ratio', null_reasons from analytics.fact_market_metrics where peg_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue', null_reasons from analytics.fact_market_metrics where ev_to_revenue is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue_ttm', null_reasons from analytics.fact_market_metrics where ev_to_revenue_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebitda', null_reasons from analytics.fact_market_metrics where ev_to_ebitda is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebit', null_reasons from analytics.fact_market_metrics where ev_to_ebit is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_fcf', null_reasons from analytics.fact_market_metrics where ev_to_fcf is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ocf', null_reasons from analytics.fact_market_metrics where ev_to_ocf is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_revenue_ttm_fmp', null_reasons from analytics.fact_market_metrics where ev_to_revenue_ttm_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ebitda_fmp', null_reasons from analytics.fact_market_metrics where ev_to_ebitda_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_fcf_fmp', null_reasons from analytics.fact_market_metrics where ev_to_fcf_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'ev_to_ocf_fmp', null_reasons from analytics.fact_market_metrics where ev_to_ocf_fmp is null
    union all select company_key, symbol, metric_date, metric_date_key, 'debt_to_market_cap', null_reasons from analytics.fact_market_metrics where debt_to_market_cap is null
    union all select company_key, symbol, metric_date, metric_date_key, 'fcf_yield', null_reasons from analytics.fact_market_metrics where fcf_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'earnings_yield', null_reasons from analytics.fact_market_metrics where earnings_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'dividend_yield', null_reasons from analytics.fact_market_metrics where dividend_yield is null
    union all select company_key, symbol, metric_date, metric_date_key, 'dividends_per_share_ttm', null_reasons from analytics.fact_market_metrics where dividends_per_share_ttm is null
    union all select company_key, symbol, metric_date, metric_date_key, 'payout_ratio', null_reasons from analytics.fact_market_metrics where payout_ratio is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_1d', null_reasons from analytics.fact_market_metrics where return_1d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_5d', null_reasons from analytics.fact_market_metrics where return_5d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_21d', null_reasons from analytics.fact_market_metrics where return_21d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_63d', null_reasons from analytics.fact_market_metrics where return_63d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_126d', null_reasons from analytics.fact_market_metrics where return_126d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'return_252d', null_reasons from analytics.fact_market_metrics where return_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'total_return_252d', null_reasons from analytics.fact_market_metrics where total_return_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'volatility_30d', null_reasons from analytics.fact_market_metrics where volatility_30d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'volatility_90d', null_reasons from analytics.fact_market_metrics where volatility_90d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'beta_252d', null_reasons from analytics.fact_market_metrics where beta_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'correlation_252d', null_reasons from analytics.fact_market_metrics where correlation_252d is null
    union all select company_key, symbol, metric_date, metric_date_key, 'high_52w', null_reasons from analytics.fact_market_metrics where high_52w is null
    union all select company_key, symbol, metric_date, metric_date_key, 'low_52w', null_reasons from analytics.fact_market_metrics where low_52w is null
    union all select company_key, symbol, metric_date, metric_date_key, 'sma_50', null_reasons from analytics.fact_market_metrics where sma_50 is null
    union all select company_key, symbol, metric_date, metric_date_key, 'sma_200', null_reasons from analytics.fact_market_metrics where sma_200 is null
    union all select company_key, symbol, metric_date, metric_date_key, 'max_drawdown_252d', null_reasons from analytics.fact_market_metrics where max_drawdown_252d is null
),
market_reasons as (
    select
        company_key, symbol, metric_date, metric_date_key, metric,
        nullif(split_part(split_part(null_reasons, '|' || metric || '=', 2), '|', 1), '') as own_reason,
        nullif(split_part(split_part(null_reasons, '|shares_outstanding_used=', 2), '|', 1), '') as shares_reason
    from market_nulls
)
select company_key, symbol, fiscal_date as subject_date, fiscal_date_key as subject_date_key, basis, metric, reason
from analytics.period_nulls
union all
select company_key, symbol, fiscal_date, fiscal_date_key, 'TTM', metric, coalesce(reason, 'missing_input')
from ttm_nulls
union all
-- what needs a market cap shares the reason of the missing share count
select company_key, symbol, metric_date, metric_date_key, 'MARKET', metric, coalesce(own_reason, shares_reason, 'missing_input')
from market_reasons
