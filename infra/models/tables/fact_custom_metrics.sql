-- grain: company_key x as_of_date x basis (Q1..Q4, FY, TTM, MARKET) x metric x known_from: the metrics of the user's
-- metrics file, all versions; those known now have no known_to
create table if not exists analytics.fact_custom_metrics (
    company_key varchar,
    symbol varchar,
    as_of_date date, -- end of the period, or session
    as_of_date_key bigint, -- end of the period, or session, as yyyymmdd
    basis varchar,
    metric varchar, -- name of the metric in the metrics file
    value double, -- the figure, in the unit that follows from its formula; fractions, not percent
    reason varchar, -- why value is NULL; NULL if there is a value
    is_suspect boolean, -- whether the data from which it is computed contradict other data
    known_from timestamp,
    known_to timestamp,
    run_id varchar,
    computed_at timestamp
)
