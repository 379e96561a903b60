{% extends "7_valuation/4_valuation_operands.sql" %}
{% block created %}
-- grain: vintage x valid_from. For each market metric of the user's metrics file its operands, and its reason for NULL
-- if that follows from fundamentals.
create or replace temporary table custom_operands as
with
{% endblock %}
{% block operands %}
select
    i.range_id
    {% for metric in market_metrics %}
    {% if metric.checked %}
    , i.{{ metric.name }}_reason
    {% endif %}
    {% for operand in metric.operands %}
    , case when i.{{ metric.name }}_reason is null then {{ operand.sql }} end as {{ operand.column }}
    {% endfor %}
    {% endfor %}
from judged as i
{% endblock %}
