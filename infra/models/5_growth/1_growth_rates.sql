-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). Every growth rate of metrics/growth_rates.toml and, in one
-- text, the reasons for NULL. Growth over up to a year is a change; growth over several years is an annual rate.
create or replace temporary table growth_rates as
with periods as (
    select
        p.period_id, p.sector_reason, p.count_reason,
        {% for horizon in horizons %}
        case
            when {{ horizon.does_not_apply }} then 'not_applicable_to_basis'
            when p.null_reason is not null then p.null_reason
            when {{ horizon.name }}.period_id is null then 'insufficient_history'
            -- nothing grows from a part of a year
            when {{ horizon.name }}.basis = 'FY' and {{ horizon.name }}.null_reason is not null
                then {{ horizon.name }}.null_reason
            when {{ horizon.name }}.reported_currency is null or p.reported_currency is null then 'unknown_currency'
            when {{ horizon.name }}.reported_currency <> p.reported_currency then 'currency_mismatch'
        end as {{ horizon.name }}_reason,
        coalesce({{ horizon.name }}.null_reason, 'missing_input') as {{ horizon.name }}_base_reason,
        {{ horizon.name }}.count_reason as {{ horizon.name }}_count_reason,
        {% endfor %}
        {% for rate in growth_rates %}
        {{ rate.horizon }}.{{ rate.figure }} as {{ rate.name }}_base,
        {% endfor %}
        {% for figure in growth_figures %}
        p.{{ figure }}{{ "," if not loop.last }}
        {% endfor %}
    from period_inputs as p
    left join period_pairs as g on g.period_id = p.period_id
    {% for horizon in horizons %}
    left join period_inputs as {{ horizon.name }} on {{ horizon.name }}.period_id = g.{{ horizon.name }}_period_id
    {% endfor %}
),
-- nothing has a rate where its horizon has a reason
rated as (
    select p.*,
        {% for rate in growth_rates %}
        case
            when p.{{ rate.horizon }}_reason is null{{ " and p.sector_reason is null" if not rate.banks }}
                and p.{{ rate.name }}_base > 0{{ " and p." ~ rate.figure ~ " > 0" if rate.is_annual }}
                then {{ rate.value }}
        end as {{ rate.name }}{{ "," if not loop.last }}
        {% endfor %}
    from periods as p
)
select
    p.period_id,
    {% for rate in growth_rates %}
    p.{{ rate.name }},
    {% endfor %}
    -- one entry for the horizon if all its rates have the same reason, and otherwise one for every rate that is NULL:
    -- an entry per rate would be most of the table's size
    concat(
        {% for horizon in horizons %}
        coalesce(
            case
                when p.{{ horizon.name }}_reason is not null then '|{{ horizon.name }}=' || p.{{ horizon.name }}_reason
                else concat(
                    {% for rate in growth_rates if rate.horizon == horizon.name %}
                    coalesce(
                        case
                            when p.{{ rate.name }} is null
                                then '|{{ rate.name }}=' || case
                                    {% if not rate.banks %}
                                    when p.sector_reason is not null then p.sector_reason
                                    {% endif %}
                                    {% if rate.is_per_share %}
                                    when p.{{ rate.figure }} is null then coalesce(p.count_reason, 'missing_input')
                                    when p.{{ rate.name }}_base is null
                                        then coalesce(
                                            p.{{ rate.horizon }}_count_reason, p.{{ rate.horizon }}_base_reason
                                        )
                                    {% else %}
                                    when p.{{ rate.figure }} is null then 'missing_input'
                                    when p.{{ rate.name }}_base is null then p.{{ rate.horizon }}_base_reason
                                    {% endif %}
                                    when p.{{ rate.name }}_base <= 0 then 'negative_base'
                                    {% if rate.is_annual %}
                                    when p.{{ rate.figure }} <= 0 then '{{ rate.reason }}'
                                    {% endif %}
                                end
                        end,
                        ''
                    ){{ "," if not loop.last }}
                    {% endfor %}
                )
            end,
            ''
        ){{ "," if not loop.last }}
        {% endfor %}
    ) as null_reasons
from rated as p
