-- grain: vintage x as_of_date x basis (Q1..Q4, FY, TTM, MARKET) x metric. The metrics of the user's metrics file.
create or replace temporary table new_fact_custom_metrics as
{% for ratio in ratios %}
{{ "union all " if not loop.first }}select
    vintage_id, first_known_from, company_key, symbol,
    fiscal_date{{ " as as_of_date" if loop.first }}, fiscal_date_key{{ " as as_of_date_key" if loop.first }}, basis,
    '{{ ratio.name }}'{{ " as metric" if loop.first }}, {{ ratio.name }}{{ " as value" if loop.first }},
    {{ ratio.name }}_reason{{ " as reason" if loop.first }},
    {{ ratio.name }}_suspect{{ " as is_suspect" if loop.first }}
from custom_ratios
{% endfor %}
{% for metric in market_metrics %}
{{ "union all " if ratios or not loop.first }}select
    vintage_id, first_known_from, company_key, symbol,
    metric_date{{ " as as_of_date" if loop.first }}, metric_date_key{{ " as as_of_date_key" if loop.first }},
    'MARKET'{{ " as basis" if loop.first }}, '{{ metric.name }}'{{ " as metric" if loop.first }},
    {{ metric.name }}{{ " as value" if loop.first }}, {{ metric.name }}_reason{{ " as reason" if loop.first }},
    is_suspect
from custom_market_metrics
{% endfor %}
