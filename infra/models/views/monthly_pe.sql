-- grain: company_key x month_start. P/E of the last twelve months at the last session of each month (of the present
-- month: at the newest session), as known at that close, with the lowest, median and highest P/E of the five years up
-- to that month. Prices and EPS are on the newest split basis. A backtest may use it.
create or replace view analytics.monthly_pe (
    company_key,
    symbol,
    month_start, -- date: first day of the month
    metric_date, -- date: last session of the company in the month
    close_price,
    eps_diluted_ttm, -- double: money a share; sum of the diluted EPS of the twelve months, as known at the close
    pe_ratio_ttm,
    earnings_yield,
    pe_reason, -- varchar: why pe_ratio_ttm is NULL
    fundamentals_as_of,
    is_suspect,
    suspect_reason,
    pe_min_5y, -- double: ratio; lowest P/E of the month ends of five years; suspect figures are left out
    pe_median_5y, -- double: ratio; median P/E of these month ends
    pe_max_5y, -- double: ratio; highest P/E of these month ends
    pe_months_5y -- bigint: number of these month ends with a P/E, at most 60
) as
with month_ends as (
    select company_key, date_trunc('month', metric_date)::date as month_start, max(metric_date) as metric_date
    from analytics.fact_market_metrics_history
    group by company_key, date_trunc('month', metric_date)::date
),
-- the first version of a day has what was known at its close
as_known as (
    select
        m.company_key, m.symbol, e.month_start, m.metric_date, m.close_price, m.pe_ratio_ttm, m.earnings_yield,
        m.null_reasons, m.fundamentals_as_of, m.is_suspect, m.suspect_reason, m.known_from,
        case when not m.is_suspect then m.pe_ratio_ttm end as sound_pe
    from analytics.fact_market_metrics_history as m
    join month_ends as e on e.company_key = m.company_key and e.metric_date = m.metric_date
    qualify row_number() over (partition by m.company_key, m.metric_date order by m.known_from) = 1
),
five_years as (
    select
        h.company_key, h.month_start, min(p.sound_pe) as lowest, median(p.sound_pe) as middle,
        max(p.sound_pe) as highest, count(p.sound_pe) as months
    from as_known as h
    join as_known as p
        on p.company_key = h.company_key and p.month_start <= h.month_start
        and p.month_start > (h.month_start - interval '5 years')::date
    group by h.company_key, h.month_start
)
select
    h.company_key, h.symbol, h.month_start, h.metric_date, h.close_price,
    t.ttm_eps_diluted_sum as eps_diluted_ttm, h.pe_ratio_ttm, h.earnings_yield,
    case
        when h.pe_ratio_ttm is null then coalesce(
            nullif(split_part(split_part(h.null_reasons, '|pe_ratio_ttm=', 2), '|', 1), ''), 'missing_input'
        )
    end as pe_reason,
    h.fundamentals_as_of, h.is_suspect, h.suspect_reason, f.lowest as pe_min_5y, f.middle as pe_median_5y,
    f.highest as pe_max_5y, f.months as pe_months_5y
from as_known as h
join five_years as f on f.company_key = h.company_key and f.month_start = h.month_start
left join analytics.fact_financials_ttm_history as t
    on t.company_key = h.company_key and t.fiscal_date = h.fundamentals_as_of and t.known_from <= h.known_from
    and coalesce(t.known_to, timestamp '9999-12-31 00:00:00') > h.known_from
