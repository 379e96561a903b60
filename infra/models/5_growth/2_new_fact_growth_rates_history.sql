-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The growth rates to publish. A past vintage has only the
-- periods whose figures can differ from those of the next vintage.
create or replace temporary table new_fact_growth_rates_history as
with
-- the suspicions of the period and of the earlier periods with which it is compared
all_suspects as (
    select period_id, suspicion from input_suspects
    union all
    select g.period_id, s.suspicion
    from period_pairs as g
    join input_suspects as s on s.period_id = g.base_period_id
),
suspects as (
    select
        period_id,
        {{ suspect_reason }} as suspect_reason
    from all_suspects
    group by period_id
)
select
    p.vintage_id, p.first_known_from, p.company_key, p.symbol, p.fiscal_date, p.fiscal_date_key, p.basis,
    p.reported_currency,
    {% for rate in growth_rates %}
    {{ rate.horizon }}.{{ rate.figure }} as {{ rate.name }},
    {% endfor %}
    concat(
        {% for horizon in horizons %}
        coalesce({{ horizon.name }}.null_reasons, ''){{ "," if not loop.last }}
        {% endfor %}
    ) as null_reasons,
    s.suspect_reason is not null as is_suspect, s.suspect_reason
from period_inputs as p
join vintages as l on l.vintage_id = p.vintage_id and p.fiscal_date >= l.changed_from
{% for horizon in horizons %}
join growth_rates as {{ horizon.name }}
    on {{ horizon.name }}.period_id = p.period_id and {{ horizon.name }}.horizon = '{{ horizon.name }}'
{% endfor %}
left join suspects as s on s.period_id = p.period_id
