-- grain: company x dataset x period that is not in force all the time. A period is not in force before starts_at and
-- from ends_at on, for one of two reasons.
-- FMP sent one period under two labels or with two ends: periods of one length that end within 14 days of each other
-- are one period. The label with the newest acceptance wins, then the label that continues the sequence of its
-- neighbours, then the label received last, then the later end. If the winner was received after the other label, it
-- is a correction, known from its receipt on.
-- FMP withdrew the statement: two answers, or one answer with --full, did not have it (ops.missing_statements).
create or replace temporary table statement_ends as
with versions as (
    select *,
        case when period_type in ('Q1', 'Q2', 'Q3', 'Q4') then 'Q' else period_type end as cadence
    from company_statement_versions
),
withdrawn as (
    select v.symbol, v.dataset, v.period_type, v.period_no, max(m.withdrawn_at) as withdrawn_at
    from ops.missing_statements as m
    join versions as v
        on v.symbol = m.symbol and v.dataset = m.dataset and v.period_type = m.period_type
        and v.fiscal_date = m.fiscal_date
    where m.withdrawn_at is not null
    group by v.symbol, v.dataset, v.period_type, v.period_no
),
labels as (
    select
        v.symbol, v.cadence, v.period_type, v.period_no, max(v.fiscal_date) as fiscal_date,
        max(v.accepted_at) as accepted_at, min(v.known_from) as known_from, min(v.observed_at) as received_at,
        count(w.symbol) as n_withdrawn
    from versions as v
    left join withdrawn as w
        on w.symbol = v.symbol and w.dataset = v.dataset and w.period_type = v.period_type
        and w.period_no = v.period_no
    group by v.symbol, v.cadence, v.period_type, v.period_no
),
spaced as (
    select *,
        fiscal_date - lag(fiscal_date) over (
            partition by symbol, cadence order by fiscal_date, period_type, period_no
        ) as gap_days
    from labels
),
numbered as (
    select *,
        sum(case when gap_days <= 14 then 0 else 1 end) over (
            partition by symbol, cadence order by fiscal_date, period_type, period_no
            rows between unbounded preceding and current row
        ) as cluster_no
    from spaced
),
contested as (
    select * from numbered
    qualify count(*) over (partition by symbol, cadence, cluster_no) > 1
),
-- how many neighbours' labels a label continues, less those that it does not continue
sequences as (
    select
        c.symbol, c.period_type, c.period_no,
        sum(case
            when n.fiscal_date < c.fiscal_date and c.period_type = case n.period_type
                when 'Q1' then 'Q2'
                when 'Q2' then 'Q3'
                when 'Q3' then 'Q4'
                else 'Q1'
            end then 1
            when n.fiscal_date > c.fiscal_date and n.period_type = case c.period_type
                when 'Q1' then 'Q2'
                when 'Q2' then 'Q3'
                when 'Q3' then 'Q4'
                else 'Q1'
            end then 1
            else -1
        end) as n_continued
    from contested as c
    join numbered as n
        on n.symbol = c.symbol and n.cadence = c.cadence and n.cluster_no <> c.cluster_no
        and (
            c.fiscal_date - n.fiscal_date between 70 and 120
            or n.fiscal_date - c.fiscal_date between 70 and 120
        )
    where c.cadence = 'Q'
    group by c.symbol, c.period_type, c.period_no
),
ranked as (
    select
        c.*,
        row_number() over (
            partition by c.symbol, c.cadence, c.cluster_no
            order by
                c.n_withdrawn, c.accepted_at desc nulls last, coalesce(s.n_continued, 0) desc nulls last,
                c.received_at desc nulls last, c.fiscal_date desc nulls last, c.period_type desc nulls last
        ) as rank_no
    from contested as c
    left join sequences as s
        on s.symbol = c.symbol and s.period_type = c.period_type and s.period_no = c.period_no
),
winners as (
    select
        w.symbol, w.cadence, w.cluster_no, w.period_type, w.period_no,
        -- a correction counts from its receipt on
        max(case when w.received_at > o.received_at and w.received_at > w.known_from then w.received_at end)
            as corrected_at,
        min(w.known_from) as known_from
    from ranked as w
    join ranked as o
        on o.symbol = w.symbol and o.cadence = w.cadence and o.cluster_no = w.cluster_no and o.rank_no > 1
    where w.rank_no = 1
    group by w.symbol, w.cadence, w.cluster_no, w.period_type, w.period_no
),
bounds as (
    select symbol, period_type, period_no, corrected_at as starts_at, null::timestamp as ends_at
    from winners
    where corrected_at is not null
    union all
    select o.symbol, o.period_type, o.period_no, null, coalesce(w.corrected_at, w.known_from)
    from ranked as o
    join winners as w on w.symbol = o.symbol and w.cadence = o.cadence and w.cluster_no = o.cluster_no
    where o.rank_no > 1
),
datasets as (select distinct symbol, dataset, period_type, period_no from versions),
all_bounds as (
    select d.symbol, d.dataset, d.period_type, d.period_no, b.starts_at, b.ends_at
    from bounds as b
    join datasets as d on d.symbol = b.symbol and d.period_type = b.period_type and d.period_no = b.period_no
    union all
    select symbol, dataset, period_type, period_no, null, withdrawn_at from withdrawn
)
select
    symbol, dataset, period_type, period_no, max(starts_at) as starts_at, min(ends_at) as ends_at
from all_bounds
group by symbol, dataset, period_type, period_no
