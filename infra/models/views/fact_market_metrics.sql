-- grain: company_key x metric_date. What is known now, from fact_market_metrics_history.
create or replace view analytics.fact_market_metrics as
select * exclude (known_to)
from analytics.fact_market_metrics_history
where known_to is null
