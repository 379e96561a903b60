-- grain: company_key x fiscal_date x basis x metric. What is known now, out of period_nulls_history.
create or replace view analytics.period_nulls as
select * exclude (known_to)
from analytics.period_nulls_history
where known_to is null
