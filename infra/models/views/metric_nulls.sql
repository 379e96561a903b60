-- grain: company_key x subject_date x basis (Q1..Q4, FY, TTM, MARKET) x metric: why a metric is NULL, one row for
-- every NULL.
-- The reasons are stored beside the figures, |metric=reason|metric=reason: one row per day and metric would be several
-- times the size of the facts. The view splits these texts. An entry with the name of a horizon, |cagr_3y=reason, is
-- the reason of all growth rates over that horizon.
create or replace view analytics.metric_nulls as
with digits as (
    select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
    union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
),
positions as (
    select 100 * a.n + 10 * b.n + c.n as n
    from digits as a
    cross join digits as b
    cross join digits as c
),
ttm_nulls as (
    {% for line in flows + ["eps", "eps_diluted", "eps_diluted_sum"] %}
    {{ "union all " if not loop.first }}select
        company_key, symbol, fiscal_date, fiscal_date_key, 'ttm_{{ line }}'{{ " as metric" if loop.first }},
        {% if line in ["eps", "eps_diluted", "eps_diluted_sum"] %}
        coalesce(reason, {{ ttm_count_reason }})
        {% else %}
        reason{{ " as reason" if loop.first }}
        {% endif %}
    from analytics.fact_financials_ttm as t where ttm_{{ line }} is null
    {% endfor %}
),
market as (
    select
        company_key, symbol, metric_date, metric_date_key, null_reasons,
        shares_outstanding_used is null as is_uncounted,
        split_part(split_part(null_reasons, '|shares_outstanding_used=', 2), '|', 1) as shares_reason,
        -- metrics that have a value from another source although their fundamentals have a reason
        concat(
            {% for metric in market_metrics if metric.has_alternative %}
            case when {{ metric.name }} is not null then '|{{ metric.name }}=' else '' end{{ "," if not loop.last }}
            {% endfor %}
        ) as valued
    from analytics.fact_market_metrics
),
stored as (
    select
        company_key, symbol, fiscal_date as subject_date, fiscal_date_key as subject_date_key, basis, null_reasons,
        '' as valued
    from analytics.fact_financial_ratios
    union all
    select company_key, symbol, fiscal_date, fiscal_date_key, basis, null_reasons, '' from analytics.fact_growth_rates
    union all
    select company_key, symbol, metric_date, metric_date_key, 'MARKET', null_reasons, valued from market
),
-- the text before the first bar is empty, so the first reason has position 2 of split_part
entries as (
    select
        s.company_key, s.symbol, s.subject_date, s.subject_date_key, s.basis, s.valued,
        split_part(s.null_reasons, '|', p.n + 1) as entry
    from stored as s
    join positions as p
        on p.n between 1 and length(s.null_reasons) - length(replace(s.null_reasons, '|', ''))
),
of_horizons as (
    {% for rate in growth_rates %}
    {{ "union all " if not loop.first }}select
        '{{ rate.horizon }}'{{ " as horizon" if loop.first }}, '{{ rate.name }}'{{ " as metric" if loop.first }}
    {% endfor %}
),
of_shares as (
    {% for metric in market_metrics if metric.needs_shares %}
    {{ "union all " if not loop.first }}select '{{ metric.name }}'{{ " as metric" if loop.first }}
    {% endfor %}
)
select
    e.company_key, e.symbol, e.subject_date, e.subject_date_key, e.basis,
    coalesce(h.metric, split_part(e.entry, '=', 1)) as metric, split_part(e.entry, '=', 2) as reason
from entries as e
left join of_horizons as h on h.horizon = split_part(e.entry, '=', 1)
where not contains(e.valued, '|' || split_part(e.entry, '=', 1) || '=')
union all
select company_key, symbol, fiscal_date, fiscal_date_key, 'TTM', metric, coalesce(reason, 'missing_input')
from ttm_nulls
union all
-- without a share count, a metric that needs it has the reason of the share count, unless it has its own
select
    m.company_key, m.symbol, m.metric_date, m.metric_date_key, 'MARKET', o.metric,
    coalesce(nullif(m.shares_reason, ''), 'missing_input')
from market as m
cross join of_shares as o
where m.is_uncounted and not contains(m.null_reasons || m.valued, '|' || o.metric || '=')
