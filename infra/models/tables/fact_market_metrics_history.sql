-- grain: company_key x metric_date x known_from: every price date with the fundamentals known on that day
create table if not exists analytics.fact_market_metrics_history (
    company_key varchar,
    symbol varchar,
    metric_date date,
    metric_date_key bigint,
    close_price decimal(38, 6), -- close of the session, on the newest split basis
    {% for metric in market_metrics %}
    {{ metric.name }} {{ "decimal(38, 6)" if metric.amount else "double" }},
    {% if metric.name == "shares_outstanding_used" %}
    shares_source varchar, -- profile or shares_float (newest session), market_caps (FMP's cap / close), statement
    {% endif %}
    {% endfor %}
    {% for metric in price_metrics %}
    {{ metric.name }} {{ "decimal(38, 6)" if metric.amount else "double" }},
    {% endfor %}
    fundamentals_as_of date, -- newest period end of the fundamentals used
    fundamentals_known_on date, -- first day on which these fundamentals were known
    null_reasons varchar, -- the row's reasons for NULL in one text, |metric=reason|; analytics.metric_nulls reads it
    is_suspect boolean, -- whether the fundamentals used contradict other data
    suspect_reason varchar, -- the contradictions as codes joined with ', '; NULL if there are none
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
