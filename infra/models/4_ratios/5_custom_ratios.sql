{% extends "4_ratios/4_new_fact_financial_ratios_history.sql" %}
{% block created %}
-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The ratios of the user's metrics file, each with its reason
-- for NULL and whether it is suspect.
create or replace temporary table custom_ratios as
{% endblock %}
{% block suspects %}
-- a ratio is suspect if the period is, or if a suspicion of an earlier period concerns the inputs used from it
all_suspects as (
    select period_id, suspicion, 0 as years_ago from input_suspects
    union all
    select a.period_id, s.suspicion, 1
    from pairs as a
    join input_suspects as s on s.period_id = a.base_period_id
    union all
    select a.period_id, s.suspicion, 2
    from pairs as a
    join pairs as b on b.period_id = a.base_period_id
    join input_suspects as s on s.period_id = b.base_period_id
),
suspects as (
    select
        period_id,
        {% for ratio in ratios %}
        max(
            case
                when years_ago = 0 then 1
                {% if ratio.year_ago_suspicions %}
                when years_ago = 1 and suspicion in ({{ ratio.year_ago_suspicions }}) then 1
                {% endif %}
                {% if ratio.two_years_ago_suspicions %}
                when years_ago = 2 and suspicion in ({{ ratio.two_years_ago_suspicions }}) then 1
                {% endif %}
                else 0
            end
        ) = 1 as {{ ratio.name }}_suspect{{ "," if not loop.last }}
        {% endfor %}
    from all_suspects
    group by period_id
),
{% endblock %}
{% block figures %}
select
    i.vintage_id, i.first_known_from, i.company_key, i.symbol, i.fiscal_date, i.fiscal_date_key, i.basis,
    {% for ratio in ratios %}
    case when i.{{ ratio.name }}_reason is null then {{ ratio.value }} end as {{ ratio.name }},
    i.{{ ratio.name }}_reason,
    coalesce(i.{{ ratio.name }}_suspect, false) as {{ ratio.name }}_suspect{{ "," if not loop.last }}
    {% endfor %}
from judged as i
{% endblock %}
