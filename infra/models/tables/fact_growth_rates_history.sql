-- grain: company_key x fiscal_date x basis (Q1..Q4, FY, TTM) x known_from; fractions, not percent
create table if not exists analytics.fact_growth_rates_history (
    company_key varchar,
    symbol varchar,
    fiscal_date date,
    fiscal_date_key bigint,
    basis varchar,
    reported_currency varchar,
    {% for rate in growth_rates %}
    {{ rate.name }} double,
    {% endfor %}
    null_reasons varchar, -- reasons for NULL, |metric=reason| or |horizon=reason|; analytics.metric_nulls reads them
    is_suspect boolean, -- whether its statements, or those of a period it is compared with, contradict other data
    suspect_reason varchar, -- the contradictions as codes joined with ', '; NULL if there are none
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
