-- grain: company x metric. Which of FMP's figures is the counterpart of which of ours, one SELECT per pair.
-- needs: what both must share besides the twelve months: nothing (ratio), the dividends (dividend), the price (price),
-- or the price and the share count (cap).
-- answer: which of FMP's two answers contains the figure. Left out are figures that FMP defines differently: its P/E
-- by basic EPS (the diluted P/E is here), its PEG and its free cash flow to the firm.
create or replace temporary table reconciliation_pairs as
select
    symbol,
    'gross_margin' as metric,
    'ratio' as needs,
    'ratios' as answer,
    gross_margin as ours,
    gross_profit_margin_ttm as theirs
from fmp_reconciliation
union all select symbol, 'ebit_margin', 'ratio', 'ratios', ebit_margin, ebit_margin_ttm from fmp_reconciliation
union all select symbol, 'ebitda_margin', 'ratio', 'ratios', ebitda_margin, ebitda_margin_ttm from fmp_reconciliation
union all select symbol, 'operating_margin', 'ratio', 'ratios', operating_margin, operating_profit_margin_ttm
from fmp_reconciliation
union all select symbol, 'pretax_margin', 'ratio', 'ratios', pretax_margin, pretax_profit_margin_ttm
from fmp_reconciliation
union all select symbol, 'continuous_operations_margin', 'ratio', 'ratios', continuous_operations_margin,
    continuous_operations_profit_margin_ttm
from fmp_reconciliation
union all select symbol, 'net_margin', 'ratio', 'ratios', net_margin, net_profit_margin_ttm from fmp_reconciliation
union all select symbol, 'bottom_line_margin', 'ratio', 'ratios', bottom_line_margin, bottom_line_profit_margin_ttm
from fmp_reconciliation
union all select symbol, 'receivables_turnover', 'ratio', 'ratios', receivables_turnover, receivables_turnover_ttm
from fmp_reconciliation
union all select symbol, 'payables_turnover', 'ratio', 'ratios', payables_turnover, payables_turnover_ttm
from fmp_reconciliation
union all select symbol, 'inventory_turnover', 'ratio', 'ratios', inventory_turnover, inventory_turnover_ttm
from fmp_reconciliation
union all select symbol, 'fixed_asset_turnover', 'ratio', 'ratios', fixed_asset_turnover, fixed_asset_turnover_ttm
from fmp_reconciliation
union all select symbol, 'asset_turnover', 'ratio', 'ratios', asset_turnover, asset_turnover_ttm from fmp_reconciliation
union all select symbol, 'current_ratio', 'ratio', 'ratios', current_ratio, current_ratio_ttm from fmp_reconciliation
union all select symbol, 'quick_ratio', 'ratio', 'ratios', quick_ratio, quick_ratio_ttm from fmp_reconciliation
union all select symbol, 'solvency_ratio', 'ratio', 'ratios', solvency_ratio, solvency_ratio_ttm from fmp_reconciliation
union all select symbol, 'cash_ratio', 'ratio', 'ratios', cash_ratio, cash_ratio_ttm from fmp_reconciliation
union all select symbol, 'pe_ratio_ttm', 'price', 'ratios', pe_ratio_ttm, price_to_earnings_diluted_ratio_ttm
from fmp_reconciliation
union all select symbol, 'pb_ratio', 'price', 'ratios', pb_ratio, price_to_book_ratio_ttm from fmp_reconciliation
union all select symbol, 'ps_ratio_ttm', 'cap', 'ratios', ps_ratio_ttm, price_to_sales_ratio_ttm from fmp_reconciliation
union all select symbol, 'p_to_fcf_ttm', 'cap', 'ratios', p_to_fcf_ttm, price_to_free_cash_flow_ratio_ttm
from fmp_reconciliation
union all select symbol, 'p_to_ocf_ttm', 'price', 'ratios', p_to_ocf_ttm, price_to_operating_cash_flow_ratio_ttm
from fmp_reconciliation
union all select symbol, 'debt_to_assets', 'ratio', 'ratios', debt_to_assets, debt_to_assets_ratio_ttm
from fmp_reconciliation
union all select symbol, 'debt_to_equity', 'ratio', 'ratios', debt_to_equity, debt_to_equity_ratio_ttm
from fmp_reconciliation
union all select symbol, 'debt_to_capital', 'ratio', 'ratios', debt_to_capital, debt_to_capital_ratio_ttm
from fmp_reconciliation
union all select symbol, 'long_term_debt_to_capital', 'ratio', 'ratios', long_term_debt_to_capital,
    long_term_debt_to_capital_ratio_ttm
from fmp_reconciliation
union all select symbol, 'financial_leverage', 'ratio', 'ratios', financial_leverage, financial_leverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'working_capital_turnover', 'ratio', 'ratios', working_capital_turnover,
    working_capital_turnover_ratio_ttm
from fmp_reconciliation
union all select symbol, 'operating_cash_flow_ratio', 'ratio', 'ratios', operating_cash_flow_ratio,
    operating_cash_flow_ratio_ttm
