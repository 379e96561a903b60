-- grain: company_key x fiscal_date x period_type (Q1..Q4, FY). What is known now, from fact_financials_history.
create or replace view analytics.fact_financials as
select * exclude (known_to)
from analytics.fact_financials_history
where known_to is null
