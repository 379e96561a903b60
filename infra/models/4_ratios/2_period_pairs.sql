-- grain: vintage x fiscal_date x basis x horizon. The earlier period to compare with. It is in the same vintage and
-- cadence, its distance is within the horizon's range of days, and among such periods its distance is closest to the
-- horizon's target.
create or replace temporary table period_pairs as
with periods as (
    select
        period_id, vintage_id, fiscal_date, basis,
        case when basis in ('FY', 'TTM') then basis else 'Q' end as cadence
    from period_inputs
),
earlier as (
    select
        p.period_id, b.period_id as base_period_id, b.basis,
        p.fiscal_date - b.fiscal_date as gap_days
    from periods as p
    join periods as b on b.vintage_id = p.vintage_id and b.cadence = p.cadence and b.fiscal_date < p.fiscal_date
),
placed as (
    select *,
        case
            {% for horizon in horizons %}
            when gap_days between {{ horizon.days.from }} and {{ horizon.days.to }} then '{{ horizon.name }}'
            {% endfor %}
        end as horizon,
        case
            {% for horizon in horizons %}
            when gap_days between {{ horizon.days.from }} and {{ horizon.days.to }}
                then abs(gap_days - {{ horizon.days.target }})
            {% endfor %}
        end as days_off
    from earlier
)
select period_id, horizon, base_period_id
from placed
where horizon is not null
qualify row_number() over (partition by period_id, horizon order by days_off, gap_days, basis) = 1