from fmp_reconciliation
union all select symbol, 'ocf_to_sales', 'ratio', 'ratios', ocf_to_sales, operating_cash_flow_sales_ratio_ttm
from fmp_reconciliation
union all select symbol, 'fcf_to_ocf', 'ratio', 'ratios', fcf_to_ocf, free_cash_flow_operating_cash_flow_ratio_ttm
from fmp_reconciliation
union all select symbol, 'debt_service_coverage', 'ratio', 'ratios', debt_service_coverage,
    debt_service_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'interest_coverage', 'ratio', 'ratios', interest_coverage, interest_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'ocf_to_short_term_debt', 'ratio', 'ratios', ocf_to_short_term_debt,
    short_term_operating_cash_flow_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'ocf_to_total_debt', 'ratio', 'ratios', ocf_to_total_debt,
    operating_cash_flow_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'capex_coverage', 'ratio', 'ratios', capex_coverage, capital_expenditure_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'dividend_and_capex_coverage', 'ratio', 'ratios', dividend_and_capex_coverage,
    dividend_paid_and_capex_coverage_ratio_ttm
from fmp_reconciliation
union all select symbol, 'payout_ratio', 'ratio', 'ratios', payout_ratio, dividend_payout_ratio_ttm
from fmp_reconciliation
union all select symbol, 'dividend_yield', 'price', 'ratios', dividend_yield, dividend_yield_ttm from fmp_reconciliation
union all select symbol, 'enterprise_value_fmp', 'cap', 'ratios', enterprise_value_fmp::double, enterprise_value_ttm
from fmp_reconciliation
union all select symbol, 'revenue_per_share', 'ratio', 'ratios', revenue_per_share, revenue_per_share_ttm
from fmp_reconciliation
union all select symbol, 'net_income_per_share', 'ratio', 'ratios', net_income_per_share, net_income_per_share_ttm
from fmp_reconciliation
union all select symbol, 'interest_debt_per_share', 'ratio', 'ratios', interest_debt_per_share,
    interest_debt_per_share_ttm
from fmp_reconciliation
union all select symbol, 'cash_per_share', 'ratio', 'ratios', cash_per_share, cash_per_share_ttm from fmp_reconciliation
union all select symbol, 'book_value_per_share', 'ratio', 'ratios', book_value_per_share, book_value_per_share_ttm
from fmp_reconciliation
union all select symbol, 'tangible_book_value_per_share', 'ratio', 'ratios', tangible_book_value_per_share,
    tangible_book_value_per_share_ttm
from fmp_reconciliation
union all select symbol, 'ocf_per_share', 'ratio', 'ratios', ocf_per_share, operating_cash_flow_per_share_ttm
from fmp_reconciliation
union all select symbol, 'capex_per_share', 'ratio', 'ratios', capex_per_share, capex_per_share_ttm
from fmp_reconciliation
union all select symbol, 'fcf_per_share', 'ratio', 'ratios', fcf_per_share, free_cash_flow_per_share_ttm
from fmp_reconciliation
union all select symbol, 'ebt_to_operating_income', 'ratio', 'ratios', ebt_to_operating_income, ebt_per_ebit_ttm
from fmp_reconciliation
union all select symbol, 'debt_to_market_cap', 'cap', 'ratios', debt_to_market_cap, debt_to_market_cap_ttm
from fmp_reconciliation
union all select symbol, 'effective_tax_rate', 'ratio', 'ratios', effective_tax_rate, effective_tax_rate_ttm
from fmp_reconciliation
union all select symbol, 'dividends_per_share_ttm', 'dividend', 'ratios', dividends_per_share_ttm,
    dividend_per_share_ttm
from fmp_reconciliation
union all select symbol, 'market_cap', 'cap', 'metrics', market_cap::double, market_cap_now from fmp_reconciliation
union all select symbol, 'ev_to_revenue_ttm_fmp', 'cap', 'metrics', ev_to_revenue_ttm_fmp, ev_to_sales_ttm
from fmp_reconciliation
union all select symbol, 'ev_to_ocf_fmp', 'cap', 'metrics', ev_to_ocf_fmp, ev_to_operating_cash_flow_ttm
from fmp_reconciliation
union all select symbol, 'ev_to_fcf_fmp', 'cap', 'metrics', ev_to_fcf_fmp, ev_to_free_cash_flow_ttm
from fmp_reconciliation
union all select symbol, 'ev_to_ebitda_fmp', 'cap', 'metrics', ev_to_ebitda_fmp, ev_to_ebitda_ttm
from fmp_reconciliation
union all select symbol, 'net_debt_to_ebitda', 'ratio', 'metrics', net_debt_to_ebitda, net_debt_to_ebitda_ttm
from fmp_reconciliation
union all select symbol, 'income_quality', 'ratio', 'metrics', income_quality, income_quality_ttm
from fmp_reconciliation
union all select symbol, 'graham_number', 'ratio', 'metrics', graham_number, graham_number_ttm from fmp_reconciliation
union all select symbol, 'graham_net_net', 'ratio', 'metrics', graham_net_net, graham_net_net_ttm
from fmp_reconciliation
union all select symbol, 'tax_burden', 'ratio', 'metrics', tax_burden, tax_burden_ttm from fmp_reconciliation
union all select symbol, 'interest_burden', 'ratio', 'metrics', interest_burden, interest_burden_ttm
from fmp_reconciliation
union all select symbol, 'working_capital', 'ratio', 'metrics', working_capital, working_capital_ttm
from fmp_reconciliation
union all select symbol, 'invested_capital', 'ratio', 'metrics', invested_capital, invested_capital_ttm
from fmp_reconciliation
union all select symbol, 'roa', 'ratio', 'metrics', roa, return_on_assets_ttm from fmp_reconciliation
union all select symbol, 'operating_return_on_assets', 'ratio', 'metrics', operating_return_on_assets,
    operating_return_on_assets_ttm
