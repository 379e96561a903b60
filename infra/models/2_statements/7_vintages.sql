-- grain: company x cutoff. A vintage is the data of a company as known just before a cutoff. The following models
-- compute each vintage as if no later data existed. The current vintage has no cutoff. The cutoff of a past vintage
-- is the time at which a statement replaced an older version, or became known after a statement of a newer period, at
-- which another profile changed which figures are meaningful, or at which a correction of the user began or ended.
-- The figures of a past vintage can differ from those of the next vintage only for periods from changed_from on.
create or replace temporary table vintages as
with recomputed_companies as (select symbol, company_key, with_history from companies),
versions as (select * from fiscal_versions),
arrivals as (
    select symbol, known_from, max(fiscal_date) as newest_date from versions group by symbol, known_from
),
-- the versions in the order in which they became known
so_far as (
    select *,
        max(newest_date) over (
            partition by symbol order by known_from rows between unbounded preceding and 1 preceding
        ) as newest_before
    from arrivals
),
moments as (
    select symbol, known_to as cutoff, fiscal_date from versions where known_to is not null
    union all
    select v.symbol, v.known_from, v.fiscal_date
    from versions as v
    join so_far as s on s.symbol = v.symbol and s.known_from = v.known_from
    where v.fiscal_date < s.newest_before
    union all
    select symbol, since_at, date '1900-01-21' from profile_ranges where since_at > timestamp '1900-01-01 00:00:00'
    union all
    select symbol, known_from, date '1900-01-21' from profile_ranges where known_from > timestamp '1900-01-01 00:00:00'
    union all
    select symbol, known_from, date '1900-01-21' from staging.corrections where kind = 'share_count'
    union all
    select symbol, known_to, date '1900-01-21'
    from staging.corrections
    where kind = 'share_count' and known_to is not null
),
ends as (
    -- start 20 days before the period's end, because the restatement may also have corrected the end
    select m.symbol, c.company_key, m.cutoff, min(m.fiscal_date) - 20 as changed_from, false as is_current
    from moments as m
    join recomputed_companies as c on c.symbol = m.symbol
    where c.with_history
    group by m.symbol, c.company_key, m.cutoff
    union all
    select symbol, company_key, timestamp '9999-12-31 00:00:00', date '1900-01-01', true from recomputed_companies
),
numbered as (select row_number() over (order by symbol, cutoff) as vintage_id, * from ends)
select *, lead(vintage_id) over (partition by symbol order by cutoff) as next_vintage_id
from numbered
