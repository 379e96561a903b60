-- grain: company_key x metric_date. Every day's figures as known at that day's close: the first version, before any
-- restatement. This is what a backtest may use.
create or replace view analytics.fact_market_metrics_as_known as
select * exclude (known_to)
from analytics.fact_market_metrics_history
qualify row_number() over (partition by company_key, metric_date order by known_from) = 1
