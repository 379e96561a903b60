-- grain: company_key x subject_date x basis (Q1..Q4, FY, TTM, MARKET) x metric: why a metric is NULL, one row for
-- every NULL.
-- The reasons are stored beside the figures: one row per day and metric would be several times the size of the facts.
create or replace view analytics.metric_nulls as
with ttm_nulls as (
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
period_nulls as (
    {% for ratio in ratios %}
    {{ "union all " if not loop.first }}select
        company_key, symbol, fiscal_date, fiscal_date_key, basis, '{{ ratio.name }}'{{ " as metric" if loop.first }},
        null_reasons
    from analytics.fact_financial_ratios where {{ ratio.name }} is null
    {% endfor %}
    {% for rate in growth_rates %}
    union all select company_key, symbol, fiscal_date, fiscal_date_key, basis, '{{ rate.name }}', null_reasons
    from analytics.fact_growth_rates where {{ rate.name }} is null
    {% endfor %}
),
market_nulls as (
    {% for metric in market_metrics + price_metrics %}
    {{ "union all " if not loop.first }}select
        company_key, symbol, metric_date, metric_date_key, '{{ metric.name }}'{{ " as metric" if loop.first }},
        null_reasons
    from analytics.fact_market_metrics where {{ metric.name }} is null
    {% endfor %}
),
market_reasons as (
    select
        company_key, symbol, metric_date, metric_date_key, metric,
        nullif(split_part(split_part(null_reasons, '|' || metric || '=', 2), '|', 1), '') as own_reason,
        nullif(split_part(split_part(null_reasons, '|shares_outstanding_used=', 2), '|', 1), '') as shares_reason
    from market_nulls
)
select
    company_key, symbol, fiscal_date as subject_date, fiscal_date_key as subject_date_key, basis, metric,
    coalesce(
        nullif(split_part(split_part(null_reasons, '|' || metric || '=', 2), '|', 1), ''), 'missing_input'
    ) as reason
from period_nulls
union all
select company_key, symbol, fiscal_date, fiscal_date_key, 'TTM', metric, coalesce(reason, 'missing_input')
from ttm_nulls
union all
-- if the share count is missing, metrics that use the market cap have the reason of the share count
select
    company_key, symbol, metric_date, metric_date_key, 'MARKET', metric,
    coalesce(own_reason, shares_reason, 'missing_input')
from market_reasons
