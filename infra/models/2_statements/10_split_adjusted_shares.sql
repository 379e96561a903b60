-- grain: period version. EPS and share counts on the newest split basis. A statement is on the share basis of its
-- filing date, unless FMP restated it for later splits before findata received it. FMP restates the statements of
-- some companies only. A split changes the share count far more than buybacks do, so the model tries both bases and
-- uses the basis whose share count is closer to the count of the profile. Without a profile it uses the basis of the
-- filing date. If the user entered a share ratio, the figures are per traded share or receipt.
create or replace temporary table split_adjusted_shares as
with share_ratios as (
    select symbol, try_cast(value as double) as share_ratio, known_from, known_to from staging.corrections where kind = 'share_ratio'
),
periods as (
    select
        f.version_id, f.symbol, f.known_on, v.basis_date, f.eps, f.eps_diluted, f.shares_outstanding,
        f.shares_outstanding_diluted, r.share_ratio,
        coalesce(f.shares_outstanding_diluted, f.shares_outstanding)::double
            / nullif(coalesce(r.share_ratio, 1.0::double), 0) as shares
    from new_fact_financials_history as f
    join fiscal_versions as v on v.version_id = f.version_id
    left join share_ratios as r
        on r.symbol = f.symbol and r.known_from <= f.known_from and (r.known_to is null or r.known_to > f.known_from)
),
profiles as (
    select p.symbol, p.market_cap::double / nullif(p.price::double, 0) * coalesce(s.share_factor, 1.0::double) as shares
    from newest_profiles as p
    left join split_factors as s
        on s.symbol = p.symbol and p.received_on >= s.from_date and p.received_on < s.until_date
    where p.market_cap > 0 and p.price > 0 and p.market_cap::double / nullif(p.price::double, 0) < 1e18
),
candidates as (
    select
        p.*, r.share_factor as receipt_factor, f.share_factor as filing_factor,
        case
            when p.shares > 0 and c.shares > 0
                then ln(p.shares * coalesce(r.share_factor, 1.0::double) / nullif(c.shares, 0))
        end as receipt_distance,
        case
            when p.shares > 0 and c.shares > 0
                then ln(p.shares * coalesce(f.share_factor, 1.0::double) / nullif(c.shares, 0))
        end as filing_distance
    from periods as p
    left join split_factors as r on r.symbol = p.symbol and p.basis_date >= r.from_date and p.basis_date < r.until_date
    left join split_factors as f on f.symbol = p.symbol and p.known_on >= f.from_date and p.known_on < f.until_date
    left join profiles as c on c.symbol = p.symbol
),
chosen as (
    select *,
        case
            when abs(receipt_distance) < abs(filing_distance) then receipt_factor
            else filing_factor
        end as split_factor
    from candidates
),
bases as (
    select *,
        case
            when share_ratio is null then split_factor
            else coalesce(split_factor, 1.0::double) / nullif(share_ratio, 0)
        end as basis_factor
    from chosen
)
select
    version_id,
    -- keep twelve decimal places, because per-share figures are small after many splits
    (case
        when basis_factor is null then eps::double
        else eps::double / nullif(basis_factor, 0)
    end)::decimal(38, 12) as split_adjusted_eps,
    (case
        when basis_factor is null then eps_diluted::double
        else eps_diluted::double / nullif(basis_factor, 0)
    end)::decimal(38, 12) as split_adjusted_eps_diluted,
    case
        when basis_factor is null then shares_outstanding
        else (shares_outstanding::double * basis_factor)::decimal(38, 6)
    end as split_adjusted_shares_outstanding,
    case
        when basis_factor is null then shares_outstanding_diluted
        else (shares_outstanding_diluted::double * basis_factor)::decimal(38, 6)
    end as split_adjusted_shares_outstanding_diluted
from bases
