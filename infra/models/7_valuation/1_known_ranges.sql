-- grain: lane x valid_from. Days in [valid_from, valid_to) on which the same fundamentals were known: the TTM row, the fiscal year and the
-- newest statement (for balances and shares) in force. The ranges of a lane cover all days, so a day has exactly one.
create or replace temporary table known_ranges as
with scoped as (select * from companies),
candidates as (
    select lane_id, 'TTM' as kind, 'TTM' as basis, fiscal_date, known_on, (fiscal_date - date '1900-01-01') * 2 as recency
    from new_fact_financials_ttm_history
    union all
    select lane_id, 'FY', period_type, fiscal_date, known_on, (fiscal_date - date '1900-01-01') * 2
    from lane_periods where period_type = 'FY' and has_income
    union all
    -- at one period end the quarter goes before the year: its share count is the newer average
    select lane_id, 'ANY', period_type, fiscal_date, known_on, (fiscal_date - date '1900-01-01') * 2 + case when period_type = 'FY' then 0 else 1 end
    from lane_periods where has_income and has_balance
),
one_a_day as (
    select * from candidates
    where known_on is not null
    qualify row_number() over (partition by lane_id, kind, known_on order by recency desc nulls last, basis desc nulls last) = 1
),
-- a late restatement of an old period never becomes the newest one
newest_so_far as (
    select *, max(recency) over (partition by lane_id, kind order by known_on rows between unbounded preceding and 1 preceding) as newest_before
    from one_a_day
),
in_force as (
    select lane_id, kind, basis, fiscal_date, known_on,
        coalesce(lead(known_on) over (partition by lane_id, kind order by known_on), date '9999-12-31') as until_date
    from newest_so_far
    where newest_before is null or recency > newest_before
),
changes as (
    select lane_id, known_on as valid_from from in_force
    union
    select lane_id, date '1900-01-01' from lanes
),
ranges as (
    select lane_id, valid_from, coalesce(lead(valid_from) over (partition by lane_id order by valid_from), date '9999-12-31') as valid_to
    from changes
),
known as (
    select
        r.lane_id, r.valid_from, r.valid_to,
        t.fiscal_date as ttm_date, y.fiscal_date as fy_date, a.fiscal_date as any_date, a.basis as any_basis, a.known_on as any_known_on,
        case when t.fiscal_date is not null then t.known_on else a.known_on end as fundamentals_known_on
    from ranges as r
    left join in_force as t on t.lane_id = r.lane_id and t.kind = 'TTM' and r.valid_from >= t.known_on and r.valid_from < t.until_date
    left join in_force as y on y.lane_id = r.lane_id and y.kind = 'FY' and r.valid_from >= y.known_on and r.valid_from < y.until_date
    left join in_force as a on a.lane_id = r.lane_id and a.kind = 'ANY' and r.valid_from >= a.known_on and r.valid_from < a.until_date
),
-- stale after 185 days without a newer period end; a half-year reporter gets a quarter more, one with fiscal years only the rest of the year
limits as (
    select k.*, t.quarters_included,
        case when k.any_date is null or k.any_date < k.ttm_date then k.ttm_date else k.any_date end as newest_interim,
        case when t.quarters_included = 2 and t.status = 'ok' then 276 when q.lane_id is null then 459 else 185 end as days_fresh
    from known as k
    left join new_fact_financials_ttm_history as t on t.lane_id = k.lane_id and t.fiscal_date = k.ttm_date
    left join (select distinct lane_id from quarter_rows) as q on q.lane_id = k.lane_id
),
stale_dates as (
    select *, case when newest_interim is null or newest_interim < fy_date then fy_date else newest_interim end + days_fresh + 1 as stale_from
    from limits
),
pieces as (
    select lane_id, valid_from, case when stale_from < valid_to then stale_from else valid_to end as valid_to, false as is_stale,
        ttm_date, fy_date, any_date, any_basis, any_known_on, fundamentals_known_on
    from stale_dates
    where stale_from is null or stale_from > valid_from
    union all
    select lane_id, case when stale_from > valid_from then stale_from else valid_from end, valid_to, true,
        ttm_date, fy_date, any_date, any_basis, any_known_on, fundamentals_known_on
    from stale_dates
    where stale_from < valid_to
),
ever as (select distinct lane_id from lane_periods)
select
    row_number() over (order by p.lane_id, p.valid_from) as range_id, p.lane_id, l.symbol, p.valid_from, p.valid_to, p.is_stale,
    p.ttm_date, p.fy_date, p.any_date, p.any_basis, coalesce(p.ttm_date, p.any_date, p.fy_date) as fundamentals_as_of,
    p.fundamentals_known_on, c.is_financial, c.quote_currency, case when e.lane_id is null then 'missing_input' else 'insufficient_history' end as unknown_reason
from pieces as p
join lanes as l on l.lane_id = p.lane_id
join scoped as c on c.symbol = l.symbol
left join ever as e on e.lane_id = p.lane_id
