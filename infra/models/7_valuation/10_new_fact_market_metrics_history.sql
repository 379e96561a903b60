{% block created %}
-- grain: vintage x metric_date (from prices_from on). The metrics of metrics/market_metrics.toml, which combine the
-- day's price with the fundamentals known on that day, and the metrics of metrics/price_metrics.toml, which depend on
-- prices only.
create or replace temporary table new_fact_market_metrics_history as
{% endblock %}
with recomputed_companies as (select symbol, company_key, profile_from from companies),
capitalized as (
    select d.*, d.price as close_price, {{ market_cap }} as market_cap
    from valuation_days as d
),
valued as (
    select
        d.*,
        o.* exclude (range_id),
        {% block operands %}
        {% endblock %}
        {{ enterprise_value }} as enterprise_value,
        {{ enterprise_value_fmp }} as enterprise_value_fmp
    from capitalized as d
    join valuation_operands as o on o.range_id = d.range_id
    {% block joins %}
    {% endblock %}
)
{% block figures %}
select
    v.vintage_id,
    -- the figures of a day are known at its close, 16:00 New York time. 21:00 UTC is used all year, although the
    -- close is at 20:00 UTC in summer
    (w.price_date::timestamp + interval '21 hours')::timestamp as first_known_from,
    c.company_key, w.symbol, w.price_date as metric_date,
    (year(w.price_date) * 10000 + month(w.price_date) * 100 + day(w.price_date))::bigint as metric_date_key,
    w.close_price,
    {% for metric in market_metrics %}
    {% if metric.enterprise_value %}
    case when v.{{ metric.enterprise_value }} > 0 then {{ metric.day_value }} end as {{ metric.name }},
    {% else %}
    {{ metric.day_value }} as {{ metric.name }},
    {% endif %}
    {% if metric.name == "shares_outstanding_used" %}
    v.shares_source,
    {% endif %}
    {% endfor %}
    {% for metric in price_metrics %}
    {{ metric.alias }}.{{ metric.name }},
    {% endfor %}
    v.fundamentals_as_of, v.fundamentals_known_on,
    -- the reasons of metrics with fundamentals are those of the day's range, except that of an enterprise value, which
    -- depends on the price. The reasons of metrics of prices only depend on the number of sessions
    v.reasons || case
        when v.enterprise_value > 0 and v.enterprise_value_fmp > 0 then ''
        else concat(
            {% for metric in market_metrics if metric.enterprise_value %}
            case
                when v.{{ metric.enterprise_value }} <= 0 and v.{{ metric.name }}_operand is not null
                    then '|{{ metric.name }}=negative_enterprise_value'
                else ''
            end{{ "," if not loop.last }}
            {% endfor %}
        )
    end || case
        when
            {% for metric in price_metrics %}
            {{ "and " if not loop.first }}{{ metric.alias }}.{{ metric.name }} is not null
            {% endfor %}
            then ''
        else concat(
            {% for metric in price_metrics %}
            case
                when {{ metric.alias }}.{{ metric.name }} is not null then ''
                when w.session_no < {{ metric.sessions }} then '|{{ metric.name }}=insufficient_history'
                {% if metric.divides %}
                when {{ metric.alias }}.symbol is not null then '|{{ metric.name }}=nonpositive_denominator'
                {% endif %}
                else '|{{ metric.name }}=missing_input'
            end{{ "," if not loop.last }}
            {% endfor %}
        )
    end as null_reasons,
    v.suspect_reason is not null as is_suspect, v.suspect_reason,
    coalesce(w.price_date < c.profile_from, false) as profile_reconstructed
from price_windows as w
join valued as v on v.symbol = w.symbol and v.price_date = w.price_date
join recomputed_companies as c on c.symbol = w.symbol
left join index_windows as i on i.symbol = w.symbol and i.price_date = w.price_date
{% endblock %}
