-- grain: vintage x valid_from. Ranges of days [valid_from, valid_to) on which the same fundamentals were known: the
-- TTM row, the fiscal year, and the newest statement (for balances and share counts), whether each is stale, and what
-- follows from the profile of these days; also the share count that the user entered. The ranges of a vintage cover all
-- days without overlap. Fundamentals that are not recomputed are read from the published tables.
create or replace temporary table fundamentals_ranges as
with recomputed_companies as (select * from companies),
published as (
    select l.vintage_id, l.symbol
    from vintages as l
    join recomputed_companies as c on c.symbol = l.symbol
    where not c.with_fundamentals
),
periods as (
    select vintage_id, period_type, fiscal_date, known_on, has_income, has_balance from vintage_periods
    union all
    select p.vintage_id, f.period_type, f.fiscal_date, f.known_on, f.has_income, f.has_balance
    from published as p
    join analytics.fact_financials as f on f.symbol = p.symbol
),
statements as (
    select
        *,
        case
            when period_type = 'FY' then fiscal_date - lag(fiscal_date) over (
                partition by vintage_id, period_type order by fiscal_date
            )
        end as days_since_year
    from periods
),
reporters as (
    select vintage_id, max(case when period_type = 'FY' then 0 else 1 end) = 1 as has_quarters
    from periods
    group by vintage_id
),
ttm_rows as (
    select vintage_id, fiscal_date, known_on, quarters_included, status from new_fact_financials_ttm_history
    union all
    select p.vintage_id, t.fiscal_date, t.known_on, t.quarters_included, t.status
    from published as p
    join analytics.fact_financials_ttm as t on t.symbol = p.symbol
),
-- days_fresh: how old the end of a period may be. A quarter is followed by the next within 91 days and 90 to file, a
-- half year within 183 and 120, a year within 365 and 120; a few days more for filings that are late
twelve_months as (
    select
        vintage_id, fiscal_date, known_on,
        case when quarters_included = 2 and status = 'ok' then 305 else 185 end as days_fresh
    from ttm_rows
),
candidates as (
    select
        vintage_id, 'TTM' as kind, 'TTM' as basis, fiscal_date, known_on, days_fresh,
        (fiscal_date - date '1900-01-01') * 2 as recency
    from twelve_months
    union all
    -- a part of a year (up to 14 days apart are two ends of one year) never replaces the last full year
    select
        vintage_id, 'FY', period_type, fiscal_date, known_on, 490, (fiscal_date - date '1900-01-01') * 2
    from statements
    where period_type = 'FY' and has_income and (days_since_year is null or days_since_year not between 15 and 349)
    union all
    -- if a quarter and a year have the same end, use the quarter, because its average share count is more recent
    select
        s.vintage_id, 'LATEST', s.period_type, s.fiscal_date, s.known_on,
        case
            when r.has_quarters then coalesce(t.days_fresh, 185)
            else 490
        end,
        (s.fiscal_date - date '1900-01-01') * 2 + case when s.period_type = 'FY' then 0 else 1 end
    from statements as s
    join reporters as r on r.vintage_id = s.vintage_id
    left join twelve_months as t on t.vintage_id = s.vintage_id and t.fiscal_date = s.fiscal_date
    where s.has_income and s.has_balance
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
        vintage_id, kind, basis, fiscal_date, known_on, fiscal_date + days_fresh + 1 as stale_from,
        coalesce(lead(known_on) over (partition by vintage_id, kind order by known_on), date '9999-12-31') as until_date
    from newest_so_far
    where newest_before is null or recency > newest_before
),
profiles as (
    select l.vintage_id, p.*
    from profile_ranges as p
    join vintages as l
        on l.symbol = p.symbol and p.known_from < l.cutoff and (p.known_to is null or p.known_to >= l.cutoff)
    -- of two changes on one day, the later one counts
    where p.valid_from < p.valid_to
),
-- a share count is on the share basis of its day
entered_counts as (
    select
        l.vintage_id, c.subject_date as valid_from,
        coalesce(
            lead(c.subject_date) over (partition by l.vintage_id order by c.subject_date), date '9999-12-31'
        ) as valid_to,
        try_cast(c.value as double) * coalesce(f.share_factor, 1.0::double) as shares
    from staging.corrections as c
    join vintages as l
        on l.symbol = c.symbol and c.known_from < l.cutoff and (c.known_to is null or c.known_to >= l.cutoff)
    left join split_factors as f
        on f.symbol = c.symbol and c.subject_date >= f.from_date and c.subject_date < f.until_date
    where c.kind = 'share_count'
),
changes as (
    select vintage_id, known_on as valid_from from in_force
    union
    select vintage_id, stale_from from in_force where stale_from > known_on and stale_from < until_date
    union
    select vintage_id, date '1900-01-01' from vintages
    union
    -- a suspicion counts from the day on which it was known
    select vintage_id, known_on from ttm_suspects where known_on is not null
    union
    select vintage_id, known_on from period_suspects where known_on is not null
    union
    select vintage_id, valid_from from profiles where valid_from > date '1900-01-01'
    union
    select vintage_id, valid_from from entered_counts
    union
    select l.vintage_id, s.valid_from
    from share_suspects as s
    join vintages as l on l.symbol = s.symbol
),
ranges as (
    select
        vintage_id, valid_from,
        coalesce(lead(valid_from) over (partition by vintage_id order by valid_from), date '9999-12-31') as valid_to
    from changes
),
ever as (select distinct vintage_id from periods)
select
    row_number() over (order by r.vintage_id, r.valid_from) as range_id, r.vintage_id, l.symbol, r.valid_from,
    r.valid_to,
    t.fiscal_date as ttm_date, y.fiscal_date as fy_date, a.fiscal_date as latest_date, a.basis as latest_basis,
    coalesce(r.valid_from >= t.stale_from, false) as is_ttm_stale,
    coalesce(r.valid_from >= y.stale_from, false) as is_fy_stale,
    coalesce(r.valid_from >= a.stale_from, false) as is_latest_stale,
    coalesce(t.fiscal_date, a.fiscal_date, y.fiscal_date) as fundamentals_as_of,
    case when t.fiscal_date is not null then t.known_on else a.known_on end as fundamentals_known_on,
    c.quote_currency, c.sector_reason, c.is_lender, n.shares as entered_shares,
    case when e.vintage_id is null then 'missing_input' else 'insufficient_history' end as unknown_reason
from ranges as r
join vintages as l on l.vintage_id = r.vintage_id
join profiles as c on c.vintage_id = r.vintage_id and r.valid_from >= c.valid_from and r.valid_from < c.valid_to
left join in_force as t
    on t.vintage_id = r.vintage_id and t.kind = 'TTM' and r.valid_from >= t.known_on and r.valid_from < t.until_date
left join in_force as y
    on y.vintage_id = r.vintage_id and y.kind = 'FY' and r.valid_from >= y.known_on and r.valid_from < y.until_date
left join in_force as a
    on a.vintage_id = r.vintage_id and a.kind = 'LATEST' and r.valid_from >= a.known_on
    and r.valid_from < a.until_date
left join entered_counts as n
    on n.vintage_id = r.vintage_id and r.valid_from >= n.valid_from and r.valid_from < n.valid_to
left join ever as e on e.vintage_id = r.vintage_id