from fmp_reconciliation
union all select symbol, 'return_on_tangible_assets', 'ratio', 'metrics', return_on_tangible_assets,
    return_on_tangible_assets_ttm
from fmp_reconciliation
union all select symbol, 'roe', 'ratio', 'metrics', roe, return_on_equity_ttm from fmp_reconciliation
union all select symbol, 'roic', 'ratio', 'metrics', roic, return_on_invested_capital_ttm from fmp_reconciliation
union all select symbol, 'roce', 'ratio', 'metrics', roce, return_on_capital_employed_ttm from fmp_reconciliation
union all select symbol, 'earnings_yield', 'price', 'metrics', earnings_yield, earnings_yield_ttm
from fmp_reconciliation
union all select symbol, 'fcf_yield', 'cap', 'metrics', fcf_yield, free_cash_flow_yield_ttm from fmp_reconciliation
union all select symbol, 'capex_to_ocf', 'ratio', 'metrics', capex_to_ocf, capex_to_operating_cash_flow_ttm
from fmp_reconciliation
union all select symbol, 'capex_to_depreciation', 'ratio', 'metrics', capex_to_depreciation, capex_to_depreciation_ttm
from fmp_reconciliation
union all select symbol, 'capex_to_revenue', 'ratio', 'metrics', capex_to_revenue, capex_to_revenue_ttm
from fmp_reconciliation
union all select symbol, 'selling_general_and_administrative_to_revenue', 'ratio', 'metrics',
    selling_general_and_administrative_to_revenue, sales_general_and_administrative_to_revenue_ttm
from fmp_reconciliation
union all select symbol, 'research_and_development_to_revenue', 'ratio', 'metrics', research_and_development_to_revenue,
    research_and_developement_to_revenue_ttm
from fmp_reconciliation
union all select symbol, 'stock_based_compensation_to_revenue', 'ratio', 'metrics', stock_based_compensation_to_revenue,
    stock_based_compensation_to_revenue_ttm
from fmp_reconciliation
union all select symbol, 'intangibles_to_assets', 'ratio', 'metrics', intangibles_to_assets,
    intangibles_to_total_assets_ttm
from fmp_reconciliation
union all select symbol, 'average_receivables', 'ratio', 'metrics', average_receivables, average_receivables_ttm
from fmp_reconciliation
union all select symbol, 'average_payables', 'ratio', 'metrics', average_payables, average_payables_ttm
from fmp_reconciliation
union all select symbol, 'average_inventory', 'ratio', 'metrics', average_inventory, average_inventory_ttm
from fmp_reconciliation
union all select symbol, 'days_sales_outstanding', 'ratio', 'metrics', days_sales_outstanding,
    days_of_sales_outstanding_ttm
from fmp_reconciliation
union all select symbol, 'days_payables', 'ratio', 'metrics', days_payables, days_of_payables_outstanding_ttm
from fmp_reconciliation
union all select symbol, 'days_inventory', 'ratio', 'metrics', days_inventory, days_of_inventory_outstanding_ttm
from fmp_reconciliation
union all select symbol, 'operating_cycle', 'ratio', 'metrics', operating_cycle, operating_cycle_ttm
from fmp_reconciliation
union all select symbol, 'cash_conversion_cycle', 'ratio', 'metrics', cash_conversion_cycle, cash_conversion_cycle_ttm
from fmp_reconciliation
union all select symbol, 'free_cash_flow_to_equity', 'ratio', 'metrics', free_cash_flow_to_equity,
    free_cash_flow_to_equity_ttm
from fmp_reconciliation
union all select symbol, 'tangible_asset_value', 'ratio', 'metrics', tangible_asset_value, tangible_asset_value_ttm
from fmp_reconciliation
union all select symbol, 'net_current_asset_value', 'ratio', 'metrics', net_current_asset_value,
    net_current_asset_value_ttm
from fmp_reconciliation
