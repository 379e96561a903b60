-- grain: company x fiscal_date x period_type x known_from. The headers (dates, currency, source) of all period
-- versions, including derived fourth quarters.
create or replace temporary table fiscal_versions as
with reported as (
    select
        version_id, symbol, fiscal_date, period_type, fiscal_year, reported_currency, accepted_at, known_on,
        income_known_on, basis_date,
        has_income, has_balance, has_cash_flow, false as is_derived, known_from, known_to,
        min(known_from) over (partition by symbol, period_type, period_no) as first_known_from,
        min(case when has_income then known_from end) over (partition by symbol, period_type, period_no) as income_from
    from period_versions
)
select * from reported
union all
select
    d.version_id, y.symbol, y.fiscal_date, 'Q4', y.fiscal_year, y.reported_currency, d.accepted_at, d.known_on,
    d.known_on, y.basis_date, true, y.has_balance, true, true, d.known_from, d.known_to, d.known_from, d.known_from
from derived_quarters as d
join period_versions as y on y.version_id = d.year_id
