-- grain: vintage x fiscal_date. The quarters (or half years) from which TTM windows are built, with per-share figures
-- on the newest split basis.
create or replace temporary table quarter_rows as
with periods as (select * from vintage_periods where period_type <> 'FY'),
bases as (select * from split_adjusted_shares)
select
    p.vintage_id, p.version_id, p.symbol, p.fiscal_date, p.period_type, p.reported_currency, p.has_income,
    p.has_balance, p.has_cash_flow,
    p.is_derived, p.income_known_on, p.first_known_from, p.income_from,
    b.split_adjusted_eps, b.split_adjusted_eps_diluted, b.split_adjusted_shares_outstanding,
    b.split_adjusted_shares_outstanding_diluted
from periods as p
join bases as b on b.version_id = p.version_id
-- if two periods have the same end, they are the same quarter under two labels: use the period that was accepted last
qualify row_number() over (
    partition by p.vintage_id, p.fiscal_date order by p.accepted_at desc nulls last, p.period_type desc nulls last
) = 1
