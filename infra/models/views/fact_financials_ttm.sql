-- grain: company_key x fiscal_date (newest quarter end). What is known now, from fact_financials_ttm_history.
create or replace view analytics.fact_financials_ttm as
select * exclude (known_to)
from analytics.fact_financials_ttm_history
where known_to is null
