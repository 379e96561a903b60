-- grain: vintage x valid_from. The operands of valuation_terms pivoted into columns, most of them divisors of a price:
-- NULL if there is a reason.
create or replace temporary table valuation_divisors as
select
    range_id,
    max(case when metric = 'shares_outstanding_used' then operand end) as shares_outstanding_used_operand,
    max(case when metric = 'enterprise_value' then operand end) as enterprise_value_operand,
    max(case when metric = 'enterprise_value_fmp' then operand end) as enterprise_value_fmp_operand,
    max(case when metric = 'pe_ratio' then operand end) as pe_ratio_operand,
    max(case when metric = 'pe_ratio_ttm' then operand end) as pe_ratio_ttm_operand,
    max(case when metric = 'peg_ratio' then operand end) as peg_ratio_operand,
    max(case when metric = 'pb_ratio' then operand end) as pb_ratio_operand,
    max(case when metric = 'ps_ratio' then operand end) as ps_ratio_operand,
    max(case when metric = 'ps_ratio_ttm' then operand end) as ps_ratio_ttm_operand,
    max(case when metric = 'p_to_fcf_ttm' then operand end) as p_to_fcf_ttm_operand,
    max(case when metric = 'p_to_ocf_ttm' then operand end) as p_to_ocf_ttm_operand,
    max(case when metric = 'ev_to_revenue' then operand end) as ev_to_revenue_operand,
    max(case when metric = 'ev_to_revenue_ttm' then operand end) as ev_to_revenue_ttm_operand,
    max(case when metric = 'ev_to_ebitda' then operand end) as ev_to_ebitda_operand,
    max(case when metric = 'ev_to_ebit' then operand end) as ev_to_ebit_operand,
    max(case when metric = 'ev_to_fcf' then operand end) as ev_to_fcf_operand,
    max(case when metric = 'ev_to_ocf' then operand end) as ev_to_ocf_operand,
    max(case when metric = 'ev_to_revenue_ttm_fmp' then operand end) as ev_to_revenue_ttm_fmp_operand,
    max(case when metric = 'ev_to_ebitda_fmp' then operand end) as ev_to_ebitda_fmp_operand,
    max(case when metric = 'ev_to_fcf_fmp' then operand end) as ev_to_fcf_fmp_operand,
    max(case when metric = 'ev_to_ocf_fmp' then operand end) as ev_to_ocf_fmp_operand,
    max(case when metric = 'debt_to_market_cap' then operand end) as debt_to_market_cap_operand,
    max(case when metric = 'fcf_yield' then operand end) as fcf_yield_operand,
    max(case when metric = 'earnings_yield' then operand end) as earnings_yield_operand,
    max(case when metric = 'dividend_yield' then operand end) as dividend_yield_operand,
    max(case when metric = 'dividends_per_share_ttm' then operand end) as dividends_per_share_ttm_operand,
    max(case when metric = 'payout_ratio' then operand end) as payout_ratio_operand,
    -- all reasons of the range in one text, |metric=reason|metric=reason; every day's row carries it and metric_nulls
    -- reads it
    coalesce(max(case when metric = 'shares_outstanding_used' then '|shares_outstanding_used=' || reason end), '')
    || coalesce(max(case when metric = 'market_cap' then '|market_cap=' || reason end), '')
    || coalesce(max(case when metric = 'enterprise_value' then '|enterprise_value=' || reason end), '')
    || coalesce(max(case when metric = 'enterprise_value_fmp' then '|enterprise_value_fmp=' || reason end), '')
    || coalesce(max(case when metric = 'pe_ratio' then '|pe_ratio=' || reason end), '')
    || coalesce(max(case when metric = 'pe_ratio_ttm' then '|pe_ratio_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'pb_ratio' then '|pb_ratio=' || reason end), '')
    || coalesce(max(case when metric = 'ps_ratio' then '|ps_ratio=' || reason end), '')
    || coalesce(max(case when metric = 'ps_ratio_ttm' then '|ps_ratio_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'p_to_fcf_ttm' then '|p_to_fcf_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'p_to_ocf_ttm' then '|p_to_ocf_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'peg_ratio' then '|peg_ratio=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_revenue' then '|ev_to_revenue=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_revenue_ttm' then '|ev_to_revenue_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_ebitda' then '|ev_to_ebitda=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_ebit' then '|ev_to_ebit=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_fcf' then '|ev_to_fcf=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_ocf' then '|ev_to_ocf=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_revenue_ttm_fmp' then '|ev_to_revenue_ttm_fmp=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_ebitda_fmp' then '|ev_to_ebitda_fmp=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_fcf_fmp' then '|ev_to_fcf_fmp=' || reason end), '')
    || coalesce(max(case when metric = 'ev_to_ocf_fmp' then '|ev_to_ocf_fmp=' || reason end), '')
    || coalesce(max(case when metric = 'debt_to_market_cap' then '|debt_to_market_cap=' || reason end), '')
    || coalesce(max(case when metric = 'fcf_yield' then '|fcf_yield=' || reason end), '')
    || coalesce(max(case when metric = 'earnings_yield' then '|earnings_yield=' || reason end), '')
    || coalesce(max(case when metric = 'dividend_yield' then '|dividend_yield=' || reason end), '')
    || coalesce(max(case when metric = 'dividends_per_share_ttm' then '|dividends_per_share_ttm=' || reason end), '')
    || coalesce(max(case when metric = 'payout_ratio' then '|payout_ratio=' || reason end), '') as reasons
from valuation_terms
group by range_id
