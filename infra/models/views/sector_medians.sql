-- grain: group_type x group_name x metric. The median of a metric within each sector and each industry at the newest
-- session with ranks, over the members of analytics.fact_sector_ranks: companies with a value that is not suspect, and
-- no funds. Groups of fewer than five members have no row. analytics.fact_sector_ranks also has past month ends.
create or replace view analytics.sector_medians (
    as_of_date,
    group_type,
    group_name, -- varchar: sector or industry
    metric,
    median_value, -- double: unit of the metric; median of the values of the members
    members -- bigint: companies of the group with a value, at least five
) as
with newest_session as (select max(as_of_date) as as_of_date from analytics.fact_sector_ranks)
select r.as_of_date, r.group_type, r.group_name, r.metric, median(r.value) as median_value, count(*) as members
from analytics.fact_sector_ranks as r
join newest_session as n on n.as_of_date = r.as_of_date
group by r.as_of_date, r.group_type, r.group_name, r.metric
