-- grain: vintage x fiscal_date x basis x metric. One SELECT per ratio; the CTE after them applies the same rules to
-- all.
-- rule, on the denominator: positive, equity and earnings (zero or below gives a reason), zero_means_missing (0 is
-- FMP's "not reported"), nonzero.
-- family: the ratios that the next model pivots into columns together.
-- null_reason: why the ratio is NULL before any number is examined. bank_: liquidity, turnover and EBITDA are not
-- meaningful for banks. two_period_: the previous period is needed. year_: the balance a year ago is needed. The plain
-- names have FMP's definitions.
create or replace temporary table ratio_values as
with terms as (
    select
        period_id,
        'gross_margin' as metric,
        gross_profit as numerator,
        revenue as denominator,
        'positive' as rule,
        'margin' as family,
        null_reason
    from ratio_inputs
    union all select period_id, 'ebitda_margin', ebitda, revenue, 'positive', 'ebitda', bank_null_reason
    from ratio_inputs
    union all select period_id, 'ebit_margin', ebit, revenue, 'positive', 'margin', null_reason from ratio_inputs
    union all select period_id, 'operating_margin', operating_income, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'pretax_margin', income_before_tax, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'continuous_operations_margin', net_income_from_continuing_operations, revenue,
        'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'net_margin', net_income, revenue, 'positive', 'margin', null_reason from ratio_inputs
    union all select period_id, 'bottom_line_margin', bottom_line_net_income, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'fcf_margin', free_cash_flow, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'ocf_to_sales', operating_cash_flow, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'capex_to_revenue', -capital_expenditures, revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'research_and_development_to_revenue', research_and_development, revenue, 'positive',
        'margin', null_reason
    from ratio_inputs
    union all select period_id, 'selling_general_and_administrative_to_revenue', selling_general_and_administrative,
        revenue, 'positive', 'margin', null_reason
    from ratio_inputs
    union all select period_id, 'stock_based_compensation_to_revenue', stock_based_compensation, revenue, 'positive',
        'margin', null_reason
    from ratio_inputs
    union all select period_id, 'roe', net_income, roe_equity, 'equity', 'return', null_reason from ratio_inputs
    union all select period_id, 'roa', net_income, total_assets, 'positive', 'return', null_reason from ratio_inputs
    union all select period_id, 'return_on_tangible_assets', net_income, total_assets - goodwill_and_intangibles,
        'positive', 'return', null_reason
    from ratio_inputs
    union all select period_id, 'roic', nopat, roic_invested_capital, 'positive', 'return', null_reason
    from ratio_inputs
    union all select period_id, 'roce', operating_income, total_assets - current_liabilities, 'positive', 'return',
        null_reason
    from ratio_inputs
    union all select period_id, 'operating_return_on_assets', operating_income, two_period_average_total_assets,
        'positive', 'return', two_period_null_reason
    from ratio_inputs
    union all select period_id, 'roe_average', net_income, year_average_stockholders_equity, 'equity', 'return',
        year_null_reason
    from ratio_inputs
    union all select period_id, 'roa_average', net_income, year_average_total_assets, 'positive', 'return',
        year_null_reason
    from ratio_inputs
    union all select period_id, 'roic_average', nopat, year_average_roic_invested_capital, 'positive', 'return',
        year_null_reason
    from ratio_inputs
    union all select period_id, 'asset_turnover', revenue, total_assets, 'positive', 'turnover', bank_null_reason
    from ratio_inputs
    union all select period_id, 'fixed_asset_turnover', revenue, property_plant_equipment_net, 'zero_means_missing',
        'turnover', bank_null_reason
    from ratio_inputs
    union all select period_id, 'receivables_turnover', revenue, net_receivables, 'zero_means_missing', 'turnover',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'inventory_turnover', cost_of_revenue, inventory, 'zero_means_missing', 'turnover',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'payables_turnover', cost_of_revenue, accounts_payable, 'zero_means_missing',
        'turnover', bank_null_reason
    from ratio_inputs
    union all select period_id, 'working_capital_turnover', revenue, two_period_average_working_capital, 'nonzero',
        'turnover', bank_two_period_null_reason
    from ratio_inputs
    union all select period_id, 'asset_turnover_average', revenue, year_average_total_assets, 'positive', 'turnover',
        bank_year_null_reason
    from ratio_inputs
    union all select period_id, 'fixed_asset_turnover_average', revenue, year_average_property_plant_equipment_net,
        'zero_means_missing', 'turnover', bank_year_null_reason
    from ratio_inputs
    union all select period_id, 'receivables_turnover_average', revenue, year_average_net_receivables,
        'zero_means_missing', 'turnover', bank_year_null_reason
    from ratio_inputs
    union all select period_id, 'inventory_turnover_average', cost_of_revenue, year_average_inventory,
        'zero_means_missing', 'turnover', bank_year_null_reason
    from ratio_inputs
    union all select period_id, 'payables_turnover_average', cost_of_revenue, year_average_accounts_payable,
        'zero_means_missing', 'turnover', bank_year_null_reason
    from ratio_inputs
    union all select period_id, 'days_sales_outstanding', days * net_receivables, revenue, 'positive', 'turnover',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'days_inventory', days * inventory, cost_of_revenue, 'positive', 'turnover',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'days_payables', days * accounts_payable, cost_of_revenue, 'positive', 'turnover',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'operating_cycle', days * (net_receivables * cost_of_revenue + inventory * revenue),
        case when revenue > 0 then cost_of_revenue * revenue else revenue end, 'positive', 'turnover', bank_null_reason
    from ratio_inputs
    union all select period_id, 'cash_conversion_cycle',
        days * (net_receivables * cost_of_revenue + (inventory - accounts_payable) * revenue),
        case when revenue > 0 then cost_of_revenue * revenue else revenue end, 'positive', 'turnover', bank_null_reason
    from ratio_inputs
    union all select period_id, 'current_ratio', current_assets, current_liabilities, 'positive', 'liquidity',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'quick_ratio', current_assets - inventory, current_liabilities, 'positive', 'liquidity',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'cash_ratio', cash_and_equivalents, current_liabilities, 'positive', 'liquidity',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'operating_cash_flow_ratio', operating_cash_flow, current_liabilities, 'positive',
        'liquidity', bank_null_reason
    from ratio_inputs
    union all select period_id, 'working_capital', working_capital, 1.0::double, 'nonzero', 'liquidity',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'net_current_asset_value', current_assets - total_liabilities, 1.0::double, 'nonzero',
        'liquidity', bank_null_reason
    from ratio_inputs
    union all select period_id, 'graham_net_net',
        cash_and_short_term_investments + 0.75::double * net_receivables + 0.5::double * inventory - total_liabilities,
        shares, 'positive', 'liquidity', bank_null_reason
    from ratio_inputs
    union all select period_id, 'average_receivables', two_period_average_net_receivables, 1.0::double, 'nonzero',
        'turnover', bank_two_period_null_reason
    from ratio_inputs
    union all select period_id, 'average_payables', two_period_average_accounts_payable, 1.0::double, 'nonzero',
        'turnover', bank_two_period_null_reason
    from ratio_inputs
    union all select period_id, 'average_inventory', two_period_average_inventory, 1.0::double, 'nonzero', 'turnover',
        bank_two_period_null_reason
    from ratio_inputs
    union all select period_id, 'debt_to_equity', total_debt, stockholders_equity, 'equity', 'leverage', null_reason
    from ratio_inputs
    union all select period_id, 'debt_to_assets', total_debt, total_assets, 'positive', 'leverage', null_reason
    from ratio_inputs
    union all select period_id, 'debt_to_capital', total_debt, total_debt + stockholders_equity, 'positive', 'leverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'long_term_debt_to_capital', long_term_debt, long_term_debt + stockholders_equity,
        'positive', 'leverage', null_reason
    from ratio_inputs
    union all select period_id, 'liabilities_to_assets', total_liabilities, total_assets, 'positive', 'leverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'financial_leverage', total_assets, stockholders_equity, 'equity', 'leverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'solvency_ratio', net_income + depreciation_and_amortization, total_liabilities,
        'positive', 'leverage', null_reason
    from ratio_inputs
    union all select period_id, 'net_debt_to_ebitda', total_debt - cash_and_equivalents, ebitda, 'earnings', 'ebitda',
        bank_null_reason
    from ratio_inputs
    union all select period_id, 'interest_coverage', operating_income, interest_expense, 'zero_means_missing',
        'coverage', null_reason
    from ratio_inputs
    union all select period_id, 'debt_service_coverage', ebitda - income_tax_expense,
        interest_expense + short_term_debt, 'zero_means_missing', 'ebitda', bank_null_reason
    from ratio_inputs
    union all select period_id, 'ocf_to_short_term_debt', operating_cash_flow, short_term_debt, 'positive', 'coverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'ocf_to_total_debt', operating_cash_flow, total_debt, 'positive', 'coverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'capex_coverage', operating_cash_flow, -capital_expenditures, 'zero_means_missing',
        'coverage', null_reason
    from ratio_inputs
    union all select period_id, 'dividend_and_capex_coverage', operating_cash_flow,
        -dividends_paid - capital_expenditures, 'zero_means_missing', 'coverage', null_reason
    from ratio_inputs
    union all select period_id, 'fcf_to_ocf', free_cash_flow, operating_cash_flow, 'positive', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'capex_to_ocf', -capital_expenditures, operating_cash_flow, 'positive', 'cash',
        null_reason
    from ratio_inputs
    union all select period_id, 'capex_to_depreciation', -capital_expenditures, depreciation_and_amortization,
        'zero_means_missing', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'income_quality', operating_cash_flow, net_income, 'earnings', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'payout_ratio', -dividends_paid, net_income, 'earnings', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'total_payout_ratio', -dividends_paid - common_stock_repurchased, net_income,
        'earnings', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'free_cash_flow_to_equity', free_cash_flow + net_debt_issuance, 1.0::double, 'nonzero',
        'cash', null_reason
    from ratio_inputs
    union all select period_id, 'free_cash_flow_to_firm',
        case
            when interest_expense = 0 then free_cash_flow
            else free_cash_flow + interest_expense * (1 - income_tax_expense / nullif(income_before_tax, 0))
        end,
        1.0::double, 'nonzero', 'cash', null_reason
    from ratio_inputs
    union all select period_id, 'effective_tax_rate', income_tax_expense, income_before_tax, 'earnings', 'tax',
        null_reason
    from ratio_inputs
    union all select period_id, 'tax_burden', net_income, income_before_tax, 'earnings', 'tax', null_reason
    from ratio_inputs
    union all select period_id, 'interest_burden', income_before_tax, ebit, 'earnings', 'tax', null_reason
    from ratio_inputs
    union all select period_id, 'ebt_to_operating_income', income_before_tax, operating_income, 'earnings', 'tax',
        null_reason
    from ratio_inputs
    union all select period_id, 'revenue_per_share', revenue, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'net_income_per_share', net_income, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'ocf_per_share', operating_cash_flow, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'fcf_per_share', free_cash_flow, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'capex_per_share', -capital_expenditures, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'dividends_per_share', -dividends_paid, shares, 'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'cash_per_share', cash_and_short_term_investments, shares, 'positive', 'per_share',
        null_reason
    from ratio_inputs
    union all select period_id, 'book_value_per_share', stockholders_equity, shares, 'positive', 'per_share',
        null_reason
    from ratio_inputs
    union all select period_id, 'tangible_book_value_per_share', stockholders_equity - goodwill_and_intangibles, shares,
        'positive', 'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'interest_debt_per_share', total_debt + interest_expense, shares, 'positive',
        'per_share', null_reason
    from ratio_inputs
    union all select period_id, 'graham_number',
        case
            when net_income > 0 and stockholders_equity > 0 then sqrt(22.5::double * net_income * stockholders_equity)
        end,
        shares, 'positive', 'per_share', graham_null_reason
    from ratio_inputs
    union all select period_id, 'invested_capital',
        working_capital + property_plant_equipment_net + goodwill_and_intangibles, 1.0::double, 'nonzero', 'leverage',
        null_reason
    from ratio_inputs
    union all select period_id, 'tangible_asset_value', total_assets - goodwill_and_intangibles - total_liabilities,
        1.0::double, 'nonzero', 'leverage', null_reason
    from ratio_inputs
    union all select period_id, 'intangibles_to_assets', goodwill_and_intangibles, total_assets, 'positive', 'leverage',
        null_reason
    from ratio_inputs
),
judged as (
    select
        period_id, family, metric, numerator, denominator,
        case
            when null_reason is not null then null_reason
            when numerator is null or denominator is null then 'missing_input'
            when denominator > 0 then null
            when rule = 'zero_means_missing' and denominator = 0 then 'not_reported'
            when rule = 'nonzero' and denominator <> 0 then null
            when rule = 'equity' then 'negative_equity'
            when rule = 'earnings' then 'negative_earnings'
            else 'nonpositive_denominator'
        end as reason
    from terms
)
select
    period_id, family, metric, case when reason is null then numerator / nullif(denominator, 0) end as metric_value,
    reason
from judged
