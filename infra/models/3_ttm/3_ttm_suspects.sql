-- grain: vintage x fiscal_date (newest quarter end) x suspicion. The suspicions of the quarters within the twelve
-- months, those of the balances at their beginning, and different filers within the twelve months.
create or replace temporary table ttm_suspects as
with quarters as (
    select r.vintage_id, r.fiscal_date, s.suspicion, s.known_on, s.ours, s.theirs
    from period_suspects as s
    join quarter_rows as r on r.vintage_id = s.vintage_id and r.version_id = s.version_id
),
windows as (select * from ttm_windows),
filers as (
    select symbol, version_id, try_cast(cik as bigint) as filer, known_on from new_fact_financials_history
),
changed_filers as (
    select symbol from filers group by symbol having min(filer) <> max(filer)
),
filings as (
    select r.vintage_id, r.fiscal_date, f.filer, f.known_on
    from changed_filers as c
    join filers as f on f.symbol = c.symbol
    join quarter_rows as r on r.version_id = f.version_id
),
found as (
    select w.vintage_id, w.fiscal_date, q.suspicion, q.known_on, q.ours, q.theirs
    from quarters as q
    join windows as w
        on w.vintage_id = q.vintage_id and q.fiscal_date between w.window_from and w.fiscal_date
    union all
    select w.vintage_id, w.fiscal_date, q.suspicion, q.known_on, q.ours, q.theirs
    from quarters as q
    join windows as w on w.vintage_id = q.vintage_id and w.begin_date = q.fiscal_date
    where q.suspicion in (
        {% for suspicion in suspicions if suspicion.balance %}
        {{ ", " if not loop.first }}'{{ suspicion.code }}'
        {% endfor %}
    )
    union all
    select
        w.vintage_id, w.fiscal_date, 'filer_change', max(f.known_on),
        max(case when f.fiscal_date = w.fiscal_date then f.filer end)::double,
        case
            when max(case when f.fiscal_date = w.fiscal_date then f.filer end) = min(f.filer) then max(f.filer)
            else min(f.filer)
        end::double
    from filings as f
    join windows as w
        on w.vintage_id = f.vintage_id and f.fiscal_date between w.window_from and w.fiscal_date
    group by w.vintage_id, w.fiscal_date
    having min(f.filer) <> max(f.filer)
)
select vintage_id, fiscal_date, suspicion, min(known_on) as known_on, max(ours) as ours, max(theirs) as theirs
from found
group by vintage_id, fiscal_date, suspicion
