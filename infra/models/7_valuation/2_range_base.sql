-- grain: lane x valid_from. What each range of days divides by, as doubles under one set of names.
create or replace temporary table range_base as
with ranges as (select * from known_ranges),
ttm as (select * from new_fact_financials_ttm_history),
years as (
    select l.lane_id, f.fiscal_date, f.reported_currency, f.revenue, s.basis_eps_diluted
    from lane_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join share_bases as s on s.version_id = l.version_id
    where f.period_type = 'FY'
),
statements as (
    select l.lane_id, f.*, s.basis_shares_outstanding
    from lane_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join share_bases as s on s.version_id = l.version_id
),
eps_growth as (
    select b.lane_id, b.fiscal_date, g.metric_value, g.reason
    from growth_values as g
    join period_base as b on b.period_id = g.period_id
    where g.metric = 'eps_diluted_yoy' and b.basis = 'TTM'
),
joined as (
    select
        r.range_id, r.is_stale, r.is_financial, r.quote_currency, r.unknown_reason,
        r.ttm_date, t.reason as ttm_reason, t.reported_currency as ttm_currency,
        t.ttm_revenue::double as revenue, t.ttm_net_income::double as net_income, t.ttm_ebitda::double as ebitda, t.ttm_ebit::double as ebit,
        t.ttm_operating_cash_flow::double as operating_cash_flow, t.ttm_free_cash_flow::double as free_cash_flow,
        -- negative in FMP's cash flow: the sign turns here, once
        -t.ttm_dividends_paid::double as dividends,
        t.ttm_eps_diluted_sum as eps_diluted_sum, t.latest_shares_outstanding::double as ttm_shares,
        r.fy_date, y.reported_currency as fy_currency, y.revenue::double as fy_revenue, y.basis_eps_diluted::double as fy_eps_diluted,
        r.any_date, a.reported_currency as any_currency, a.stockholders_equity::double as stockholders_equity,
        a.basis_shares_outstanding::double as any_shares, (a.short_term_debt + a.long_term_debt)::double as borrowings,
        -- leases are in total debt; a line of preferred stock or minorities that is not there is none
        (a.total_debt + coalesce(a.preferred_stock, 0) + coalesce(a.minority_interest, 0))::double
            - coalesce(a.cash_and_short_term_investments, a.cash_and_equivalents + a.short_term_investments)::double as net_claims,
        (a.total_debt - a.cash_and_equivalents)::double as net_debt,
        g.metric_value as eps_growth, g.reason as eps_growth_reason
    from ranges as r
    left join ttm as t on t.lane_id = r.lane_id and t.fiscal_date = r.ttm_date
    left join years as y on y.lane_id = r.lane_id and y.fiscal_date = r.fy_date
    left join statements as a on a.lane_id = r.lane_id and a.fiscal_date = r.any_date and a.period_type = r.any_basis
    left join eps_growth as g on g.lane_id = r.lane_id and g.fiscal_date = r.ttm_date
)
select *,
    -- a currency that is not known on either side is no mismatch
    coalesce(ttm_currency <> quote_currency, false) as ttm_mismatch,
    coalesce(fy_currency <> quote_currency, false) as fy_mismatch,
    coalesce(any_currency <> quote_currency, false) as any_mismatch,
    case
        when eps_diluted_sum <= 0 then 'negative_earnings'
        when eps_growth_reason is not null then eps_growth_reason
        when eps_growth <= 0 then 'nonpositive_denominator'
    end as peg_obstacle
from joined
