-- grain: vintage x fiscal_date x period_type. For every period, the version that was in force at the vintage's
-- cutoff.
create or replace temporary table vintage_periods as
with versions as (select * from fiscal_versions)
select
    l.vintage_id, l.company_key, v.version_id, v.symbol, v.fiscal_date, v.period_type, v.reported_currency,
    v.accepted_at, v.known_on, v.income_known_on, v.has_income, v.has_balance, v.has_cash_flow,
    v.is_derived, v.first_known_from, v.income_from
from vintages as l
join versions as v
    on v.symbol = l.symbol and v.known_from < l.cutoff and (v.known_to is null or v.known_to >= l.cutoff)
