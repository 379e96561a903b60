-- grain: vintage x valid_from. Ranges of days [valid_from, valid_to) on which the same fundamentals were known: the
-- TTM row, the fiscal year, and the newest statement (for balances and share counts). The ranges of a vintage cover
-- all days without overlap. Fundamentals that are not recomputed are read from the published tables.
create or replace temporary table fundamentals_ranges as
with recomputed_companies as (select * from companies),
published as (
    select l.vintage_id, l.symbol
    from vintages as l
    join recomputed_companies as c on c.symbol = l.symbol
    where not c.with_fundamentals
),
twelve_months as (
    select vintage_id, fiscal_date, known_on, quarters_included, status from new_fact_financials_ttm_history
    union all
    select p.vintage_id, t.fiscal_date, t.known_on, t.quarters_included, t.status
    from published as p
    join analytics.fact_financials_ttm as t on t.symbol = p.symbol
),
periods as (
    select vintage_id, period_type, fiscal_date, known_on, has_income, has_balance from vintage_periods
    union all
    select p.vintage_id, f.period_type, f.fiscal_date, f.known_on, f.has_income, f.has_balance
    from published as p
    join analytics.fact_financials as f on f.symbol = p.symbol
),
candidates as (
    select
        vintage_id, 'TTM' as kind, 'TTM' as basis, fiscal_date, known_on,
        (fiscal_date - date '1900-01-01') * 2 as recency
    from twelve_months
    union all
    select vintage_id, 'FY', period_type, fiscal_date, known_on, (fiscal_date - date '1900-01-01') * 2
    from periods where period_type = 'FY' and has_income
    union all
    -- if a quarter and a year have the same end, use the quarter, because its average share count is more recent
    select
        vintage_id, 'LATEST', period_type, fiscal_date, known_on,
        (fiscal_date - date '1900-01-01') * 2 + case when period_type = 'FY' then 0 else 1 end
    from periods where has_income and has_balance
),
one_a_day as (
    select * from candidates
    where known_on is not null
    qualify row_number() over (
        partition by vintage_id, kind, known_on order by recency desc nulls last, basis desc nulls last
    ) = 1
),
-- the newest period known so far: a late restatement of an older period does not replace it
newest_so_far as (
    select *,
        max(recency) over (
            partition by vintage_id, kind order by known_on rows between unbounded preceding and 1 preceding
        ) as newest_before
    from one_a_day
),
in_force as (
    select
        vintage_id, kind, basis, fiscal_date, known_on,
        coalesce(lead(known_on) over (partition by vintage_id, kind order by known_on), date '9999-12-31') as until_date
    from newest_so_far
    where newest_before is null or recency > newest_before
),
changes as (
    select vintage_id, known_on as valid_from from in_force
    union
    select vintage_id, date '1900-01-01' from vintages
    union
    -- a suspicion counts from the day on which it was known
    select vintage_id, known_on from ttm_suspects where known_on is not null
    union
    select vintage_id, known_on from period_suspects where known_on is not null
),
ranges as (
    select
        vintage_id, valid_from,
        coalesce(lead(valid_from) over (partition by vintage_id order by valid_from), date '9999-12-31') as valid_to
    from changes
),
known as (
    select
        r.vintage_id, r.valid_from, r.valid_to,
        t.fiscal_date as ttm_date, y.fiscal_date as fy_date, a.fiscal_date as latest_date, a.basis as latest_basis,
        a.known_on as latest_known_on,
        case when t.fiscal_date is not null then t.known_on else a.known_on end as fundamentals_known_on
    from ranges as r
    left join in_force as t
        on t.vintage_id = r.vintage_id and t.kind = 'TTM' and r.valid_from >= t.known_on and r.valid_from < t.until_date
    left join in_force as y
        on y.vintage_id = r.vintage_id and y.kind = 'FY' and r.valid_from >= y.known_on and r.valid_from < y.until_date
    left join in_force as a
        on a.vintage_id = r.vintage_id and a.kind = 'LATEST' and r.valid_from >= a.known_on
        and r.valid_from < a.until_date
),
-- fundamentals are stale 185 days after the newest period end. The limit is a quarter longer for a semi-annual
-- reporter, and three quarters longer for a company that reports fiscal years only
limits as (
    select
        k.*, t.quarters_included,
        case
            when k.latest_date is null or k.latest_date < k.ttm_date then k.ttm_date
            else k.latest_date
        end as newest_interim,
        case
            when t.quarters_included = 2 and t.status = 'ok' then 276
            when q.vintage_id is null then 459
            else 185
        end as days_fresh
    from known as k
    left join twelve_months as t on t.vintage_id = k.vintage_id and t.fiscal_date = k.ttm_date
    left join (select distinct vintage_id from periods where period_type <> 'FY') as q on q.vintage_id = k.vintage_id
),
stale_dates as (
    select *,
        case
            when newest_interim is null or newest_interim < fy_date then fy_date
            else newest_interim
        end + days_fresh + 1 as stale_from
    from limits
),
pieces as (
    select
        vintage_id, valid_from, case when stale_from < valid_to then stale_from else valid_to end as valid_to,
        false as is_stale,
        ttm_date, fy_date, latest_date, latest_basis, latest_known_on, fundamentals_known_on
    from stale_dates
    where stale_from is null or stale_from > valid_from
    union all
    select
        vintage_id, case when stale_from > valid_from then stale_from else valid_from end, valid_to, true,
        ttm_date, fy_date, latest_date, latest_basis, latest_known_on, fundamentals_known_on
    from stale_dates
    where stale_from < valid_to
),
ever as (select distinct vintage_id from periods)
select
    row_number() over (order by p.vintage_id, p.valid_from) as range_id, p.vintage_id, l.symbol, p.valid_from,
    p.valid_to, p.is_stale,
    p.ttm_date, p.fy_date, p.latest_date, p.latest_basis,
    coalesce(p.ttm_date, p.latest_date, p.fy_date) as fundamentals_as_of,
    p.fundamentals_known_on, c.is_financial, c.quote_currency,
    case when e.vintage_id is null then 'missing_input' else 'insufficient_history' end as unknown_reason
from pieces as p
join vintages as l on l.vintage_id = p.vintage_id
join recomputed_companies as c on c.symbol = l.symbol
left join ever as e on e.vintage_id = p.vintage_id
