{% block created %}
-- grain: vintage x valid_from. For each metric of metrics/market_metrics.toml its operands: the parts of its formula
-- that depend only on fundamentals, most often the divisor. They are NULL if the metric has a reason for NULL.
create or replace temporary table valuation_operands as
with ranges as (select * from fundamentals_ranges),
periods as (select vintage_id, fiscal_date, period_type, suspicion, known_on from period_suspects),
-- the suspicions of the twelve months, the fiscal year and the newest statement, from the day on which they were known,
-- and those of the share count
known_suspects as (
    select r.range_id, s.suspicion
    from ttm_suspects as s
    join ranges as r on r.vintage_id = s.vintage_id and r.ttm_date = s.fiscal_date and r.valid_from >= s.known_on
    union all
    select r.range_id, s.suspicion
    from periods as s
    join ranges as r on r.vintage_id = s.vintage_id and r.fy_date = s.fiscal_date and r.valid_from >= s.known_on
    where s.period_type = 'FY'
    union all
    select r.range_id, s.suspicion
    from periods as s
    join ranges as r
        on r.vintage_id = s.vintage_id and r.latest_date = s.fiscal_date and r.latest_basis = s.period_type
        and r.valid_from >= s.known_on
    union all
    select r.range_id, s.suspicion
    from share_suspects as s
    join ranges as r on r.symbol = s.symbol and r.valid_from >= s.valid_from and r.valid_from < s.valid_to
),
suspects as (
    select
        range_id,
        {{ suspect_reason }} as suspect_reason
    from known_suspects
    group by range_id
),
{% endblock %}
judged as (
    select i.*,
        {% for metric in market_metrics if metric.checked %}
        case
            {% for source in metric.sources %}
            when i.{{ source }}_date is null then i.unknown_reason
            {% endfor %}
            {% if not metric.stale_ok %}
            {% for source in metric.statements %}
            when i.is_{{ source }}_stale then 'stale_fundamentals'
            {% endfor %}
            {% endif %}
            {% if "ttm" in metric.sources %}
            when i.ttm_reason is not null then i.ttm_reason
            {% endif %}
            {% if not metric.banks %}
            when i.sector_reason is not null then i.sector_reason
            {% endif %}
            {% if metric.zero_is_zero %}
            when {{ metric.checked }} = 0 then null
            {% endif %}
            {% for source in metric.currency_sources %}
            when i.{{ source }}_currency_reason is not null then i.{{ source }}_currency_reason
            {% endfor %}
            {% for requirement in metric.requires %}
            {% if requirement.growth_reason %}
            when {{ requirement.growth_reason }} is not null then {{ requirement.growth_reason }}
            {% endif %}
            when {{ requirement.figure }} <= 0 then '{{ requirement.reason }}'
            {% endfor %}
            {% for reason in metric.growth_reasons %}
            when {{ reason }} is not null then {{ reason }}
            {% endfor %}
            {% for source in metric.count_sources %}
            when i.{{ source }}_count_reason is not null and ({{ metric.missing }}) then i.{{ source }}_count_reason
            {% endfor %}
            {% for requirement in metric.requires %}
            when {{ requirement.figure }} is null then 'missing_input'
            {% endfor %}
            when {{ metric.checked }} is null then 'missing_input'
            {% for refusal in metric.refusals %}
            when {{ refusal.condition }} then '{{ refusal.reason }}'
            {% endfor %}
            {% for operand in metric.operands %}
            when {{ operand.sql }} is null then 'missing_input'
            {% endfor %}
        end as {{ metric.name }}_reason{{ "," if not loop.last }}
        {% endfor %}
    from valuation_inputs as i
)
{% block operands %}
select
    i.range_id,
    case when i.shares_outstanding_used_reason is null then i.latest_shares end as statement_shares, r.entered_shares,
    {% for metric in market_metrics %}
    {% for operand in metric.operands %}
    case when i.{{ metric.name }}_reason is null then {{ operand.sql }} end as {{ operand.column }},
    {% endfor %}
    {% endfor %}
    -- all reasons of the range in one text, |metric=reason|metric=reason, which the row of every day contains
    concat(
        {% for metric in market_metrics if metric.checked %}
        coalesce('|{{ metric.name }}=' || i.{{ metric.name }}_reason, ''){{ "," if not loop.last }}
        {% endfor %}
    ) as reasons,
    s.suspect_reason
from judged as i
join ranges as r on r.range_id = i.range_id
left join suspects as s on s.range_id = i.range_id
{% endblock %}
