-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). The growth rates that are kept: of a past vintage, only those
-- of periods that can differ from the next vintage's.
create or replace temporary table new_fact_growth_rates_history as
select
    p.vintage_id, p.first_known_from, p.company_key, p.symbol, p.fiscal_date, p.fiscal_date_key, p.basis,
    p.reported_currency,
    {% for rate in growth_rates %}
    g.{{ rate.name }},
    {% endfor %}
    {% for rate in growth_rates %}
    {{ "|| " if not loop.first }}coalesce('|{{ rate.name }}=' || g.{{ rate.name }}_reason, ''){{ " as null_reasons" if loop.last }}
    {% endfor %}
from period_inputs as p
join vintages as l on l.vintage_id = p.vintage_id and p.fiscal_date >= l.changed_from
join growth_rates as g on g.period_id = p.period_id
