-- grain: lane x fiscal_date x basis x metric. Why a ratio or a growth rate is NULL.
create or replace temporary table new_period_nulls_history as
with period_nulls as (
    select period_id, metric, reason from ratio_values where reason is not null
    union all
    select period_id, metric, reason from growth_values where reason is not null
)
select b.lane_id, b.known_first, b.company_key, b.symbol, b.fiscal_date, b.fiscal_date_key, b.basis, p.metric, p.reason
from period_nulls as p
join ratio_base as b on b.period_id = p.period_id
