-- grain: as_of_date. The sessions whose ranks this run replaces. is_ranked: a month end, or the newest session, for
-- which figures have changed since ranks were last computed. Otherwise its ranks are removed: it was the newest
-- session, and a later one of its month has followed.
-- Figures that runs without ranks have published are found by their run_id.
create or replace temporary table ranked_dates as
with counted as (select price_date, count(*) as bars from staging.prices group by price_date),
-- a session has bars of at least half of the companies that had some on one of the five days before. Other days are
-- holidays in New York, or have bars only of the companies that were loaded first
compared as (
    select
        price_date, bars,
        max(bars) over (order by price_date rows between 5 preceding and current row) as usual_bars
    from counted
),
-- the last session of every month; that of the present month is the newest session
month_ends as (
    select max(price_date) as as_of_date
    from compared
    where bars * 2 >= usual_bars
    group by date_trunc('month', price_date)::date
),
closes as (
    -- the close, 16:00 New York time, is taken to be at 21:00 UTC
    select as_of_date, (as_of_date::timestamp + interval '21 hours')::timestamp as closes_at from month_ends
),
-- after a change of the models, all ranks are computed again
last_ranking as (
    select coalesce(max(run_id), '') as run_id
    from ops.published
    where has_ranks and not exists (select 1 from pending where dataset = 'models')
),
-- the rows that this run adds and removes, compared by what ranks depend on: not by the prices of a split, nor by the
-- end of a version
{% for side in ["added", "removed"] %}
{{ side }}_days as (
    select
        c.as_of_date, m.company_key, m.symbol, m.fundamentals_as_of, m.is_suspect, {{ stale_twelve_months }} as is_stale
        {% for metric in ranks if metric.kind in ["market", "price"] %}
        , m.{{ metric.name }}
        {% endfor %}
    from {{ side }}_fact_market_metrics_history as m
    join closes as c on c.as_of_date = m.metric_date
    where m.known_from <= c.closes_at and (m.known_to is null or m.known_to > c.closes_at)
),
{% for kind, table in ranked_periods %}
{{ side }}_{{ kind }}_rows as (
    select
        company_key, fiscal_date, known_from, is_suspect
        {% for metric in ranks if metric.kind == kind %}
        , {{ metric.name }}
        {% endfor %}
    from {{ side }}_{{ table }}
    where basis = 'TTM'
),
{% endfor %}
{% endfor %}
changed_days as (
    select m.metric_date as as_of_date
    from analytics.fact_market_metrics_history as m
    join last_ranking as l on m.run_id > l.run_id
    union
    select as_of_date from (select * from added_days except select * from removed_days) as a
    union
    select as_of_date from (select * from removed_days except select * from added_days) as r
),
changed_periods as (
    {% for kind, table in ranked_periods %}
    {{ "union " if not loop.first }}select p.fiscal_date, p.known_from
    from analytics.{{ table }} as p
    join last_ranking as l on p.run_id > l.run_id
    where p.basis = 'TTM'
    union
    select fiscal_date, known_from
    from (select * from added_{{ kind }}_rows except select * from removed_{{ kind }}_rows) as a
    union
    select fiscal_date, known_from
    from (select * from removed_{{ kind }}_rows except select * from added_{{ kind }}_rows) as r
    {% endfor %}
),
-- companies without an earlier row of attributes: their past sessions have ranks now
new_companies as (
    select c.company_key
    from analytics.dim_company as c
    cross join last_ranking as l
    group by c.company_key
    having min(c.run_id) > max(l.run_id)
    union
    select a.company_key
    from added_dim_company as a
    left join analytics.dim_company as c on c.company_key = a.company_key
    where c.company_key is null
),
changed as (
    select as_of_date from changed_days
    union
    select c.as_of_date
    from closes as c
    cross join (select count(*) as companies from new_companies) as n
    where n.companies > 0
    union
    -- twelve months are stale 305 days after their end at the latest
    select c.as_of_date
    from closes as c
    join changed_periods as p
        on c.as_of_date >= p.fiscal_date and c.as_of_date <= p.fiscal_date + 305 and c.closes_at >= p.known_from
)
select c.as_of_date, c.closes_at, true as is_ranked
from closes as c
join changed as d on d.as_of_date = c.as_of_date
union all
select p.as_of_date, null::timestamp, false
from (select distinct as_of_date from analytics.fact_sector_ranks) as p
left join month_ends as e on e.as_of_date = p.as_of_date
where e.as_of_date is null
