-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM) x horizon. The growth of every figure of
-- metrics/growth_rates.toml, in the column of the figure, and in one text the reasons for NULL. Growth over up to a
-- year is a change; growth over several years is an annual rate.
create or replace temporary table growth_rates as
with horizons as (
    -- root: the exponent of an annual rate; NULL for a change
    {% for horizon in horizons %}
    {{ "union all " if not loop.first }}select '{{ horizon.name }}' as horizon, {{ horizon.root }} as root
    {% endfor %}
),
periods as (
    select
        p.period_id, h.horizon, h.root, p.sector_reason, p.count_reason,
        case
            {% for horizon in horizons if horizon.does_not_apply %}
            when h.horizon = '{{ horizon.name }}' and ({{ horizon.does_not_apply }}) then 'not_applicable_to_basis'
            {% endfor %}
            when p.null_reason is not null then p.null_reason
            when b.period_id is null then 'insufficient_history'
            -- nothing grows from a part of a year
            when b.basis = 'FY' and b.null_reason is not null then b.null_reason
            when b.reported_currency is null or p.reported_currency is null then 'unknown_currency'
            when b.reported_currency <> p.reported_currency then 'currency_mismatch'
        end as reason,
        coalesce(b.null_reason, 'missing_input') as base_reason, b.count_reason as base_count_reason,
        {% for growth in growth %}
        p.{{ growth.figure }}, b.{{ growth.figure }} as base_{{ growth.figure }}{{ "," if not loop.last }}
        {% endfor %}
    from period_inputs as p
    cross join horizons as h
    left join period_pairs as g on g.period_id = p.period_id and g.horizon = h.horizon
    left join period_inputs as b on b.period_id = g.base_period_id
),
rated as (
    select p.*,
        {% for growth in growth %}
        case
            when p.reason is null{{ " and p.sector_reason is null" if not growth.banks }}
                {% if growth.not_over %}
                and p.horizon not in ({{ growth.not_over }})
                {% endif %}
                and p.base_{{ growth.figure }} > 0
                then case
                    when p.root is null then {{ growth.change }}
                    when p.{{ growth.figure }} > 0 then {{ growth.annual_rate }}
                end
        end as rate_{{ growth.figure }}{{ "," if not loop.last }}
        {% endfor %}
    from periods as p
)
select
    p.period_id, p.horizon,
    {% for growth in growth %}
    p.rate_{{ growth.figure }} as {{ growth.figure }},
    {% endfor %}
    -- one entry for the horizon if all its rates have the same reason, and otherwise one for every rate that is NULL:
    -- an entry per rate would be most of the table's size
    case
        when p.reason is not null then '|' || p.horizon || '=' || p.reason
        else concat(
            {% for growth in growth %}
            coalesce(
                case
                    when p.rate_{{ growth.figure }} is null{{
                        " and p.horizon not in (" ~ growth.not_over ~ ")" if growth.not_over
                    }}
                        then '|{{ growth.figure }}_' || p.horizon || '=' || case
                            {% if not growth.banks %}
                            when p.sector_reason is not null then p.sector_reason
                            {% endif %}
                            {% if growth.is_per_share %}
                            when p.{{ growth.figure }} is null then coalesce(p.count_reason, 'missing_input')
                            when p.base_{{ growth.figure }} is null then coalesce(p.base_count_reason, p.base_reason)
                            {% else %}
                            when p.{{ growth.figure }} is null then 'missing_input'
                            when p.base_{{ growth.figure }} is null then p.base_reason
                            {% endif %}
                            when p.base_{{ growth.figure }} <= 0 then 'negative_base'
                            when p.{{ growth.figure }} <= 0 then '{{ growth.reason }}'
                        end
                end,
                ''
            ){{ "," if not loop.last }}
            {% endfor %}
        )
    end as null_reasons
from rated as p
