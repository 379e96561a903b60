-- grain: company_key x as_of_date x group_type x metric. The ranks at the sessions of ranked_dates, computed from the
-- figures that will be published, as known at the session's close: the published rows, less those that this run
-- removes, and those that it adds.
create or replace temporary table new_fact_sector_ranks as
with dates as (select as_of_date, closes_at from ranked_dates where is_ranked),
market_rows as (
    {% for source in ["published", "added"] %}
    {{ "union all " if not loop.first }}select
        m.company_key, m.symbol, d.as_of_date, d.closes_at, m.fundamentals_as_of, m.is_suspect,
        {{ stale_twelve_months }} as is_stale
        {% for metric in ranks if metric.kind in ["market", "price"] %}
        , m.{{ metric.name }}::double as {{ metric.name }}
        {% endfor %}
    {% if source == "published" %}
    from analytics.fact_market_metrics_history as m
    join dates as d on d.as_of_date = m.metric_date
    left join removed_fact_market_metrics_history as x
        on x.company_key = m.company_key and x.metric_date = m.metric_date and x.known_from = m.known_from
    -- the run deletes the rows of a key that it replaces
    left join ops.securities as k on k.replaced_key = m.company_key
    where x.company_key is null and k.symbol is null
    {% else %}
    from added_fact_market_metrics_history as m
    join dates as d on d.as_of_date = m.metric_date
    where true
    {% endif %}
        and m.known_from <= d.closes_at and (m.known_to is null or m.known_to > d.closes_at)
    {% endfor %}
),
{% for kind, table in ranked_periods %}
{{ kind }}_rows as (
    {% for source in ["published", "added"] %}
    {{ "union all " if not loop.first }}select
        p.company_key, p.fiscal_date, p.known_from, p.is_suspect,
        coalesce(p.known_to, timestamp '9999-12-31 00:00:00') as known_to
        {% for metric in ranks if metric.kind == kind %}
        , p.{{ metric.name }}
        {% endfor %}
    {% if source == "published" %}
    from analytics.{{ table }} as p
    left join removed_{{ table }} as x
        on x.company_key = p.company_key and x.fiscal_date = p.fiscal_date and x.basis = p.basis
        and x.known_from = p.known_from
    where p.basis = 'TTM' and x.company_key is null
    {% else %}
    from added_{{ table }} as p
    where p.basis = 'TTM'
    {% endif %}
    {% endfor %}
),
{% endfor %}
company_rows as (
    select c.company_key, c.sector, c.industry, c.is_etf, c.is_fund, c.valid_from, c.valid_to
    from analytics.dim_company as c
    left join removed_dim_company as x on x.company_key = c.company_key and x.valid_from = c.valid_from
    where x.company_key is null
    union all
    select company_key, sector, industry, is_etf, is_fund, valid_from, valid_to from added_dim_company
),
-- the first profile also counts for the days before its receipt
companies_by_day as (
    select
        company_key, sector, industry,
        case
            when row_number() over (partition by company_key order by valid_from) = 1 then date '1900-01-01'
            else valid_from
        end as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        coalesce(is_etf, false) or coalesce(is_fund, false) as is_fund
    from company_rows
),
-- the user's corrections in force at the close
corrected as (
    select
        c.symbol, d.as_of_date,
        max(case when c.item = 'sector' then c.value end) as sector,
        max(case when c.item = 'industry' then c.value end) as industry
    from staging.corrections as c
    join dates as d on c.known_from <= d.closes_at and (c.known_to is null or c.known_to > d.closes_at)
    where c.kind = 'value' and c.item in ('sector', 'industry')
    group by c.symbol, d.as_of_date
),
figures as (
    select
        m.company_key, m.symbol, m.as_of_date, m.closes_at,
        nullif(trim(coalesce(f.sector, c.sector)), '') as sector,
        nullif(trim(coalesce(f.industry, c.industry)), '') as industry
        {% for metric in ranks %}
        {% if metric.kind == "market" %}
        , case when not m.is_suspect then m.{{ metric.name }} end as {{ metric.name }}
        {% elif metric.kind == "price" %}
        , m.{{ metric.name }}
        {% else %}
        , case when not {{ metric.kind }}_rows.is_suspect and not m.is_stale
            then {{ metric.kind }}_rows.{{ metric.name }} end as {{ metric.name }}
        {% endif %}
        {% endfor %}
    from market_rows as m
    join companies_by_day as c
        on c.company_key = m.company_key and m.as_of_date >= c.valid_from and m.as_of_date < c.valid_to
        and not c.is_fund
    {% for kind, _ in ranked_periods %}
    -- the twelve months in force on the day
    left join {{ kind }}_rows
        on {{ kind }}_rows.company_key = m.company_key and {{ kind }}_rows.fiscal_date = m.fundamentals_as_of
        and {{ kind }}_rows.known_from <= m.closes_at and {{ kind }}_rows.known_to > m.closes_at
    {% endfor %}
    left join corrected as f on f.symbol = m.symbol and f.as_of_date = m.as_of_date
),
metric_values as (
    {% for metric in ranks %}
    {{ "union all " if not loop.first }}select
        company_key, symbol, as_of_date, closes_at, sector, industry,
        '{{ metric.name }}'{{ " as metric" if loop.first }}, {{ metric.name }}{{ " as value" if loop.first }}
    from figures where {{ metric.name }} is not null
    {% endfor %}
),
group_types as (select 'sector' as group_type union all select 'industry'),
grouped as (
    select
        v.company_key, v.symbol, v.as_of_date, v.closes_at, t.group_type,
        case when t.group_type = 'sector' then v.sector else v.industry end as group_name, v.metric, v.value
    from metric_values as v
    cross join group_types as t
    where case when t.group_type = 'sector' then v.sector else v.industry end is not null
),
group_statistics as (
    select
        as_of_date, group_type, group_name, metric, count(*) as members, avg(value) as mean,
        -- NULL if all values are equal: rounding could give a deviation just above zero
        case when max(value) > min(value) then stddev_samp(value) end as deviation
    from grouped
    group by as_of_date, group_type, group_name, metric
    having count(*) >= 5
),
-- the windows sort narrow rows by a number, which takes half the time of sorting by the columns of the group
groups as (
    select *, row_number() over (order by as_of_date, group_type, group_name, metric) as group_id
    from group_statistics
),
members as (
    select g.company_key, g.symbol, g.closes_at, g.value, s.group_id
    from grouped as g
    join groups as s
        on s.as_of_date = g.as_of_date and s.group_type = g.group_type and s.group_name = g.group_name
        and s.metric = g.metric
),
ranked as (
    select *,
        rank() over (partition by group_id order by value) as lowest_rank,
        -- the part of the members with the same value or a lower one
        cume_dist() over (partition by group_id order by value) as part
    from members
)
select
    r.company_key, r.symbol, g.as_of_date,
    (year(g.as_of_date) * 10000 + month(g.as_of_date) * 100 + day(g.as_of_date))::bigint as as_of_date_key,
    g.group_type, g.group_name, g.metric, r.value, g.members::bigint as members,
    -- ranks of equal values are averaged. cume_dist is a fraction, so the product is rounded to a whole number
    (r.lowest_rank + round(r.part * g.members, 0) - 2)::double
    / nullif((g.members - 1)::double * 2.0::double, 0) as percentile,
    -- rounded, because a sum of doubles depends on their order
    round((r.value - g.mean) / nullif(g.deviation, 0), 10) as z_score,
    case when g.deviation is null then 'zero_variance' end as reason,
    r.closes_at as known_from, null::timestamp as known_to
from ranked as r
join groups as g on g.group_id = r.group_id
