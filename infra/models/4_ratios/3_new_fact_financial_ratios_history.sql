-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). Every ratio of metrics/ratios.toml and its reason for NULL.
-- A past vintage has only the periods whose figures can differ from those of the next vintage.
create or replace temporary table new_fact_financial_ratios_history as
with inputs as (
    select p.*
    from period_inputs as p
    join vintages as l on l.vintage_id = p.vintage_id
    where p.fiscal_date >= l.changed_from
),
suspects as (
    select
        period_id,
        {{ suspect_reason }} as suspect_reason
    from input_suspects
    group by period_id
),
judged as (
    select i.*,
        {% for ratio in ratios %}
        case
            when i.null_reason is not null then i.null_reason
            {% if not ratio.banks %}
            when i.sector_reason is not null then i.sector_reason
            {% endif %}
            {% if ratio.needs_prior_period %}
            when not i.has_prior_period then 'insufficient_history'
            {% endif %}
            {% if ratio.needs_year_ago %}
            when not i.has_year_ago then 'insufficient_history'
            {% endif %}
            {% for requirement in ratio.requires %}
            when {{ requirement.figure }} <= 0 then '{{ requirement.reason }}'
            {% endfor %}
            {% for requirement in ratio.requires %}
            when {{ requirement.figure }} is null
                then {{ "coalesce(i.count_reason, 'missing_input')" if ratio.is_per_share else "'missing_input'" }}
            {% endfor %}
            {% if ratio.is_per_share %}
            when ({{ ratio.missing }}) and i.count_reason is not null then i.count_reason
            {% endif %}
            when {{ ratio.missing }} then '{{ ratio.missing_reason }}'
            {% for refusal in ratio.refusals %}
            when {{ refusal.condition }} then '{{ refusal.reason }}'
            {% endfor %}
        end as {{ ratio.name }}_reason{{ "," if not loop.last }}
        {% endfor %}
    from inputs as i
)
select
    i.vintage_id, i.first_known_from, i.company_key, i.symbol, i.fiscal_date, i.fiscal_date_key, i.basis,
    i.reported_currency,
    {% for ratio in ratios %}
    case when i.{{ ratio.name }}_reason is null then {{ ratio.value }} end as {{ ratio.name }},
    {% endfor %}
    concat(
        {% for ratio in ratios %}
        coalesce('|{{ ratio.name }}=' || i.{{ ratio.name }}_reason, ''){{ "," if not loop.last }}
        {% endfor %}
    ) as null_reasons,
    s.suspect_reason is not null as is_suspect, s.suspect_reason
from judged as i
left join suspects as s on s.period_id = i.period_id
