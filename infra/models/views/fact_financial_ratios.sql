-- grain: company_key x fiscal_date x basis (Q1..Q4, FY, TTM). What is known now, from fact_financial_ratios_history.
create or replace view analytics.fact_financial_ratios as
select * exclude (known_to)
from analytics.fact_financial_ratios_history
where known_to is null
