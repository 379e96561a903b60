-- grain: company_key x as_of_date x group_type x metric: the rank of a company within its sector and its industry by
-- the metrics of metrics/ranks.toml, at the last session of each month and at the newest session, as known at that
-- session's close. Members of a group have a value that is not suspect; groups of fewer than five members have no rows
create table if not exists analytics.fact_sector_ranks (
    company_key varchar,
    symbol varchar,
    as_of_date date, -- session: the last one of a month, or the newest
    as_of_date_key bigint, -- session as yyyymmdd
    group_type varchar, -- sector or industry
    group_name varchar, -- sector or industry of the company on that day
    metric varchar, -- market metric, or ratio or growth rate of the last twelve months
    value double, -- unit of the metric; value of the metric as known at the close
    members bigint, -- companies of the group with a value, at least five
    percentile double, -- ratio; from 0 for the lowest value to 1 for the highest; ties have the mean of their ranks
    z_score double, -- ratio; value less the group's mean, over its sample standard deviation
    reason varchar, -- why z_score is NULL: zero_variance if all values of the group are equal
    known_from timestamp, -- close of the session, UTC
    known_to timestamp, -- always NULL, because a row holds what was known at the close
    run_id varchar,
    computed_at timestamp
)
