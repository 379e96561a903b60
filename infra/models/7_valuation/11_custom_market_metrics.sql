{% extends "7_valuation/10_new_fact_market_metrics_history.sql" %}
{% block created %}
-- grain: vintage x metric_date (from prices_from on). The market metrics of the user's metrics file, each with its
-- reason for NULL.
create or replace temporary table custom_market_metrics as
{% endblock %}
{% block operands %}
        {% if has_operands %}
        c.* exclude (range_id),
        {% endif %}
{% endblock %}
{% block joins %}
    {% if has_operands %}
    join custom_operands as c on c.range_id = d.range_id
    {% endif %}
{% endblock %}
{% block figures %}
,
with_reasons as (
    select
        *, nullif(split_part(split_part(reasons, '|shares_outstanding_used=', 2), '|', 1), '') as shares_reason
    from valued
),
judged as (
    select v.*,
        {% for metric in market_metrics %}
        case
            {% if metric.checked %}
            when v.{{ metric.name }}_reason is not null then v.{{ metric.name }}_reason
            {% endif %}
            {% if metric.enterprise_value %}
            when v.{{ metric.enterprise_value }} <= 0 then 'negative_enterprise_value'
            {% endif %}
            {% for refusal in metric.day_refusals %}
            when {{ refusal.condition }} then '{{ refusal.reason }}'
            {% endfor %}
            when {{ metric.day_value }} is null
                then {{ "coalesce(v.shares_reason, 'missing_input')" if metric.needs_shares else "'missing_input'" }}
        end as {{ metric.name }}_why{{ "," if not loop.last }}
        {% endfor %}
    from with_reasons as v
)
select
    v.vintage_id,
    -- the figures of a day are known at its close, see new_fact_market_metrics_history
    (v.price_date::timestamp + interval '21 hours')::timestamp as first_known_from,
    c.company_key, v.symbol, v.price_date as metric_date,
    (year(v.price_date) * 10000 + month(v.price_date) * 100 + day(v.price_date))::bigint as metric_date_key,
    {% for metric in market_metrics %}
    case when v.{{ metric.name }}_why is null then {{ metric.day_value }} end as {{ metric.name }},
    v.{{ metric.name }}_why as {{ metric.name }}_reason,
    {% endfor %}
    v.suspect_reason is not null as is_suspect
from judged as v
join recomputed_companies as c on c.symbol = v.symbol
{% endblock %}
