-- grain: period version. EPS and share counts per security, on the newest split basis. A statement is on the share
-- basis of its filing date, unless FMP restated it for later splits before findata received it. FMP restates the
-- statements of some companies only. A split changes the share count far more than buybacks do, so the model tries
-- both bases and uses the basis whose share count is closer to the vendor's. Without one it uses the basis of the
-- filing date.
-- A receipt or a share of another class stands for shares_per_security shares of the statements. Some statements
-- already count securities; the same comparison decides.
-- share_reason: the count contradicts its neighbours or the vendor. eps_reason: EPS does. Such values are NULL;
-- `ours` contradicts `theirs`. The user's share ratio is used in the versions in which it is in force, and a count or
-- EPS that the user corrected or confirmed is not disputed.
create or replace temporary table split_adjusted_shares as
with share_ratios as (
    select symbol, try_cast(value as double) as share_ratio, known_from, known_to
    from staging.corrections
    where kind = 'share_ratio'
),
decided as (
    select
        version_id,
        max(case when item in ('shares_outstanding', 'shares_outstanding_diluted') then 1 else 0 end)
            as is_count_decided,
        max(case when item in ('eps', 'eps_diluted') then 1 else 0 end) as is_eps_decided
    from corrected_values
    group by version_id
),
periods as (
    select
        f.version_id, f.symbol, f.known_on, f.fiscal_date, f.period_type, f.is_derived, f.known_from, v.basis_date,
        f.eps, f.eps_diluted, f.shares_outstanding, f.shares_outstanding_diluted, f.net_income::double as net_income,
        coalesce(f.shares_outstanding_diluted, f.shares_outstanding)::double as shares,
        f.total_assets::double as total_assets, f.stockholders_equity::double as stockholders_equity
    from new_fact_financials_history as f
    join fiscal_versions as v on v.version_id = f.version_id
),
checks as (
    select
        p.version_id, c.ipo_date, c.ours, coalesce(r.share_ratio, c.inferred_per_security) as shares_per_security,
        c.inferred_per_security,
        case
            when r.share_ratio is null then c.inferred_verdict
            when c.ours is null then 'unknown'
            else 'receipt'
        end as verdict
    from periods as p
    join share_checks as c on c.symbol = p.symbol
    left join share_ratios as r
        on r.symbol = p.symbol and r.known_from <= p.known_from
        and coalesce(r.known_to, timestamp '9999-12-31 00:00:00') > p.known_from
),
referenced as (
    select *, case when verdict in ('ok', 'receipt', 'class') then ours * shares_per_security end as reference_shares
    from checks
),
candidates as (
    select
        p.*, r.share_factor as receipt_factor, f.share_factor as filing_factor, c.verdict, c.reference_shares,
        c.shares_per_security, c.inferred_per_security, c.ipo_date, c.ours as vendor_shares,
        case
            when p.shares > 0 and c.reference_shares > 0
                then ln(nullif(abs(
                    p.shares * coalesce(r.share_factor, 1.0::double) / nullif(c.reference_shares, 0)
                ), 0))
        end as receipt_distance,
        case
            when p.shares > 0 and c.reference_shares > 0
                then ln(nullif(abs(
                    p.shares * coalesce(f.share_factor, 1.0::double) / nullif(c.reference_shares, 0)
                ), 0))
        end as filing_distance
    from periods as p
    left join split_factors as r on r.symbol = p.symbol and p.basis_date >= r.from_date and p.basis_date < r.until_date
    left join split_factors as f on f.symbol = p.symbol and p.known_on >= f.from_date and p.known_on < f.until_date
    left join referenced as c on c.version_id = p.version_id
),
bases as (
    select *,
        case
            when abs(receipt_distance) < abs(filing_distance) then receipt_factor
            else filing_factor
        end as basis_factor,
        case
            when abs(receipt_distance) < abs(filing_distance) then receipt_distance
            else filing_distance
        end as distance,
        -- EPS times shares as a multiple of net income
        case
            when shares > 0 and abs(eps_diluted) >= 0.05 and net_income <> 0
                then ln(nullif(abs(eps_diluted::double * shares / nullif(net_income, 0)), 0))
        end as log_earnings
    from candidates
),
-- whether the count and EPS are those of shares, not of securities
units as (
    select *,
        case
            when shares_per_security is null or shares_per_security = 1 then 1.0::double
            when abs(distance + ln(nullif(abs(shares_per_security), 0))) < abs(distance) then 1.0::double
            else shares_per_security
        end as count_unit
    from bases
),
scaled as (
    select *,
        -- if the count is of shares and EPS of securities, their product is too large by the unit
        case
            when coalesce(shares_per_security, 1.0::double) = 1 then 1.0::double
            when log_earnings is null then count_unit
            when abs(log_earnings - ln(nullif(abs(count_unit), 0)))
                < abs(log_earnings - ln(nullif(abs(count_unit), 0)) + ln(nullif(abs(shares_per_security), 0)))
                then 1.0::double
            else shares_per_security
        end as eps_unit,
        coalesce(basis_factor, 1.0::double) / nullif(count_unit, 0) as count_factor,
        ln(nullif(abs(
            case when shares > 0 then shares end * coalesce(basis_factor, 1.0::double) / nullif(count_unit, 0)
        ), 0)) as log_count,
        -- a ratio that the user entered is not a jump of the count
        case
            when count_unit = 1 then 0.0::double
            else ln(nullif(abs(shares_per_security / nullif(inferred_per_security, 0)), 0))
        end as log_entered,
        max(case when period_type <> 'FY' and not is_derived then 1 else 0 end) over (partition by symbol) = 1
            as has_quarters,
        min(fiscal_date) over (partition by symbol) as first_date
    from units
),
with_errors as (
    select *, log_earnings - ln(nullif(abs(count_unit / nullif(eps_unit, 0)), 0)) as log_eps_error from scaled
),
-- the reported quarters, or else years, in order: how the count changes from one to the next
chained as (
    select
        version_id, symbol, known_on, fiscal_date, first_date, ipo_date, verdict, log_count, reference_shares,
        shares_per_security, known_from,
        log_count + log_entered - lag(log_count + log_entered) over (
            partition by symbol order by fiscal_date, known_from, version_id
        ) as log_jump,
        lag(fiscal_date) over (partition by symbol order by fiscal_date, known_from, version_id) as prior_date,
        (total_assets - lag(total_assets) over (partition by symbol order by fiscal_date, known_from, version_id))
            / nullif(abs(lag(total_assets) over (partition by symbol order by fiscal_date, known_from, version_id)), 0)
            as assets_growth,
        (
            stockholders_equity
            - lag(stockholders_equity) over (partition by symbol order by fiscal_date, known_from, version_id)
        ) / nullif(abs(lag(total_assets) over (partition by symbol order by fiscal_date, known_from, version_id)), 0)
            as equity_growth,
        lead(version_id) over (partition by symbol order by fiscal_date, known_from, version_id) is null as is_newest
    from scaled
    where not is_derived and log_count is not null and (period_type <> 'FY' or not has_quarters)
),
-- counts of the last row against the vendor's
ends as (
    select *,
        case
            when is_newest and verdict in ('ok', 'receipt', 'class')
                then log_count - ln(nullif(abs(reference_shares / nullif(shares_per_security, 0)), 0))
        end as log_end
    from chained
),
-- splits of the two years around a statement, by which a count may be off
near_splits as (
    select
        c.version_id,
        max(case when abs(abs(c.log_jump) - abs(e.log_factor)) <= ln(1.03::double) then 1 else 0 end) as is_jump,
        max(case when abs(abs(c.log_end) - abs(e.log_factor)) <= ln(1.03::double) then 1 else 0 end) as is_end
    from ends as c
    join split_events as e
        on e.symbol = c.symbol and e.is_testable and e.adjusts_shares
        and e.split_date between c.known_on - 730 and c.known_on + 730
    where abs(c.log_jump) > ln(1.25::double) or abs(c.log_end) > ln(1.25::double)
    group by c.version_id
),
-- a jump is explained by an IPO, which a history of a year suggests if FMP has no date, or if assets or equity grew or
-- shrank with it
jumps as (
    select
        c.*,
        case
            when abs(c.log_jump) <= ln(2.0::double) and coalesce(n.is_jump, 0) = 0 then 0.0::double
            when c.ipo_date between c.prior_date - 100 and c.fiscal_date + 100 then 0.0::double
            when c.ipo_date is null and c.first_date > c.fiscal_date - 400 then 0.0::double
            when c.log_jump > 0
                and (
                    c.assets_growth >= case when c.log_jump > ln(10.0::double) then 0.5 else 0.1 end
                    or c.equity_growth >= case when c.log_jump > ln(10.0::double) then 0.5 else 0.1 end
                ) then 0.0::double
            when c.log_jump < 0 and c.log_jump > ln(0.1::double)
                and (c.assets_growth <= -0.1 or c.equity_growth <= -0.1) then 0.0::double
            else coalesce(c.log_jump, 0.0::double)
        end as log_unexplained,
        case
            when c.log_end is null or c.ipo_date >= c.fiscal_date - 550 then 0.0::double
            when abs(c.log_end) > ln(2.0::double) or n.is_end = 1 then -c.log_end
            else 0.0::double
        end as log_at_end
    from ends as c
    left join near_splits as n on n.version_id = c.version_id
),
-- log_error: the factor between a count and what the newest counts say
errors as (
    select
        version_id, symbol, fiscal_date, log_count,
        coalesce(
            sum(log_unexplained::decimal(38, 12)) over (
                partition by symbol order by fiscal_date, known_from, version_id
                rows between 1 following and unbounded following
            ), 0
        )::double + sum(log_at_end::decimal(38, 12)) over (partition by symbol)::double as log_error
    from jumps
),
-- a year has the error of the quarter that ends with it, if it has a similar count
all_errors as (
    select version_id, log_error from errors where abs(log_error) > ln(1.3::double)
    union
    select y.version_id, max(e.log_error)
    from scaled as y
    join errors as e
        on e.symbol = y.symbol and e.fiscal_date between y.fiscal_date - 14 and y.fiscal_date + 14
        and abs(e.log_error) > ln(1.3::double) and abs(e.log_count - y.log_count) <= ln(1.5::double)
    where y.period_type = 'FY' and y.has_quarters and not y.is_derived
    group by y.version_id
),
-- a derived quarter has the errors of its parts
with_derived as (
    select version_id, log_error from all_errors
    union all
    select q.version_id, max(e.log_error)
    from all_errors as e
    join derived_quarters as q
        on e.version_id = q.year_id or e.version_id = q.first_id or e.version_id = q.second_id
        or e.version_id = q.third_id
    group by q.version_id
),
-- EPS that is off by an error factor, although the count is right
eps_splits as (
    select s.version_id
    from with_errors as s
    join split_events as e
        on e.symbol = s.symbol and e.is_testable and e.adjusts_shares
        and e.split_date between s.known_on - 730 and s.known_on + 730
    where abs(abs(s.log_eps_error) - abs(e.log_factor)) <= ln(1.03::double)
    group by s.version_id
),
judged as (
    select
        s.*, e.log_error,
        case
            when d.is_count_decided = 1 then null
            when s.verdict = 'disputed' or e.version_id is not null then 'share_count_disputed'
        end as share_reason,
        case
            when d.is_eps_decided = 1 then null
            when s.verdict = 'disputed' then 'share_count_disputed'
            -- EPS belongs to the wrong count if their product is net income
            when e.version_id is not null and coalesce(abs(s.log_eps_error) <= ln(1.3::double), true)
                then 'share_count_disputed'
            when e.version_id is null and not s.is_derived
                and (
                    p.version_id is not null
                    or abs(abs(s.log_eps_error) - ln(100.0::double)) <= ln(1.03::double)
                    or abs(abs(s.log_eps_error) - ln(1000.0::double)) <= ln(1.03::double)
                ) then 'eps_disputed'
        end as eps_reason
    from with_errors as s
    left join with_derived as e on e.version_id = s.version_id
    left join eps_splits as p on p.version_id = s.version_id
    left join decided as d on d.version_id = s.version_id
)
select
    version_id, share_reason, eps_reason,
    case
        when share_reason is not null then shares * count_factor
        when eps_reason is not null then eps_diluted::double * shares
    end as ours,
    case
        when verdict = 'disputed' then vendor_shares
        when share_reason is not null then shares * count_factor * exp(log_error)
        when eps_reason is not null then net_income
    end as theirs,
    -- keep twelve decimal places, because per-share figures are small after many splits
    (case
        when eps_reason is not null then null
        when basis_factor is null and eps_unit = 1 then eps::double
        else eps::double * eps_unit / nullif(coalesce(basis_factor, 1.0::double), 0)
    end)::decimal(38, 12) as split_adjusted_eps,
    (case
        when eps_reason is not null then null
        when basis_factor is null and eps_unit = 1 then eps_diluted::double
        else eps_diluted::double * eps_unit / nullif(coalesce(basis_factor, 1.0::double), 0)
    end)::decimal(38, 12) as split_adjusted_eps_diluted,
    case
        when share_reason is not null then null
        when count_factor = 1 then shares_outstanding
        else round(shares_outstanding::double * count_factor)::decimal(38, 6)
    end as split_adjusted_shares_outstanding,
    case
        when share_reason is not null then null
        when count_factor = 1 then shares_outstanding_diluted
        else round(shares_outstanding_diluted::double * count_factor)::decimal(38, 6)
    end as split_adjusted_shares_outstanding_diluted
from judged
