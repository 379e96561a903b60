-- grain: company_key x metric_date x known_from: every price date with the fundamentals known on that day
create table if not exists analytics.fact_market_metrics_history (
    company_key varchar,
    symbol varchar,
    metric_date date,
    metric_date_key bigint,
    close_price decimal(38, 6), -- close of the session, on the newest split basis
    shares_outstanding_used decimal(38, 6), -- share count behind market_cap; shares_source says where it comes from
    shares_source varchar, -- profile or shares_float on the newest session; before it the latest known statement
    market_cap decimal(38, 6),
    enterprise_value decimal(38, 6),
    enterprise_value_fmp decimal(38, 6),
    pe_ratio double,
    pe_ratio_ttm double,
    pb_ratio double,
    ps_ratio double,
    ps_ratio_ttm double,
    p_to_fcf_ttm double,
    p_to_ocf_ttm double,
    peg_ratio double,
    ev_to_revenue double,
    ev_to_revenue_ttm double,
    ev_to_ebitda double,
    ev_to_ebit double,
    ev_to_fcf double,
    ev_to_ocf double,
    ev_to_revenue_ttm_fmp double,
    ev_to_ebitda_fmp double,
    ev_to_fcf_fmp double,
    ev_to_ocf_fmp double,
    debt_to_market_cap double,
    fcf_yield double,
    earnings_yield double,
    dividend_yield double,
    dividends_per_share_ttm double,
    payout_ratio double,
    return_1d double,
    return_5d double,
    return_21d double,
    return_63d double,
    return_126d double,
    return_252d double,
    total_return_252d double, -- return over 252 sessions, with each dividend reinvested on its ex-date
    volatility_30d double, -- annualised: sample standard deviation of the last 30 daily log returns, times √252
    volatility_90d double, -- annualised: sample standard deviation of the last 90 daily log returns, times √252
    beta_252d double, -- covariance with the index over its variance, of the last 252 log returns of shared sessions
    correlation_252d double, -- correlation with the index, of the last 252 log returns of shared sessions
    high_52w decimal(38, 6), -- highest high of the last 252 sessions
    low_52w decimal(38, 6), -- lowest low of the last 252 sessions
    sma_50 double, -- mean close of the last 50 sessions
    sma_200 double, -- mean close of the last 200 sessions
    max_drawdown_252d double, -- deepest fall from a close to a later one in the last 252 sessions, a negative fraction
    fundamentals_as_of date, -- newest period end of the fundamentals used
    fundamentals_known_on date, -- first day on which these fundamentals were known
    null_reasons varchar, -- the row's reasons for NULL in one text, |metric=reason|; analytics.metric_nulls reads it
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
