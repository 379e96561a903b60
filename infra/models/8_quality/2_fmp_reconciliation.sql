-- grain: company. FMP's figures and the computed figures of the same day in one row, for companies that have both
-- FMP's figures and twelve months of statements. FMP's figures have no date, so they count as of the day on which
-- they were fetched. This model determines once, for all figures, whether they can be compared and the reason if they
-- cannot.
create or replace temporary table fmp_reconciliation as
with recomputed_companies as (select symbol, company_key, prices_from from companies),
current_vintages as (select vintage_id from vintages where is_current),
twelve_months as (
    select t.symbol, t.fiscal_date, t.known_on
    from new_fact_financials_ttm_history as t
    join current_vintages as l on l.vintage_id = t.vintage_id
),
ratios as (
    select r.*
    from new_fact_financial_ratios_history as r
    join current_vintages as l on l.vintage_id = r.vintage_id
    where r.basis = 'TTM'
),
fmp_ratios as (
    select f.*
    from staging.ratios_ttm as f
    join companies as m on m.symbol = f.symbol
),
fmp_metrics as (
    select f.*
    from staging.key_metrics_ttm as f
    join companies as m on m.symbol = f.symbol
),
new_days as (
    select
        m.symbol, m.metric_date, m.close_price, m.shares_source, m.null_reasons,
        {% for metric in market_metrics if metric.fmp %}
        m.{{ metric.name }}{{ "," if not loop.last }}
        {% endfor %}
    from new_fact_market_metrics_history as m
    join current_vintages as l on l.vintage_id = m.vintage_id
),
-- days before prices_from are not recomputed
old_days as (
    select
        m.symbol, m.metric_date, m.close_price, m.shares_source, m.null_reasons,
        {% for metric in market_metrics if metric.fmp %}
        m.{{ metric.name }}{{ "," if not loop.last }}
        {% endfor %}
    from analytics.fact_market_metrics as m
    join recomputed_companies as c on c.symbol = m.symbol and m.metric_date < c.prices_from
),
statements as (
    select symbol, period_type, fiscal_date, observed_at from staging.income_statement
    union all
    select symbol, period_type, fiscal_date, observed_at from staging.balance_sheet
    union all
    select symbol, period_type, fiscal_date, observed_at from staging.cash_flow
),
newest as (
    select * from twelve_months
    qualify row_number() over (partition by symbol order by fiscal_date desc nulls last, known_on desc nulls last) = 1
),
answers as (
    select
        c.company_key, c.symbol, n.fiscal_date, n.known_on, f.observed_at as ratios_at, k.observed_at as metrics_at,
        (f.observed_at - interval '5 hours')::date as ratios_on,
        (k.observed_at - interval '5 hours')::date as metrics_on,
        -- the price that FMP used, derived from its ratios
        coalesce(
            nullif(f.price_to_book_ratio_ttm * f.shareholders_equity_per_share_ttm, 0),
            nullif(f.price_to_operating_cash_flow_ratio_ttm * f.operating_cash_flow_per_share_ttm, 0)
        ) as fmp_price
    from recomputed_companies as c
    join newest as n on n.symbol = c.symbol
    left join fmp_ratios as f on f.symbol = c.symbol
    left join fmp_metrics as k on k.symbol = c.symbol
    where f.symbol is not null or k.symbol is not null
),
answered as (select *, coalesce(ratios_on, metrics_on) as answered_on from answers),
-- when the newest version of a quarter within the twelve months was received
received as (
    select s.symbol, max(s.observed_at) as received_at
    from statements as s
    join answered as a on a.symbol = s.symbol and s.fiscal_date <= a.fiscal_date and s.fiscal_date > a.fiscal_date - 380
    where s.period_type <> 'FY'
    group by s.symbol
),
days as (
    select d.*
    from (select * from new_days union all select * from old_days) as d
    join answered as a on a.symbol = d.symbol and d.metric_date <= a.answered_on and d.metric_date > a.answered_on - 10
    qualify row_number() over (partition by d.symbol order by d.metric_date desc nulls last) = 1
)
select
    a.company_key, a.symbol, a.fiscal_date, coalesce(d.metric_date, a.answered_on) as metric_date,
    case when a.ratios_at < v.received_at or a.ratios_on < a.known_on then 'fmp_older_than_ours' end as ratios_reason,
    case
        when a.metrics_at < v.received_at or a.metrics_on < a.known_on then 'fmp_older_than_ours'
    end as metrics_reason,
    -- FMP uses the price at the time of the call, and findata uses the close. A difference of up to 0.1 % counts as
    -- the same price
    case
        when a.fmp_price is null or a.metrics_on <> a.ratios_on then 'other_price'
        when abs(a.fmp_price - d.close_price::double) > 0.001::double * d.close_price::double then 'other_price'
    end as price_reason,
    -- FMP uses the current share count; findata uses it on the newest day only
    case when d.shares_source = 'statement' then 'other_share_count' end as shares_reason,
    r.* exclude (
        vintage_id, first_known_from, company_key, symbol, fiscal_date, fiscal_date_key, basis, reported_currency,
        null_reasons
    ),
    coalesce(r.null_reasons, '') || coalesce(d.null_reasons, '') as null_reasons,
    d.* exclude (symbol, metric_date, close_price, shares_source, null_reasons),
    f.* exclude (symbol, row_hash, observed_at, run_id, source_file, source_row),
    k.* exclude (symbol, row_hash, observed_at, run_id, source_file, source_row)
from answered as a
left join received as v on v.symbol = a.symbol
left join ratios as r on r.symbol = a.symbol and r.fiscal_date = a.fiscal_date
left join days as d on d.symbol = a.symbol
left join fmp_ratios as f on f.symbol = a.symbol
left join fmp_metrics as k on k.symbol = a.symbol
