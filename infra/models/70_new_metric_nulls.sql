-- grain: company x subject_date x basis x metric. Why a metric is NULL: one row for every NULL of ratios, growth, TTM figures and market metrics.
create or replace temporary table new_metric_nulls as
with ttm_nulls as (
    select symbol, fiscal_date, 'ttm_revenue' as metric from new_fact_financials_ttm where ttm_revenue is null
    union all select symbol, fiscal_date, 'ttm_cost_of_revenue' from new_fact_financials_ttm where ttm_cost_of_revenue is null
    union all select symbol, fiscal_date, 'ttm_gross_profit' from new_fact_financials_ttm where ttm_gross_profit is null
    union all select symbol, fiscal_date, 'ttm_research_and_development' from new_fact_financials_ttm where ttm_research_and_development is null
    union all select symbol, fiscal_date, 'ttm_general_and_administrative' from new_fact_financials_ttm where ttm_general_and_administrative is null
    union all select symbol, fiscal_date, 'ttm_selling_and_marketing' from new_fact_financials_ttm where ttm_selling_and_marketing is null
    union all select symbol, fiscal_date, 'ttm_selling_general_and_administrative' from new_fact_financials_ttm where ttm_selling_general_and_administrative is null
    union all select symbol, fiscal_date, 'ttm_other_expenses' from new_fact_financials_ttm where ttm_other_expenses is null
    union all select symbol, fiscal_date, 'ttm_operating_expenses' from new_fact_financials_ttm where ttm_operating_expenses is null
    union all select symbol, fiscal_date, 'ttm_cost_and_expenses' from new_fact_financials_ttm where ttm_cost_and_expenses is null
    union all select symbol, fiscal_date, 'ttm_net_interest_income' from new_fact_financials_ttm where ttm_net_interest_income is null
    union all select symbol, fiscal_date, 'ttm_interest_income' from new_fact_financials_ttm where ttm_interest_income is null
    union all select symbol, fiscal_date, 'ttm_interest_expense' from new_fact_financials_ttm where ttm_interest_expense is null
    union all select symbol, fiscal_date, 'ttm_depreciation_and_amortization' from new_fact_financials_ttm where ttm_depreciation_and_amortization is null
    union all select symbol, fiscal_date, 'ttm_ebitda' from new_fact_financials_ttm where ttm_ebitda is null
    union all select symbol, fiscal_date, 'ttm_ebit' from new_fact_financials_ttm where ttm_ebit is null
    union all select symbol, fiscal_date, 'ttm_non_operating_income_excluding_interest' from new_fact_financials_ttm where ttm_non_operating_income_excluding_interest is null
    union all select symbol, fiscal_date, 'ttm_operating_income' from new_fact_financials_ttm where ttm_operating_income is null
    union all select symbol, fiscal_date, 'ttm_total_other_income_expenses_net' from new_fact_financials_ttm where ttm_total_other_income_expenses_net is null
    union all select symbol, fiscal_date, 'ttm_income_before_tax' from new_fact_financials_ttm where ttm_income_before_tax is null
    union all select symbol, fiscal_date, 'ttm_income_tax_expense' from new_fact_financials_ttm where ttm_income_tax_expense is null
    union all select symbol, fiscal_date, 'ttm_net_income_from_continuing_operations' from new_fact_financials_ttm where ttm_net_income_from_continuing_operations is null
    union all select symbol, fiscal_date, 'ttm_net_income_from_discontinued_operations' from new_fact_financials_ttm where ttm_net_income_from_discontinued_operations is null
    union all select symbol, fiscal_date, 'ttm_other_adjustments_to_net_income' from new_fact_financials_ttm where ttm_other_adjustments_to_net_income is null
    union all select symbol, fiscal_date, 'ttm_net_income' from new_fact_financials_ttm where ttm_net_income is null
    union all select symbol, fiscal_date, 'ttm_net_income_deductions' from new_fact_financials_ttm where ttm_net_income_deductions is null
    union all select symbol, fiscal_date, 'ttm_bottom_line_net_income' from new_fact_financials_ttm where ttm_bottom_line_net_income is null
    union all select symbol, fiscal_date, 'ttm_cash_flow_net_income' from new_fact_financials_ttm where ttm_cash_flow_net_income is null
    union all select symbol, fiscal_date, 'ttm_cash_flow_depreciation_and_amortization' from new_fact_financials_ttm where ttm_cash_flow_depreciation_and_amortization is null
    union all select symbol, fiscal_date, 'ttm_deferred_income_tax' from new_fact_financials_ttm where ttm_deferred_income_tax is null
    union all select symbol, fiscal_date, 'ttm_stock_based_compensation' from new_fact_financials_ttm where ttm_stock_based_compensation is null
    union all select symbol, fiscal_date, 'ttm_change_in_working_capital' from new_fact_financials_ttm where ttm_change_in_working_capital is null
    union all select symbol, fiscal_date, 'ttm_change_in_receivables' from new_fact_financials_ttm where ttm_change_in_receivables is null
    union all select symbol, fiscal_date, 'ttm_change_in_inventory' from new_fact_financials_ttm where ttm_change_in_inventory is null
    union all select symbol, fiscal_date, 'ttm_change_in_payables' from new_fact_financials_ttm where ttm_change_in_payables is null
    union all select symbol, fiscal_date, 'ttm_change_in_other_working_capital' from new_fact_financials_ttm where ttm_change_in_other_working_capital is null
    union all select symbol, fiscal_date, 'ttm_other_non_cash_items' from new_fact_financials_ttm where ttm_other_non_cash_items is null
    union all select symbol, fiscal_date, 'ttm_net_cash_from_operating_activities' from new_fact_financials_ttm where ttm_net_cash_from_operating_activities is null
    union all select symbol, fiscal_date, 'ttm_investments_in_property_plant_and_equipment' from new_fact_financials_ttm where ttm_investments_in_property_plant_and_equipment is null
    union all select symbol, fiscal_date, 'ttm_acquisitions_net' from new_fact_financials_ttm where ttm_acquisitions_net is null
    union all select symbol, fiscal_date, 'ttm_purchases_of_investments' from new_fact_financials_ttm where ttm_purchases_of_investments is null
    union all select symbol, fiscal_date, 'ttm_sales_maturities_of_investments' from new_fact_financials_ttm where ttm_sales_maturities_of_investments is null
    union all select symbol, fiscal_date, 'ttm_other_investing_activities' from new_fact_financials_ttm where ttm_other_investing_activities is null
    union all select symbol, fiscal_date, 'ttm_investing_cash_flow' from new_fact_financials_ttm where ttm_investing_cash_flow is null
    union all select symbol, fiscal_date, 'ttm_net_debt_issuance' from new_fact_financials_ttm where ttm_net_debt_issuance is null
    union all select symbol, fiscal_date, 'ttm_long_term_net_debt_issuance' from new_fact_financials_ttm where ttm_long_term_net_debt_issuance is null
    union all select symbol, fiscal_date, 'ttm_short_term_net_debt_issuance' from new_fact_financials_ttm where ttm_short_term_net_debt_issuance is null
    union all select symbol, fiscal_date, 'ttm_net_stock_issuance' from new_fact_financials_ttm where ttm_net_stock_issuance is null
    union all select symbol, fiscal_date, 'ttm_net_common_stock_issuance' from new_fact_financials_ttm where ttm_net_common_stock_issuance is null
    union all select symbol, fiscal_date, 'ttm_common_stock_issuance' from new_fact_financials_ttm where ttm_common_stock_issuance is null
    union all select symbol, fiscal_date, 'ttm_common_stock_repurchased' from new_fact_financials_ttm where ttm_common_stock_repurchased is null
    union all select symbol, fiscal_date, 'ttm_net_preferred_stock_issuance' from new_fact_financials_ttm where ttm_net_preferred_stock_issuance is null
    union all select symbol, fiscal_date, 'ttm_dividends_paid' from new_fact_financials_ttm where ttm_dividends_paid is null
    union all select symbol, fiscal_date, 'ttm_common_dividends_paid' from new_fact_financials_ttm where ttm_common_dividends_paid is null
    union all select symbol, fiscal_date, 'ttm_preferred_dividends_paid' from new_fact_financials_ttm where ttm_preferred_dividends_paid is null
    union all select symbol, fiscal_date, 'ttm_other_financing_activities' from new_fact_financials_ttm where ttm_other_financing_activities is null
    union all select symbol, fiscal_date, 'ttm_financing_cash_flow' from new_fact_financials_ttm where ttm_financing_cash_flow is null
    union all select symbol, fiscal_date, 'ttm_effect_of_forex_changes_on_cash' from new_fact_financials_ttm where ttm_effect_of_forex_changes_on_cash is null
    union all select symbol, fiscal_date, 'ttm_net_change_in_cash' from new_fact_financials_ttm where ttm_net_change_in_cash is null
    union all select symbol, fiscal_date, 'ttm_operating_cash_flow' from new_fact_financials_ttm where ttm_operating_cash_flow is null
    union all select symbol, fiscal_date, 'ttm_capital_expenditures' from new_fact_financials_ttm where ttm_capital_expenditures is null
    union all select symbol, fiscal_date, 'ttm_free_cash_flow' from new_fact_financials_ttm where ttm_free_cash_flow is null
    union all select symbol, fiscal_date, 'ttm_income_taxes_paid' from new_fact_financials_ttm where ttm_income_taxes_paid is null
    union all select symbol, fiscal_date, 'ttm_interest_paid' from new_fact_financials_ttm where ttm_interest_paid is null
    union all select symbol, fiscal_date, 'ttm_eps' from new_fact_financials_ttm where ttm_eps is null
    union all select symbol, fiscal_date, 'ttm_eps_diluted' from new_fact_financials_ttm where ttm_eps_diluted is null
    union all select symbol, fiscal_date, 'ttm_eps_diluted_sum' from new_fact_financials_ttm where ttm_eps_diluted_sum is null
),
period_nulls as (
    select period_id, metric, reason from ratio_values where reason is not null
    union all
    select period_id, metric, reason from growth_values where reason is not null
),
-- sessions_needed: a figure of prices alone, which needs that many sessions
market_nulls as (
    select symbol, metric_date, 'shares_outstanding_used' as metric, null::bigint as sessions_needed from new_fact_market_metrics where shares_outstanding_used is null
    union all select symbol, metric_date, 'market_cap', null::bigint from new_fact_market_metrics where market_cap is null
    union all select symbol, metric_date, 'enterprise_value', null::bigint from new_fact_market_metrics where enterprise_value is null
    union all select symbol, metric_date, 'enterprise_value_fmp', null::bigint from new_fact_market_metrics where enterprise_value_fmp is null
    union all select symbol, metric_date, 'pe_ratio', null::bigint from new_fact_market_metrics where pe_ratio is null
    union all select symbol, metric_date, 'pe_ratio_ttm', null::bigint from new_fact_market_metrics where pe_ratio_ttm is null
    union all select symbol, metric_date, 'pb_ratio', null::bigint from new_fact_market_metrics where pb_ratio is null
    union all select symbol, metric_date, 'ps_ratio', null::bigint from new_fact_market_metrics where ps_ratio is null
    union all select symbol, metric_date, 'ps_ratio_ttm', null::bigint from new_fact_market_metrics where ps_ratio_ttm is null
    union all select symbol, metric_date, 'p_to_fcf_ttm', null::bigint from new_fact_market_metrics where p_to_fcf_ttm is null
    union all select symbol, metric_date, 'p_to_ocf_ttm', null::bigint from new_fact_market_metrics where p_to_ocf_ttm is null
    union all select symbol, metric_date, 'peg_ratio', null::bigint from new_fact_market_metrics where peg_ratio is null
    union all select symbol, metric_date, 'ev_to_revenue', null::bigint from new_fact_market_metrics where ev_to_revenue is null
    union all select symbol, metric_date, 'ev_to_revenue_ttm', null::bigint from new_fact_market_metrics where ev_to_revenue_ttm is null
    union all select symbol, metric_date, 'ev_to_ebitda', null::bigint from new_fact_market_metrics where ev_to_ebitda is null
    union all select symbol, metric_date, 'ev_to_ebit', null::bigint from new_fact_market_metrics where ev_to_ebit is null
    union all select symbol, metric_date, 'ev_to_fcf', null::bigint from new_fact_market_metrics where ev_to_fcf is null
    union all select symbol, metric_date, 'ev_to_ocf', null::bigint from new_fact_market_metrics where ev_to_ocf is null
    union all select symbol, metric_date, 'ev_to_revenue_ttm_fmp', null::bigint from new_fact_market_metrics where ev_to_revenue_ttm_fmp is null
    union all select symbol, metric_date, 'ev_to_ebitda_fmp', null::bigint from new_fact_market_metrics where ev_to_ebitda_fmp is null
    union all select symbol, metric_date, 'ev_to_fcf_fmp', null::bigint from new_fact_market_metrics where ev_to_fcf_fmp is null
    union all select symbol, metric_date, 'ev_to_ocf_fmp', null::bigint from new_fact_market_metrics where ev_to_ocf_fmp is null
    union all select symbol, metric_date, 'debt_to_market_cap', null::bigint from new_fact_market_metrics where debt_to_market_cap is null
    union all select symbol, metric_date, 'fcf_yield', null::bigint from new_fact_market_metrics where fcf_yield is null
    union all select symbol, metric_date, 'earnings_yield', null::bigint from new_fact_market_metrics where earnings_yield is null
    union all select symbol, metric_date, 'dividend_yield', null::bigint from new_fact_market_metrics where dividend_yield is null
    union all select symbol, metric_date, 'dividends_per_share_ttm', null::bigint from new_fact_market_metrics where dividends_per_share_ttm is null
    union all select symbol, metric_date, 'payout_ratio', null::bigint from new_fact_market_metrics where payout_ratio is null
    union all select symbol, metric_date, 'return_1d', 2 from new_fact_market_metrics where return_1d is null
    union all select symbol, metric_date, 'return_5d', 6 from new_fact_market_metrics where return_5d is null
    union all select symbol, metric_date, 'return_21d', 22 from new_fact_market_metrics where return_21d is null
    union all select symbol, metric_date, 'return_63d', 64 from new_fact_market_metrics where return_63d is null
    union all select symbol, metric_date, 'return_126d', 127 from new_fact_market_metrics where return_126d is null
    union all select symbol, metric_date, 'return_252d', 253 from new_fact_market_metrics where return_252d is null
    union all select symbol, metric_date, 'total_return_252d', 253 from new_fact_market_metrics where total_return_252d is null
    union all select symbol, metric_date, 'volatility_30d', 31 from new_fact_market_metrics where volatility_30d is null
    union all select symbol, metric_date, 'volatility_90d', 91 from new_fact_market_metrics where volatility_90d is null
    union all select symbol, metric_date, 'beta_252d', 253 from new_fact_market_metrics where beta_252d is null
    union all select symbol, metric_date, 'correlation_252d', 253 from new_fact_market_metrics where correlation_252d is null
    union all select symbol, metric_date, 'high_52w', 252 from new_fact_market_metrics where high_52w is null
    union all select symbol, metric_date, 'low_52w', 252 from new_fact_market_metrics where low_52w is null
    union all select symbol, metric_date, 'sma_50', 50 from new_fact_market_metrics where sma_50 is null
    union all select symbol, metric_date, 'sma_200', 200 from new_fact_market_metrics where sma_200 is null
    union all select symbol, metric_date, 'max_drawdown_252d', 252 from new_fact_market_metrics where max_drawdown_252d is null
),
market_reasons as (
    select
        m.symbol, m.metric_date, m.metric,
        case
            when d.session_no < m.sessions_needed then 'insufficient_history'
            when m.metric in ('beta_252d', 'correlation_252d') and i.symbol is not null then 'nonpositive_denominator'
            when m.sessions_needed is not null then 'missing_input'
            -- what needs a market cap shares the reason of the missing share count
            else coalesce(v.reason, s.reason, 'missing_input')
        end as reason
    from market_nulls as m
    join market_days as d on d.symbol = m.symbol and d.price_date = m.metric_date
    left join range_values as v on v.range_id = d.range_id and v.metric = m.metric
    left join range_values as s on s.range_id = d.range_id and s.metric = 'shares_outstanding_used'
    left join index_windows as i on i.symbol = m.symbol and i.price_date = m.metric_date
)
select
    t.company_key, t.symbol, t.fiscal_date as subject_date, t.fiscal_date_key as subject_date_key, 'TTM' as basis, n.metric,
    coalesce(t.reason, 'missing_input') as reason
from ttm_nulls as n
join new_fact_financials_ttm as t on t.symbol = n.symbol and t.fiscal_date = n.fiscal_date
union all
select b.company_key, b.symbol, b.fiscal_date, b.fiscal_date_key, b.basis, p.metric, p.reason
from period_nulls as p
join ratio_base as b on b.period_id = p.period_id
union all
select
    c.company_key, m.symbol, m.metric_date,
    (year(m.metric_date) * 10000 + month(m.metric_date) * 100 + day(m.metric_date))::bigint,
    'MARKET', m.metric, m.reason
from market_reasons as m
join companies as c on c.symbol = m.symbol
