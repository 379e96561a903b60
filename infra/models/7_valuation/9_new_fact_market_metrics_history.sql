-- grain: vintage x metric_date (from prices_from on). The day's price against the fundamentals known on that day.
-- pe_ratio_ttm divides by the sum of the four reported diluted EPS, as the market does. enterprise_value is the wide
-- definition, the columns with _fmp have FMP's.
create or replace temporary table new_fact_market_metrics_history as
with recomputed_companies as (select symbol, company_key from companies),
valued as (
    select
        d.*,
        o.* exclude (range_id),
        d.price * d.shares as market_cap,
        d.price * d.shares + o.enterprise_value_operand as enterprise_value,
        d.price * d.shares + o.enterprise_value_fmp_operand as enterprise_value_fmp
    from valuation_days as d
    join valuation_divisors as o on o.range_id = d.range_id
)
select
    v.vintage_id,
    -- a day's figures are known at its close, 16:00 in New York: 21:00 UTC, or 20:00 in summer
    (w.price_date::timestamp + interval '21 hours')::timestamp as first_known_from,
    c.company_key, w.symbol, w.price_date as metric_date,
    (year(w.price_date) * 10000 + month(w.price_date) * 100 + day(w.price_date))::bigint as metric_date_key,
    w.close_price, v.shares::decimal(38, 6) as shares_outstanding_used, v.shares_source,
    v.market_cap::decimal(38, 6) as market_cap, v.enterprise_value::decimal(38, 6) as enterprise_value,
    v.enterprise_value_fmp::decimal(38, 6) as enterprise_value_fmp,
    v.price / nullif(v.pe_ratio_operand, 0) as pe_ratio,
    v.price / nullif(v.pe_ratio_ttm_operand, 0) as pe_ratio_ttm,
    v.price / nullif(v.pb_ratio_operand, 0) as pb_ratio,
    v.market_cap / nullif(v.ps_ratio_operand, 0) as ps_ratio,
    v.market_cap / nullif(v.ps_ratio_ttm_operand, 0) as ps_ratio_ttm,
    v.market_cap / nullif(v.p_to_fcf_ttm_operand, 0) as p_to_fcf_ttm,
    v.price / nullif(v.p_to_ocf_ttm_operand, 0) as p_to_ocf_ttm,
    v.price / nullif(v.peg_ratio_operand, 0) as peg_ratio,
    v.enterprise_value / nullif(v.ev_to_revenue_operand, 0) as ev_to_revenue,
    v.enterprise_value / nullif(v.ev_to_revenue_ttm_operand, 0) as ev_to_revenue_ttm,
    v.enterprise_value / nullif(v.ev_to_ebitda_operand, 0) as ev_to_ebitda,
    v.enterprise_value / nullif(v.ev_to_ebit_operand, 0) as ev_to_ebit,
    v.enterprise_value / nullif(v.ev_to_fcf_operand, 0) as ev_to_fcf,
    v.enterprise_value / nullif(v.ev_to_ocf_operand, 0) as ev_to_ocf,
    v.enterprise_value_fmp / nullif(v.ev_to_revenue_ttm_fmp_operand, 0) as ev_to_revenue_ttm_fmp,
    v.enterprise_value_fmp / nullif(v.ev_to_ebitda_fmp_operand, 0) as ev_to_ebitda_fmp,
    v.enterprise_value_fmp / nullif(v.ev_to_fcf_fmp_operand, 0) as ev_to_fcf_fmp,
    v.enterprise_value_fmp / nullif(v.ev_to_ocf_fmp_operand, 0) as ev_to_ocf_fmp,
    v.debt_to_market_cap_operand / nullif(v.market_cap, 0) as debt_to_market_cap,
    v.fcf_yield_operand / nullif(v.market_cap, 0) as fcf_yield,
    v.earnings_yield_operand / nullif(v.price, 0) as earnings_yield,
    case
        when v.dividends_per_share is not null then v.dividends_per_share / nullif(v.price, 0)
        when v.dividend_yield_operand = 0 then 0.0::double
        else v.dividend_yield_operand / nullif(v.market_cap, 0)
    end as dividend_yield,
    case
        when v.dividends_per_share is not null then v.dividends_per_share
        when v.dividend_yield_operand = 0 then 0.0::double
        else v.dividends_per_share_ttm_operand
    end as dividends_per_share_ttm,
    v.payout_ratio_operand as payout_ratio,
    w.return_1d, w.return_5d, w.return_21d, w.return_63d, w.return_126d, w.return_252d, w.total_return_252d,
    w.volatility_30d, w.volatility_90d,
    i.beta_252d, i.correlation_252d, w.high_52w, w.low_52w, w.sma_50, w.sma_200, w.max_drawdown_252d,
    v.fundamentals_as_of, v.fundamentals_known_on,
    -- reasons of figures that need fundamentals belong to the range; reasons of figures from prices only depend on the
    -- number of sessions
    v.reasons || case
        when w.return_1d is not null
            and w.return_5d is not null
            and w.return_21d is not null
            and w.return_63d is not null
            and w.return_126d is not null
            and w.return_252d is not null
            and w.total_return_252d is not null
            and w.volatility_30d is not null
            and w.volatility_90d is not null
            and i.beta_252d is not null
            and i.correlation_252d is not null
            and w.high_52w is not null
            and w.low_52w is not null
            and w.sma_50 is not null
            and w.sma_200 is not null
            and w.max_drawdown_252d is not null then ''
        else
            case
                when w.return_1d is null
                    then '|return_1d=' || case when w.session_no < 2 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.return_5d is null
                    then '|return_5d=' || case when w.session_no < 6 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.return_21d is null
                    then '|return_21d=' || case when w.session_no < 22 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.return_63d is null
                    then '|return_63d=' || case when w.session_no < 64 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.return_126d is null
                    then '|return_126d=' || case when w.session_no < 127 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.return_252d is null
                    then '|return_252d=' || case when w.session_no < 253 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.total_return_252d is null
                    then '|total_return_252d=' || case when w.session_no < 253 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.volatility_30d is null
                    then '|volatility_30d=' || case when w.session_no < 31 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.volatility_90d is null
                    then '|volatility_90d=' || case when w.session_no < 91 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when i.beta_252d is null
                    then '|beta_252d=' || case when w.session_no < 253 then 'insufficient_history'
                        else case when i.symbol is not null then 'nonpositive_denominator' else 'missing_input' end end
                else ''
            end
            || case
                when i.correlation_252d is null
                    then '|correlation_252d=' || case when w.session_no < 253 then 'insufficient_history'
                        else case when i.symbol is not null then 'nonpositive_denominator' else 'missing_input' end end
                else ''
            end
            || case
                when w.high_52w is null
                    then '|high_52w=' || case when w.session_no < 252 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.low_52w is null
                    then '|low_52w=' || case when w.session_no < 252 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.sma_50 is null
                    then '|sma_50=' || case when w.session_no < 50 then 'insufficient_history' else 'missing_input' end
                else ''
            end
            || case
                when w.sma_200 is null
                    then '|sma_200=' || case when w.session_no < 200 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
            || case
                when w.max_drawdown_252d is null
                    then '|max_drawdown_252d=' || case when w.session_no < 252 then 'insufficient_history'
                        else 'missing_input' end
                else ''
            end
    end as null_reasons
from price_windows as w
join valued as v on v.symbol = w.symbol and v.price_date = w.price_date
join recomputed_companies as c on c.symbol = w.symbol
left join index_windows as i on i.symbol = w.symbol and i.price_date = w.price_date
