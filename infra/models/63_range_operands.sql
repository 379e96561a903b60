-- grain: company x valid_from. The lines of range_values turned into columns: NULL wherever there is a reason.
create or replace temporary table range_operands as
select
    range_id,
    max(case when metric = 'shares_outstanding_used' then operand end) as shares_outstanding_used,
    max(case when metric = 'enterprise_value' then operand end) as enterprise_value,
    max(case when metric = 'enterprise_value_fmp' then operand end) as enterprise_value_fmp,
    max(case when metric = 'pe_ratio' then operand end) as pe_ratio,
    max(case when metric = 'pe_ratio_ttm' then operand end) as pe_ratio_ttm,
    max(case when metric = 'peg_ratio' then operand end) as peg_ratio,
    max(case when metric = 'pb_ratio' then operand end) as pb_ratio,
    max(case when metric = 'ps_ratio' then operand end) as ps_ratio,
    max(case when metric = 'ps_ratio_ttm' then operand end) as ps_ratio_ttm,
    max(case when metric = 'p_to_fcf_ttm' then operand end) as p_to_fcf_ttm,
    max(case when metric = 'p_to_ocf_ttm' then operand end) as p_to_ocf_ttm,
    max(case when metric = 'ev_to_revenue' then operand end) as ev_to_revenue,
    max(case when metric = 'ev_to_revenue_ttm' then operand end) as ev_to_revenue_ttm,
    max(case when metric = 'ev_to_ebitda' then operand end) as ev_to_ebitda,
    max(case when metric = 'ev_to_ebit' then operand end) as ev_to_ebit,
    max(case when metric = 'ev_to_fcf' then operand end) as ev_to_fcf,
    max(case when metric = 'ev_to_ocf' then operand end) as ev_to_ocf,
    max(case when metric = 'ev_to_revenue_ttm_fmp' then operand end) as ev_to_revenue_ttm_fmp,
    max(case when metric = 'ev_to_ebitda_fmp' then operand end) as ev_to_ebitda_fmp,
    max(case when metric = 'ev_to_fcf_fmp' then operand end) as ev_to_fcf_fmp,
    max(case when metric = 'ev_to_ocf_fmp' then operand end) as ev_to_ocf_fmp,
    max(case when metric = 'debt_to_market_cap' then operand end) as debt_to_market_cap,
    max(case when metric = 'fcf_yield' then operand end) as fcf_yield,
    max(case when metric = 'earnings_yield' then operand end) as earnings_yield,
    max(case when metric = 'dividend_yield' then operand end) as dividend_yield,
    max(case when metric = 'dividends_per_share_ttm' then operand end) as dividends_per_share_ttm,
    max(case when metric = 'payout_ratio' then operand end) as payout_ratio
from range_values
group by range_id
