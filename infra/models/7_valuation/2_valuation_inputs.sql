-- grain: vintage x valid_from. The fundamentals that market metrics of each range of days use, as doubles.
create or replace temporary table valuation_inputs as
with ranges as (select * from fundamentals_ranges),
ttm as (select * from new_fact_financials_ttm_history),
years as (
    select l.vintage_id, f.fiscal_date, f.reported_currency, f.revenue, s.split_adjusted_eps_diluted
    from vintage_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join split_adjusted_shares as s on s.version_id = l.version_id
    where f.period_type = 'FY'
),
statements as (
    select l.vintage_id, f.*, s.split_adjusted_shares_outstanding
    from vintage_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join split_adjusted_shares as s on s.version_id = l.version_id
),
eps_growth as (
    select b.vintage_id, b.fiscal_date, g.metric_value, g.reason
    from growth_values as g
    join period_inputs as b on b.period_id = g.period_id
    where g.metric = 'eps_diluted_yoy' and b.basis = 'TTM'
),
joined as (
    select
        r.range_id, r.is_stale, r.is_financial, r.quote_currency, r.unknown_reason,
        r.ttm_date, t.reason as ttm_reason, t.reported_currency as ttm_currency,
        t.ttm_revenue::double as revenue, t.ttm_net_income::double as net_income, t.ttm_ebitda::double as ebitda,
        t.ttm_ebit::double as ebit,
        t.ttm_operating_cash_flow::double as operating_cash_flow, t.ttm_free_cash_flow::double as free_cash_flow,
        -- negative in FMP's cash flow; the sign is reversed here and nowhere else
        -t.ttm_dividends_paid::double as dividends,
        t.ttm_eps_diluted_sum as eps_diluted_sum, t.latest_shares_outstanding::double as ttm_shares,
        r.fy_date, y.reported_currency as fy_currency, y.revenue::double as fy_revenue,
        y.split_adjusted_eps_diluted::double as fy_eps_diluted,
        r.latest_date, a.reported_currency as latest_currency, a.stockholders_equity::double as stockholders_equity,
        a.split_adjusted_shares_outstanding::double as latest_shares,
        (a.short_term_debt + a.long_term_debt)::double as borrowings,
        -- total debt includes leases; missing preferred stock or minority interest counts as zero
        (a.total_debt + coalesce(a.preferred_stock, 0) + coalesce(a.minority_interest, 0))::double
            - coalesce(
                a.cash_and_short_term_investments, a.cash_and_equivalents + a.short_term_investments
            )::double as net_claims,
        (a.total_debt - a.cash_and_equivalents)::double as net_debt,
        g.metric_value as eps_growth, g.reason as eps_growth_reason
    from ranges as r
    left join ttm as t on t.vintage_id = r.vintage_id and t.fiscal_date = r.ttm_date
    left join years as y on y.vintage_id = r.vintage_id and y.fiscal_date = r.fy_date
    left join statements as a
        on a.vintage_id = r.vintage_id and a.fiscal_date = r.latest_date and a.period_type = r.latest_basis
    left join eps_growth as g on g.vintage_id = r.vintage_id and g.fiscal_date = r.ttm_date
)
select *,
    -- an unknown currency on either side is not a mismatch
    coalesce(ttm_currency <> quote_currency, false) as ttm_mismatch,
    coalesce(fy_currency <> quote_currency, false) as fy_mismatch,
    coalesce(latest_currency <> quote_currency, false) as latest_mismatch,
    case
        when eps_diluted_sum <= 0 then 'negative_earnings'
        when eps_growth_reason is not null then eps_growth_reason
        when eps_growth <= 0 then 'nonpositive_denominator'
    end as peg_null_reason
from joined
