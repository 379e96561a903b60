-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The growth rates pivoted into columns.
create or replace temporary table new_fact_growth_rates_history as
with wide as (
    select
        period_id,
        max(case when metric = 'revenue_yoy' then metric_value end) as revenue_yoy,
        max(case when metric = 'revenue_qoq' then metric_value end) as revenue_qoq,
        max(case when metric = 'revenue_cagr_3y' then metric_value end) as revenue_cagr_3y,
        max(case when metric = 'revenue_cagr_5y' then metric_value end) as revenue_cagr_5y,
        max(case when metric = 'net_income_yoy' then metric_value end) as net_income_yoy,
        max(case when metric = 'net_income_qoq' then metric_value end) as net_income_qoq,
        max(case when metric = 'net_income_cagr_3y' then metric_value end) as net_income_cagr_3y,
        max(case when metric = 'net_income_cagr_5y' then metric_value end) as net_income_cagr_5y,
        max(case when metric = 'eps_diluted_yoy' then metric_value end) as eps_diluted_yoy,
        max(case when metric = 'eps_diluted_qoq' then metric_value end) as eps_diluted_qoq,
        max(case when metric = 'eps_diluted_cagr_3y' then metric_value end) as eps_diluted_cagr_3y,
        max(case when metric = 'eps_diluted_cagr_5y' then metric_value end) as eps_diluted_cagr_5y,
        max(case when metric = 'operating_income_yoy' then metric_value end) as operating_income_yoy,
        max(case when metric = 'operating_income_qoq' then metric_value end) as operating_income_qoq,
        max(case when metric = 'operating_income_cagr_3y' then metric_value end) as operating_income_cagr_3y,
        max(case when metric = 'operating_income_cagr_5y' then metric_value end) as operating_income_cagr_5y,
        max(case when metric = 'free_cash_flow_yoy' then metric_value end) as free_cash_flow_yoy,
        max(case when metric = 'free_cash_flow_qoq' then metric_value end) as free_cash_flow_qoq,
        max(case when metric = 'free_cash_flow_cagr_3y' then metric_value end) as free_cash_flow_cagr_3y,
        max(case when metric = 'free_cash_flow_cagr_5y' then metric_value end) as free_cash_flow_cagr_5y,
        max(case when metric = 'total_assets_yoy' then metric_value end) as total_assets_yoy,
        max(case when metric = 'total_assets_qoq' then metric_value end) as total_assets_qoq,
        max(case when metric = 'total_assets_cagr_3y' then metric_value end) as total_assets_cagr_3y,
        max(case when metric = 'total_assets_cagr_5y' then metric_value end) as total_assets_cagr_5y,
        max(case when metric = 'stockholders_equity_yoy' then metric_value end) as stockholders_equity_yoy,
        max(case when metric = 'stockholders_equity_qoq' then metric_value end) as stockholders_equity_qoq,
        max(case when metric = 'stockholders_equity_cagr_3y' then metric_value end) as stockholders_equity_cagr_3y,
        max(case when metric = 'stockholders_equity_cagr_5y' then metric_value end) as stockholders_equity_cagr_5y,
        coalesce(max(case when metric = 'revenue_yoy' then '|revenue_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'revenue_qoq' then '|revenue_qoq=' || reason end), '')
        || coalesce(max(case when metric = 'revenue_cagr_3y' then '|revenue_cagr_3y=' || reason end), '')
        || coalesce(max(case when metric = 'revenue_cagr_5y' then '|revenue_cagr_5y=' || reason end), '')
        || coalesce(max(case when metric = 'net_income_yoy' then '|net_income_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'net_income_qoq' then '|net_income_qoq=' || reason end), '')
        || coalesce(max(case when metric = 'net_income_cagr_3y' then '|net_income_cagr_3y=' || reason end), '')
        || coalesce(max(case when metric = 'net_income_cagr_5y' then '|net_income_cagr_5y=' || reason end), '')
        || coalesce(max(case when metric = 'eps_diluted_yoy' then '|eps_diluted_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'eps_diluted_qoq' then '|eps_diluted_qoq=' || reason end), '')
        || coalesce(max(case when metric = 'eps_diluted_cagr_3y' then '|eps_diluted_cagr_3y=' || reason end), '')
        || coalesce(max(case when metric = 'eps_diluted_cagr_5y' then '|eps_diluted_cagr_5y=' || reason end), '')
        || coalesce(max(case when metric = 'operating_income_yoy' then '|operating_income_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'operating_income_qoq' then '|operating_income_qoq=' || reason end), '')
        || coalesce(max(case
            when metric = 'operating_income_cagr_3y'
                then '|operating_income_cagr_3y=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'operating_income_cagr_5y'
                then '|operating_income_cagr_5y=' || reason
        end), '')
        || coalesce(max(case when metric = 'free_cash_flow_yoy' then '|free_cash_flow_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'free_cash_flow_qoq' then '|free_cash_flow_qoq=' || reason end), '')
        || coalesce(max(case when metric = 'free_cash_flow_cagr_3y' then '|free_cash_flow_cagr_3y=' || reason end), '')
        || coalesce(max(case when metric = 'free_cash_flow_cagr_5y' then '|free_cash_flow_cagr_5y=' || reason end), '')
        || coalesce(max(case when metric = 'total_assets_yoy' then '|total_assets_yoy=' || reason end), '')
        || coalesce(max(case when metric = 'total_assets_qoq' then '|total_assets_qoq=' || reason end), '')
        || coalesce(max(case when metric = 'total_assets_cagr_3y' then '|total_assets_cagr_3y=' || reason end), '')
        || coalesce(max(case when metric = 'total_assets_cagr_5y' then '|total_assets_cagr_5y=' || reason end), '')
        || coalesce(max(case
            when metric = 'stockholders_equity_yoy'
                then '|stockholders_equity_yoy=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'stockholders_equity_qoq'
                then '|stockholders_equity_qoq=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'stockholders_equity_cagr_3y'
                then '|stockholders_equity_cagr_3y=' || reason
        end), '')
        || coalesce(max(case
            when metric = 'stockholders_equity_cagr_5y'
                then '|stockholders_equity_cagr_5y=' || reason
        end), '') as reasons
    from growth_values
    group by period_id
)
select
    b.vintage_id, b.first_known_from, b.company_key, b.symbol, b.fiscal_date, b.fiscal_date_key, b.basis,
    b.reported_currency,
    w.revenue_yoy, w.revenue_qoq, w.revenue_cagr_3y, w.revenue_cagr_5y, w.net_income_yoy, w.net_income_qoq,
    w.net_income_cagr_3y,
    w.net_income_cagr_5y, w.eps_diluted_yoy, w.eps_diluted_qoq, w.eps_diluted_cagr_3y, w.eps_diluted_cagr_5y,
    w.operating_income_yoy, w.operating_income_qoq, w.operating_income_cagr_3y, w.operating_income_cagr_5y,
    w.free_cash_flow_yoy,
    w.free_cash_flow_qoq, w.free_cash_flow_cagr_3y, w.free_cash_flow_cagr_5y, w.total_assets_yoy, w.total_assets_qoq,
    w.total_assets_cagr_3y, w.total_assets_cagr_5y, w.stockholders_equity_yoy, w.stockholders_equity_qoq,
    w.stockholders_equity_cagr_3y, w.stockholders_equity_cagr_5y,
    w.reasons as null_reasons
from ratio_inputs as b
join wide as w on w.period_id = b.period_id
