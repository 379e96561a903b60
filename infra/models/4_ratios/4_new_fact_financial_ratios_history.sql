{% block created %}
-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). Every ratio of metrics/ratios.toml and its reason for NULL.
-- A past vintage has only the periods whose figures can differ from those of the next vintage.
create or replace temporary table new_fact_financial_ratios_history as
{% endblock %}
with pairs as (select * from period_pairs where horizon = '{{ year_horizon }}'),
{% block suspects %}
-- the suspicions of the period, and those of the earlier periods that concern the inputs used from them
all_suspects as (
    select period_id, suspicion from input_suspects
    union all
    select a.period_id, s.suspicion
    from pairs as a
    join input_suspects as s on s.period_id = a.base_period_id
    where s.suspicion in ({{ year_ago_suspicions }})
    union all
    select a.period_id, s.suspicion
    from pairs as a
    join pairs as b on b.period_id = a.base_period_id
    join input_suspects as s on s.period_id = b.base_period_id
    where s.suspicion in ({{ two_years_ago_suspicions }})
),
suspects as (
    select
        period_id,
        {{ suspect_reason }} as suspect_reason
    from all_suspects
    group by period_id
),
{% endblock %}
-- a period with the inputs of the period a year ago, and of the one two years ago
with_earlier as (
    select p.*,
        {% for name in year_ago %}
        year_ago.{{ name }} as year_ago_{{ name }},
        {% endfor %}
        {% for name in two_years_ago %}
        two_years_ago.{{ name }} as two_years_ago_{{ name }},
        {% endfor %}
        {% for earlier in ["year_ago", "two_years_ago"] %}
        {{ earlier }}.null_reason as {{ earlier }}_null_reason,
        {{ earlier }}.count_reason as {{ earlier }}_count_reason,
        case
            when {{ earlier }}.period_id is null then 'insufficient_history'
            -- a part of a year compares with nothing
            when {{ earlier }}.basis = 'FY' and {{ earlier }}.null_reason is not null then {{ earlier }}.null_reason
            when {{ earlier }}.reported_currency is null or p.reported_currency is null then 'unknown_currency'
            when {{ earlier }}.reported_currency <> p.reported_currency then 'currency_mismatch'
        end as {{ earlier }}_reason{{ "," if not loop.last }}
        {% endfor %}
    from period_inputs as p
    join vintages as l on l.vintage_id = p.vintage_id
    left join pairs as a on a.period_id = p.period_id
    left join period_inputs as year_ago on year_ago.period_id = a.base_period_id
    left join pairs as b on b.period_id = a.base_period_id
    left join period_inputs as two_years_ago on two_years_ago.period_id = b.base_period_id
    where p.fiscal_date >= l.changed_from
),
-- The row number is not used. Its window function makes DuckDB collect the joined rows before it evaluates the
-- formulas. Otherwise, one thread evaluates them on the many small chunks of the outer joins, which takes a third
-- longer.
joined as (
    select i.*, s.* exclude (period_id), row_number() over (order by i.period_id) as row_no
    from with_earlier as i
    left join suspects as s on s.period_id = i.period_id
),
inputs as (
    select i.*{{ "," if ratio_inputs }}
        {% for input in ratio_inputs %}
        {{ input.sql }} as {{ input.name }}{{ "," if not loop.last }}
        {% endfor %}
    from joined as i
),
judged as (
    select i.*,
        {% for ratio in ratios %}
        case
            {% if ratio.does_not_apply %}
            when {{ ratio.does_not_apply }} then 'not_applicable_to_basis'
            {% endif %}
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
            {% for earlier in ratio.earlier %}
            when i.{{ earlier }}_reason is not null then i.{{ earlier }}_reason
            {% endfor %}
            {% for requirement in ratio.requires %}
            when {{ requirement.figure }} <= 0 then '{{ requirement.reason }}'
            {% endfor %}
            {% for requirement in ratio.requires %}
            when {{ requirement.figure }} is null then {{ ratio.unknown_reason }}
            {% endfor %}
            {% if ratio.missing %}
            when {{ ratio.missing }} then {{ ratio.missing_reason }}
            {% endif %}
            {% for refusal in ratio.refusals %}
            when {{ refusal.condition }} then '{{ refusal.reason }}'
            {% endfor %}
            {% if ratio.tests_value %}
            when {{ ratio.value }} is null then {{ ratio.missing_reason }}
            {% endif %}
        end as {{ ratio.name }}_reason{{ "," if not loop.last }}
        {% endfor %}
    from inputs as i
)
{% block figures %}
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
    i.suspect_reason is not null as is_suspect, i.suspect_reason
from judged as i
{% endblock %}
