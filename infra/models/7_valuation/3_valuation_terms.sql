-- grain: vintage x valid_from x metric. One SELECT per market metric; the CTE after them applies the same rules to
-- all.
-- operand: what the metric combines with the price. tested, rule: the figure that the rule checks.
-- source: ttm, fy, or latest (the latest statement).
-- family: price and ev cross currencies, ev is not meaningful for banks, own uses statements only, shares never
-- becomes stale.
create or replace temporary table valuation_terms as
with terms as (
    select
        range_id, 'shares_outstanding_used' as metric, latest_shares as operand, latest_shares as tested,
        'positive' as rule, 'latest' as source, 'shares' as family
    from valuation_inputs
    union all select range_id, 'enterprise_value', net_claims, net_claims, 'none', 'latest', 'price'
    from valuation_inputs
    union all select range_id, 'enterprise_value_fmp', net_debt, net_debt, 'none', 'latest', 'price'
    from valuation_inputs
    union all select range_id, 'pe_ratio', fy_eps_diluted, fy_eps_diluted, 'earnings', 'fy', 'price'
    from valuation_inputs
    union all select range_id, 'pe_ratio_ttm', eps_diluted_sum, eps_diluted_sum, 'earnings', 'ttm', 'price'
    from valuation_inputs
    union all select range_id, 'peg_ratio', eps_diluted_sum * 100.0::double * eps_growth, eps_diluted_sum, 'earnings',
        'ttm', 'peg'
    from valuation_inputs
    union all select range_id, 'pb_ratio', stockholders_equity / nullif(latest_shares, 0), stockholders_equity,
        'equity', 'latest', 'price'
    from valuation_inputs
    union all select range_id, 'ps_ratio', fy_revenue, fy_revenue, 'positive', 'fy', 'price' from valuation_inputs
    union all select range_id, 'ps_ratio_ttm', revenue, revenue, 'positive', 'ttm', 'price' from valuation_inputs
    union all select range_id, 'p_to_fcf_ttm', free_cash_flow, free_cash_flow, 'positive', 'ttm', 'price'
    from valuation_inputs
    union all select range_id, 'p_to_ocf_ttm', operating_cash_flow / nullif(ttm_shares, 0), operating_cash_flow,
        'positive', 'ttm', 'price'
    from valuation_inputs
    union all select range_id, 'ev_to_revenue', fy_revenue, fy_revenue, 'positive', 'fy', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_revenue_ttm', revenue, revenue, 'positive', 'ttm', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_ebitda', ebitda, ebitda, 'earnings', 'ttm', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_ebit', ebit, ebit, 'earnings', 'ttm', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_fcf', free_cash_flow, free_cash_flow, 'positive', 'ttm', 'ev'
    from valuation_inputs
    union all select range_id, 'ev_to_ocf', operating_cash_flow, operating_cash_flow, 'positive', 'ttm', 'ev'
    from valuation_inputs
    union all select range_id, 'ev_to_revenue_ttm_fmp', revenue, revenue, 'positive', 'ttm', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_ebitda_fmp', ebitda, ebitda, 'earnings', 'ttm', 'ev' from valuation_inputs
    union all select range_id, 'ev_to_fcf_fmp', free_cash_flow, free_cash_flow, 'positive', 'ttm', 'ev'
    from valuation_inputs
    union all select range_id, 'ev_to_ocf_fmp', operating_cash_flow, operating_cash_flow, 'positive', 'ttm', 'ev'
    from valuation_inputs
    union all select range_id, 'debt_to_market_cap', borrowings, borrowings, 'none', 'latest', 'price'
    from valuation_inputs
    union all select range_id, 'fcf_yield', free_cash_flow, free_cash_flow, 'none', 'ttm', 'price' from valuation_inputs
    union all select range_id, 'earnings_yield', net_income / nullif(ttm_shares, 0), net_income, 'none', 'ttm', 'price'
    from valuation_inputs
    -- from the cash flow statement, for a company without any dividend event
    union all select range_id, 'dividend_yield', dividends, dividends, 'none', 'ttm', 'dividend' from valuation_inputs
    union all select range_id, 'dividends_per_share_ttm', dividends / nullif(ttm_shares, 0), dividends, 'none', 'ttm',
        'dividend'
    from valuation_inputs
    union all select range_id, 'payout_ratio', dividends / nullif(net_income, 0), net_income, 'earnings', 'ttm', 'own'
    from valuation_inputs
),
judged as (
    select
        t.range_id, t.metric, t.operand,
        case
            when t.source = 'ttm' and b.ttm_date is null then b.unknown_reason
            when t.source = 'fy' and b.fy_date is null then b.unknown_reason
            when t.source = 'latest' and b.latest_date is null then b.unknown_reason
            when b.is_stale and t.family <> 'shares' then 'stale_fundamentals'
            when t.source = 'ttm' and b.ttm_reason is not null then b.ttm_reason
            when b.is_financial and t.family = 'ev' then 'not_meaningful_for_sector'
            -- zero dividends are zero in every currency
            when t.family = 'dividend' and t.tested = 0 then null
            when t.source = 'ttm' and b.ttm_mismatch and t.family in ('price', 'ev', 'peg', 'dividend')
                then 'currency_mismatch'
            when t.source = 'fy' and b.fy_mismatch and t.family in ('price', 'ev') then 'currency_mismatch'
            when (t.source = 'latest' or t.family = 'ev') and b.latest_mismatch and t.family in ('price', 'ev')
                then 'currency_mismatch'
            when t.family = 'peg' and b.peg_null_reason is not null then b.peg_null_reason
            when t.tested is null then 'missing_input'
            when t.rule = 'earnings' and t.tested <= 0 then 'negative_earnings'
            when t.rule = 'equity' and t.tested <= 0 then 'negative_equity'
            when t.rule = 'positive' and t.tested <= 0 then 'nonpositive_denominator'
            when t.operand is null then 'missing_input'
        end as reason
    from terms as t
    join valuation_inputs as b on b.range_id = t.range_id
)
select range_id, metric, case when reason is null then operand end as operand, reason
from judged
