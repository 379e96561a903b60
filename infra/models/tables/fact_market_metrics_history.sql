-- grain: company_key x metric_date x known_from: every price date with the fundamentals known on that day
create table if not exists analytics.fact_market_metrics_history (
    company_key varchar,
    symbol varchar,
    metric_date date,
    metric_date_key bigint,
    close_price decimal(18, 6), -- close of the session, on the newest split basis
    {% for metric in market_metrics %}
    {{ metric.name }} {{ metric.kind }},
    {% if metric.name == "shares_outstanding_used" %}
    shares_source varchar, -- correction (the user's), profile, shares_float, market_caps (FMP's / close) or statement
    {% endif %}
    {% endfor %}
    {% for metric in price_metrics %}
    {{ metric.name }} {{ metric.kind }},
    {% endfor %}
    fundamentals_as_of date, -- newest period end of the fundamentals used
    fundamentals_known_on date, -- first day on which these fundamentals were known
    null_reasons varchar, -- the row's reasons for NULL in one text, |metric=reason|; analytics.metric_nulls reads it
    is_suspect boolean, -- whether the fundamentals used contradict other data
    suspect_reason varchar, -- the contradictions as codes joined with ', '; NULL if there are none
    profile_reconstructed boolean, -- whether the day is before the first received profile, which is used nevertheless
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
