-- grain: period_inputs row x suspicion. The suspicions of a period or of its twelve months. Those of balances also
-- concern the next period, which averages them.
create or replace temporary table input_suspects as
with suspects as (
    select
        vintage_id, fiscal_date, period_type, suspicion,
        case when period_type = 'FY' then 'FY' else 'Q' end as cadence
    from period_suspects
),
inputs as (
    select period_id, vintage_id, fiscal_date, basis, days, case when basis = 'FY' then 'FY' else 'Q' end as cadence
    from period_inputs
),
twelve_months as (select vintage_id, fiscal_date, suspicion from ttm_suspects)
select i.period_id, s.suspicion
from suspects as s
join inputs as i on i.vintage_id = s.vintage_id and i.fiscal_date = s.fiscal_date and i.basis = s.period_type
union
select i.period_id, s.suspicion
from suspects as s
join inputs as i
    on i.vintage_id = s.vintage_id and i.cadence = s.cadence and i.basis <> 'TTM'
    and i.fiscal_date > s.fiscal_date
    and i.fiscal_date - s.fiscal_date between case
        when i.days = 365 then 350
        when i.days = 180 then 150
        else 70
    end and case
        when i.days = 365 then 380
        when i.days = 180 then 215
        else 120
    end
where s.suspicion in (
    {% for suspicion in suspicions if suspicion.balance %}
    {{ ", " if not loop.first }}'{{ suspicion.code }}'
    {% endfor %}
)
union
select i.period_id, s.suspicion
from twelve_months as s
join inputs as i on i.vintage_id = s.vintage_id and i.fiscal_date = s.fiscal_date and i.basis = 'TTM'
