-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The ratios pivoted into columns, one family at a time: a
-- single pass over all of them would test every row against every column.
create or replace temporary table new_fact_financial_ratios_history as
with margin_figures as (
    select
        period_id,
        max(case when metric = 'gross_margin' then metric_value end) as gross_margin,
        max(case when metric = 'ebit_margin' then metric_value end) as ebit_margin,
        max(case when metric = 'operating_margin' then metric_value end) as operating_margin,
        max(case when metric = 'pretax_margin' then metric_value end) as pretax_margin,
        max(case when metric = 'continuous_operations_margin' then metric_value end) as continuous_operations_margin,
        max(case when metric = 'net_margin' then metric_value end) as net_margin,
        max(case when metric = 'bottom_line_margin' then metric_value end) as bottom_line_margin,
        max(case when metric = 'fcf_margin' then metric_value end) as fcf_margin,
        max(case when metric = 'ocf_to_sales' then metric_value end) as ocf_to_sales,
        max(case when metric = 'capex_to_revenue' then metric_value end) as capex_to_revenue,
        max(case
            when metric = 'research_and_development_to_revenue' then metric_value
        end) as research_and_development_to_revenue,
        max(case
            when metric = 'selling_general_and_administrative_to_revenue' then metric_value
        end) as selling_general_and_administrative_to_revenue,
        max(case
            when metric = 'stock_based_compensation_to_revenue' then metric_value
        end) as stock_based_compensation_to_revenue,
        coalesce(max(case when metric = 'gross_margin' then '|gross_margin=' || reason end), '')
        || coalesce(max(case when metric = 'ebit_margin' then '|ebit_margin=' || reason end), '')
        || coalesce(max(case when metric = 'operating_margin' then '|operating_margin=' || reason end), '')
        || coalesce(max(case when metric = 'pretax_margin' then '|pretax_margin=' || reason end), '')
        || coalesce(max(case
            when metric = 'continuous_operations_margin'
                then '|continuous_operations_margin=' || reason
        end), '')
        || coalesce(max(case when metric = 'net_margin' then '|net_margin=' || reason end), '')
        || coalesce(max(case when metric = 'bottom_line_margin' then '|bottom_line_margin=' || reason end), '')
        || coalesce(max(case when metric = 'fcf_margin' then '|fcf_margin=' || reason end), '')
        || coalesce(max(case when metric = 'ocf_to_sales' then '|ocf_to_sales=' || reason end), '')
        || coalesce(max(case when metric = 'capex_to_revenue' then '|capex_to_revenue=' || reason end), '')
        || coalesce(max(case
            when metric = 'research_and_development_to_revenue'
                then '|research_and_development_to_revenue=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'selling_general_and_administrative_to_revenue'
                then '|selling_general_and_administrative_to_revenue=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'stock_based_compensation_to_revenue'
                then '|stock_based_compensation_to_revenue=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'margin'
    group by period_id
),
return_figures as (
    select
        period_id,
        max(case when metric = 'roe' then metric_value end) as roe,
        max(case when metric = 'roa' then metric_value end) as roa,
        max(case when metric = 'return_on_tangible_assets' then metric_value end) as return_on_tangible_assets,
        max(case when metric = 'roic' then metric_value end) as roic,
        max(case when metric = 'roce' then metric_value end) as roce,
        max(case when metric = 'operating_return_on_assets' then metric_value end) as operating_return_on_assets,
        max(case when metric = 'roe_average' then metric_value end) as roe_average,
        max(case when metric = 'roa_average' then metric_value end) as roa_average,
        max(case when metric = 'roic_average' then metric_value end) as roic_average,
        coalesce(max(case when metric = 'roe' then '|roe=' || reason end), '')
        || coalesce(max(case when metric = 'roa' then '|roa=' || reason end), '')
        || coalesce(max(case
            when metric = 'return_on_tangible_assets'
                then '|return_on_tangible_assets=' || reason
        end), '')
        || coalesce(max(case when metric = 'roic' then '|roic=' || reason end), '')
        || coalesce(max(case when metric = 'roce' then '|roce=' || reason end), '')
        || coalesce(max(case
            when metric = 'operating_return_on_assets'
                then '|operating_return_on_assets=' || reason
        end), '')
        || coalesce(max(case when metric = 'roe_average' then '|roe_average=' || reason end), '')
        || coalesce(max(case when metric = 'roa_average' then '|roa_average=' || reason end), '')
        || coalesce(max(case when metric = 'roic_average' then '|roic_average=' || reason end), '') as reasons
    from ratio_values
    where family = 'return'
    group by period_id
),
turnover_figures as (
    select
        period_id,
        max(case when metric = 'asset_turnover' then metric_value end) as asset_turnover,
        max(case when metric = 'fixed_asset_turnover' then metric_value end) as fixed_asset_turnover,
        max(case when metric = 'receivables_turnover' then metric_value end) as receivables_turnover,
        max(case when metric = 'inventory_turnover' then metric_value end) as inventory_turnover,
        max(case when metric = 'payables_turnover' then metric_value end) as payables_turnover,
        max(case when metric = 'working_capital_turnover' then metric_value end) as working_capital_turnover,
        max(case when metric = 'asset_turnover_average' then metric_value end) as asset_turnover_average,
        max(case when metric = 'fixed_asset_turnover_average' then metric_value end) as fixed_asset_turnover_average,
        max(case when metric = 'receivables_turnover_average' then metric_value end) as receivables_turnover_average,
        max(case when metric = 'inventory_turnover_average' then metric_value end) as inventory_turnover_average,
        max(case when metric = 'payables_turnover_average' then metric_value end) as payables_turnover_average,
        max(case when metric = 'days_sales_outstanding' then metric_value end) as days_sales_outstanding,
        max(case when metric = 'days_inventory' then metric_value end) as days_inventory,
        max(case when metric = 'days_payables' then metric_value end) as days_payables,
        max(case when metric = 'operating_cycle' then metric_value end) as operating_cycle,
        max(case when metric = 'cash_conversion_cycle' then metric_value end) as cash_conversion_cycle,
        max(case when metric = 'average_receivables' then metric_value end) as average_receivables,
        max(case when metric = 'average_payables' then metric_value end) as average_payables,
        max(case when metric = 'average_inventory' then metric_value end) as average_inventory,
        coalesce(max(case when metric = 'asset_turnover' then '|asset_turnover=' || reason end), '')
        || coalesce(max(case when metric = 'fixed_asset_turnover' then '|fixed_asset_turnover=' || reason end), '')
        || coalesce(max(case when metric = 'receivables_turnover' then '|receivables_turnover=' || reason end), '')
        || coalesce(max(case when metric = 'inventory_turnover' then '|inventory_turnover=' || reason end), '')
        || coalesce(max(case when metric = 'payables_turnover' then '|payables_turnover=' || reason end), '')
        || coalesce(max(case
            when metric = 'working_capital_turnover'
                then '|working_capital_turnover=' || reason
        end), '')
        || coalesce(max(case when metric = 'asset_turnover_average' then '|asset_turnover_average=' || reason end), '')
        || coalesce(max(case
            when metric = 'fixed_asset_turnover_average'
                then '|fixed_asset_turnover_average=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'receivables_turnover_average'
                then '|receivables_turnover_average=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'inventory_turnover_average'
                then '|inventory_turnover_average=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'payables_turnover_average'
                then '|payables_turnover_average=' || reason
        end), '')
        || coalesce(max(case when metric = 'days_sales_outstanding' then '|days_sales_outstanding=' || reason end), '')
        || coalesce(max(case when metric = 'days_inventory' then '|days_inventory=' || reason end), '')
        || coalesce(max(case when metric = 'days_payables' then '|days_payables=' || reason end), '')
        || coalesce(max(case when metric = 'operating_cycle' then '|operating_cycle=' || reason end), '')
        || coalesce(max(case when metric = 'cash_conversion_cycle' then '|cash_conversion_cycle=' || reason end), '')
        || coalesce(max(case when metric = 'average_receivables' then '|average_receivables=' || reason end), '')
        || coalesce(max(case when metric = 'average_payables' then '|average_payables=' || reason end), '')
        || coalesce(max(case when metric = 'average_inventory' then '|average_inventory=' || reason end), '') as reasons
    from ratio_values
    where family = 'turnover'
    group by period_id
),
liquidity_figures as (
    select
        period_id,
        max(case when metric = 'current_ratio' then metric_value end) as current_ratio,
        max(case when metric = 'quick_ratio' then metric_value end) as quick_ratio,
        max(case when metric = 'cash_ratio' then metric_value end) as cash_ratio,
        max(case when metric = 'operating_cash_flow_ratio' then metric_value end) as operating_cash_flow_ratio,
        max(case when metric = 'working_capital' then metric_value end) as working_capital,
        max(case when metric = 'net_current_asset_value' then metric_value end) as net_current_asset_value,
        max(case when metric = 'graham_net_net' then metric_value end) as graham_net_net,
        coalesce(max(case when metric = 'current_ratio' then '|current_ratio=' || reason end), '')
        || coalesce(max(case when metric = 'quick_ratio' then '|quick_ratio=' || reason end), '')
        || coalesce(max(case when metric = 'cash_ratio' then '|cash_ratio=' || reason end), '')
        || coalesce(max(case
            when metric = 'operating_cash_flow_ratio'
                then '|operating_cash_flow_ratio=' || reason
        end), '')
        || coalesce(max(case when metric = 'working_capital' then '|working_capital=' || reason end), '')
        || coalesce(max(case
            when metric = 'net_current_asset_value'
                then '|net_current_asset_value=' || reason
        end), '')
        || coalesce(max(case when metric = 'graham_net_net' then '|graham_net_net=' || reason end), '') as reasons
    from ratio_values
    where family = 'liquidity'
    group by period_id
),
leverage_figures as (
    select
        period_id,
        max(case when metric = 'debt_to_equity' then metric_value end) as debt_to_equity,
        max(case when metric = 'debt_to_assets' then metric_value end) as debt_to_assets,
        max(case when metric = 'debt_to_capital' then metric_value end) as debt_to_capital,
        max(case when metric = 'long_term_debt_to_capital' then metric_value end) as long_term_debt_to_capital,
        max(case when metric = 'liabilities_to_assets' then metric_value end) as liabilities_to_assets,
        max(case when metric = 'financial_leverage' then metric_value end) as financial_leverage,
        max(case when metric = 'solvency_ratio' then metric_value end) as solvency_ratio,
        max(case when metric = 'invested_capital' then metric_value end) as invested_capital,
        max(case when metric = 'tangible_asset_value' then metric_value end) as tangible_asset_value,
        max(case when metric = 'intangibles_to_assets' then metric_value end) as intangibles_to_assets,
        coalesce(max(case when metric = 'debt_to_equity' then '|debt_to_equity=' || reason end), '')
        || coalesce(max(case when metric = 'debt_to_assets' then '|debt_to_assets=' || reason end), '')
        || coalesce(max(case when metric = 'debt_to_capital' then '|debt_to_capital=' || reason end), '')
        || coalesce(max(case
            when metric = 'long_term_debt_to_capital'
                then '|long_term_debt_to_capital=' || reason
        end), '')
        || coalesce(max(case when metric = 'liabilities_to_assets' then '|liabilities_to_assets=' || reason end), '')
        || coalesce(max(case when metric = 'financial_leverage' then '|financial_leverage=' || reason end), '')
        || coalesce(max(case when metric = 'solvency_ratio' then '|solvency_ratio=' || reason end), '')
        || coalesce(max(case when metric = 'invested_capital' then '|invested_capital=' || reason end), '')
        || coalesce(max(case when metric = 'tangible_asset_value' then '|tangible_asset_value=' || reason end), '')
        || coalesce(max(case
            when metric = 'intangibles_to_assets'
                then '|intangibles_to_assets=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'leverage'
    group by period_id
),
coverage_figures as (
    select
        period_id,
        max(case when metric = 'interest_coverage' then metric_value end) as interest_coverage,
        max(case when metric = 'ocf_to_short_term_debt' then metric_value end) as ocf_to_short_term_debt,
        max(case when metric = 'ocf_to_total_debt' then metric_value end) as ocf_to_total_debt,
        max(case when metric = 'capex_coverage' then metric_value end) as capex_coverage,
        max(case when metric = 'dividend_and_capex_coverage' then metric_value end) as dividend_and_capex_coverage,
        coalesce(max(case when metric = 'interest_coverage' then '|interest_coverage=' || reason end), '')
        || coalesce(max(case when metric = 'ocf_to_short_term_debt' then '|ocf_to_short_term_debt=' || reason end), '')
        || coalesce(max(case when metric = 'ocf_to_total_debt' then '|ocf_to_total_debt=' || reason end), '')
        || coalesce(max(case when metric = 'capex_coverage' then '|capex_coverage=' || reason end), '')
        || coalesce(max(case
            when metric = 'dividend_and_capex_coverage'
                then '|dividend_and_capex_coverage=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'coverage'
    group by period_id
),
ebitda_figures as (
    select
        period_id,
        max(case when metric = 'ebitda_margin' then metric_value end) as ebitda_margin,
        max(case when metric = 'net_debt_to_ebitda' then metric_value end) as net_debt_to_ebitda,
        max(case when metric = 'debt_service_coverage' then metric_value end) as debt_service_coverage,
        coalesce(max(case when metric = 'ebitda_margin' then '|ebitda_margin=' || reason end), '')
        || coalesce(max(case when metric = 'net_debt_to_ebitda' then '|net_debt_to_ebitda=' || reason end), '')
        || coalesce(max(case
            when metric = 'debt_service_coverage'
                then '|debt_service_coverage=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'ebitda'
    group by period_id
),
cash_figures as (
    select
        period_id,
        max(case when metric = 'fcf_to_ocf' then metric_value end) as fcf_to_ocf,
        max(case when metric = 'capex_to_ocf' then metric_value end) as capex_to_ocf,
        max(case when metric = 'capex_to_depreciation' then metric_value end) as capex_to_depreciation,
        max(case when metric = 'income_quality' then metric_value end) as income_quality,
        max(case when metric = 'payout_ratio' then metric_value end) as payout_ratio,
        max(case when metric = 'total_payout_ratio' then metric_value end) as total_payout_ratio,
        max(case when metric = 'free_cash_flow_to_equity' then metric_value end) as free_cash_flow_to_equity,
        max(case when metric = 'free_cash_flow_to_firm' then metric_value end) as free_cash_flow_to_firm,
        coalesce(max(case when metric = 'fcf_to_ocf' then '|fcf_to_ocf=' || reason end), '')
        || coalesce(max(case when metric = 'capex_to_ocf' then '|capex_to_ocf=' || reason end), '')
        || coalesce(max(case when metric = 'capex_to_depreciation' then '|capex_to_depreciation=' || reason end), '')
        || coalesce(max(case when metric = 'income_quality' then '|income_quality=' || reason end), '')
        || coalesce(max(case when metric = 'payout_ratio' then '|payout_ratio=' || reason end), '')
        || coalesce(max(case when metric = 'total_payout_ratio' then '|total_payout_ratio=' || reason end), '')
        || coalesce(max(case
            when metric = 'free_cash_flow_to_equity'
                then '|free_cash_flow_to_equity=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'free_cash_flow_to_firm'
                then '|free_cash_flow_to_firm=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'cash'
    group by period_id
),
tax_figures as (
    select
        period_id,
        max(case when metric = 'effective_tax_rate' then metric_value end) as effective_tax_rate,
        max(case when metric = 'tax_burden' then metric_value end) as tax_burden,
        max(case when metric = 'interest_burden' then metric_value end) as interest_burden,
        max(case when metric = 'ebt_to_operating_income' then metric_value end) as ebt_to_operating_income,
        coalesce(max(case when metric = 'effective_tax_rate' then '|effective_tax_rate=' || reason end), '')
        || coalesce(max(case when metric = 'tax_burden' then '|tax_burden=' || reason end), '')
        || coalesce(max(case when metric = 'interest_burden' then '|interest_burden=' || reason end), '')
        || coalesce(max(case
            when metric = 'ebt_to_operating_income'
                then '|ebt_to_operating_income=' || reason
        end), '') as reasons
    from ratio_values
    where family = 'tax'
    group by period_id
),
per_share_figures as (
    select
        period_id,
        max(case when metric = 'revenue_per_share' then metric_value end) as revenue_per_share,
        max(case when metric = 'net_income_per_share' then metric_value end) as net_income_per_share,
        max(case when metric = 'ocf_per_share' then metric_value end) as ocf_per_share,
        max(case when metric = 'fcf_per_share' then metric_value end) as fcf_per_share,
        max(case when metric = 'capex_per_share' then metric_value end) as capex_per_share,
        max(case when metric = 'dividends_per_share' then metric_value end) as dividends_per_share,
        max(case when metric = 'cash_per_share' then metric_value end) as cash_per_share,
        max(case when metric = 'book_value_per_share' then metric_value end) as book_value_per_share,
        max(case when metric = 'tangible_book_value_per_share' then metric_value end) as tangible_book_value_per_share,
        max(case when metric = 'interest_debt_per_share' then metric_value end) as interest_debt_per_share,
        max(case when metric = 'graham_number' then metric_value end) as graham_number,
        coalesce(max(case when metric = 'revenue_per_share' then '|revenue_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'net_income_per_share' then '|net_income_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'ocf_per_share' then '|ocf_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'fcf_per_share' then '|fcf_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'capex_per_share' then '|capex_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'dividends_per_share' then '|dividends_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'cash_per_share' then '|cash_per_share=' || reason end), '')
        || coalesce(max(case when metric = 'book_value_per_share' then '|book_value_per_share=' || reason end), '')
        || coalesce(max(case
            when metric = 'tangible_book_value_per_share'
                then '|tangible_book_value_per_share=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'interest_debt_per_share'
                then '|interest_debt_per_share=' || reason
        end), '')
        || coalesce(max(case when metric = 'graham_number' then '|graham_number=' || reason end), '') as reasons
    from ratio_values
    where family = 'per_share'
    group by period_id
)
select
    b.vintage_id, b.first_known_from, b.company_key, b.symbol, b.fiscal_date, b.fiscal_date_key, b.basis,
    b.reported_currency,
    margin_figures.* exclude (period_id, reasons),
    return_figures.* exclude (period_id, reasons),
    turnover_figures.* exclude (period_id, reasons),
    liquidity_figures.* exclude (period_id, reasons),
    leverage_figures.* exclude (period_id, reasons),
    coverage_figures.* exclude (period_id, reasons),
    ebitda_figures.* exclude (period_id, reasons),
    cash_figures.* exclude (period_id, reasons),
    tax_figures.* exclude (period_id, reasons),
    per_share_figures.* exclude (period_id, reasons),
    -- why each NULL is NULL, as |metric=reason|metric=reason; metric_nulls reads it
    margin_figures.reasons
    || return_figures.reasons
    || turnover_figures.reasons
    || liquidity_figures.reasons
    || leverage_figures.reasons
    || coverage_figures.reasons
    || ebitda_figures.reasons
    || cash_figures.reasons
    || tax_figures.reasons
    || per_share_figures.reasons as null_reasons
from ratio_inputs as b
join margin_figures on margin_figures.period_id = b.period_id
join return_figures on return_figures.period_id = b.period_id
join turnover_figures on turnover_figures.period_id = b.period_id
join liquidity_figures on liquidity_figures.period_id = b.period_id
join leverage_figures on leverage_figures.period_id = b.period_id
join coverage_figures on coverage_figures.period_id = b.period_id
join ebitda_figures on ebitda_figures.period_id = b.period_id
join cash_figures on cash_figures.period_id = b.period_id
join tax_figures on tax_figures.period_id = b.period_id
join per_share_figures on per_share_figures.period_id = b.period_id
