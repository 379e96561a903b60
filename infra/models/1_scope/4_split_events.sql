-- grain: company x split. What each event of FMP's split list is. FMP lists spin-offs as splits as well: they divide
-- the older prices, but the share count stays. The same split on two dates within two weeks is one split.
-- verdict, in this order; the judgement of the user (corrections.toml) comes first:
--   spin_off     its type says so, or its numerator or denominator is above 100, and no share count confirms a split
--   split        a factor within 1.3, which buybacks and issuance hide
--   confirmed    a filing accepted after the ex-date, a restatement or the vendor's count has the new share count
--   contradicted a filing accepted after the ex-date still has the old share count (within 20 %)
--   unconfirmed  no such filing yet, and the vendor's count up to 400 days after the ex-date is still the old one
--   assumed      nothing to compare with: it is a split
-- Only splits change share counts and per-share figures (adjusts_shares). For an unconfirmed split, suspect_from is the
-- first suspect day, `ours` the share count after the split and `theirs` the vendor's.
create or replace temporary table split_events as
with recomputed_companies as (select symbol from companies),
events as (
    select
        s.symbol, s.split_date, s.numerator::double / nullif(s.denominator::double, 0) as factor,
        ln(nullif(abs(s.numerator::double / nullif(s.denominator::double, 0)), 0)) as log_factor,
        coalesce(lower(s.split_type) like '%spin%', false) or s.numerator > 100 or s.denominator > 100 as is_spin_off,
        lead(s.split_date) over (
            partition by s.symbol, s.numerator::double / nullif(s.denominator::double, 0) order by s.split_date
        ) as repeated_on
    from staging.splits as s
    join recomputed_companies as c on c.symbol = s.symbol
    join run_params as r on s.split_date <= r.as_of
    where s.numerator > 0 and s.denominator > 0
),
splits as (
    select
        symbol, split_date, factor, log_factor, is_spin_off, abs(log_factor) > ln(1.3::double) as is_testable,
        lead(split_date) over (partition by symbol order by split_date) is null as is_newest
    from events
    where repeated_on is null or repeated_on > split_date + 14
),
-- the share counts of filings around a split; 400 days, because there may be annual statements only
filings as (
    select
        e.symbol, e.split_date, i.fiscal_date, i.known_on, i.observed_at,
        coalesce(i.shares_outstanding, i.shares_outstanding_diluted)::double as shares,
        case when i.period_type = 'FY' then 1 else 0 end as is_year,
        (i.observed_at - interval '5 hours')::date < e.split_date as is_received_before
    from splits as e
    join staging.income_statement as i
        on i.symbol = e.symbol and i.known_on between e.split_date - 400 and e.split_date + 400
    where e.is_testable and coalesce(i.shares_outstanding, i.shares_outstanding_diluted) > 0
),
-- the newest statement before the split as received before it
received_before as (
    select symbol, split_date, fiscal_date, is_year, shares
    from filings
    where known_on < split_date and is_received_before
    qualify row_number() over (
        partition by symbol, split_date
        order by fiscal_date desc nulls last, is_year, observed_at desc nulls last, shares
    ) = 1
),
-- the newest statement before the split as received last
received_last as (
    select symbol, split_date, fiscal_date, is_year, shares, is_received_before
    from filings
    where known_on < split_date
    qualify row_number() over (
        partition by symbol, split_date
        order by fiscal_date desc nulls last, is_year, observed_at desc nulls last, shares
    ) = 1
),
-- the first filing after the split; an amendment of an older period does not count
filed_after as (
    select f.symbol, f.split_date, f.shares
    from filings as f
    left join received_last as l on l.symbol = f.symbol and l.split_date = f.split_date
    where f.known_on > f.split_date and (l.fiscal_date is null or f.fiscal_date > l.fiscal_date)
    qualify row_number() over (
        partition by f.symbol, f.split_date
        order by f.fiscal_date, f.is_year, f.observed_at desc nulls last, f.shares
    ) = 1
),
-- not of receipts, because the statements count shares
vendors as (
    select symbol, received_on, market_cap::double / nullif(price::double, 0) as shares
    from newest_profiles
    where not coalesce(is_adr, false) and market_cap > 0 and price > 0
        and market_cap::double / nullif(price::double, 0) < 1e18
),
-- the closes around a split, as received after it, on one basis
closes as (
    select
        e.symbol, e.split_date,
        max_by(case when p.price_date < e.split_date then p.close_price::double end,
            case when p.price_date < e.split_date then p.price_date end) as close_before,
        min_by(case when p.price_date >= e.split_date then p.close_price::double end,
            case when p.price_date >= e.split_date then p.price_date end) as close_after
    from splits as e
    join staging.prices as p
        on p.symbol = e.symbol and p.price_date between e.split_date - 7 and e.split_date + 7
    where e.is_testable and p.close_price > 0 and (p.observed_at - interval '5 hours')::date >= e.split_date
    group by e.symbol, e.split_date
),
compared as (
    select
        e.*, coalesce(b.shares, l.shares) as shares_before, b.shares is not null as is_count_before_known,
        -- the new count as a multiple of the old one, as logarithms: the nearer of 0 and log_factor decides
        ln(nullif(abs(a.shares / nullif(b.shares, 0)), 0)) as log_filed,
        ln(nullif(abs(a.shares / nullif(l.shares, 0)), 0)) as log_filed_restated,
        case
            when b.fiscal_date = l.fiscal_date and b.is_year = l.is_year and not l.is_received_before
                then ln(nullif(abs(l.shares / nullif(b.shares, 0)), 0))
        end as log_restated,
        case
            when e.is_newest and v.received_on between e.split_date and e.split_date + 400
                then ln(nullif(abs(v.shares / nullif(coalesce(b.shares, l.shares), 0)), 0))
        end as log_vendor,
        ln(nullif(abs(c.close_after / nullif(c.close_before, 0)), 0)) as log_jump,
        v.shares as vendor_shares
    from splits as e
    left join received_before as b on b.symbol = e.symbol and b.split_date = e.split_date
    left join received_last as l on l.symbol = e.symbol and l.split_date = e.split_date
    left join filed_after as a on a.symbol = e.symbol and a.split_date = e.split_date
    left join vendors as v on v.symbol = e.symbol
    left join closes as c on c.symbol = e.symbol and c.split_date = e.split_date
),
user_verdicts as (
    select symbol, subject_date, max(value) as value
    from staging.corrections
    where kind = 'split' and known_to is null
    group by symbol, subject_date
),
judged as (
    select c.*,
        case
            when u.value = 'spin_off' then 'spin_off'
            when u.value = 'split' then 'confirmed'
            when is_spin_off
                and not coalesce(
                    is_testable and abs(coalesce(log_filed, log_filed_restated) - log_factor) <= ln(1.1::double), false
                )
                and not coalesce(is_testable and abs(log_vendor - log_factor) <= ln(1.1::double), false)
                then 'spin_off'
            when not is_testable then 'split'
            when abs(log_filed - log_factor) < abs(log_filed) then 'confirmed'
            when abs(log_filed) <= ln(1.2::double) then 'contradicted'
            -- issuance or buybacks hide which it is
            when log_filed is not null then 'assumed'
            when abs(log_restated - log_factor) < abs(log_restated) then 'confirmed'
            when abs(log_filed_restated - log_factor) < abs(log_filed_restated) then 'confirmed'
            -- received after the split, both counts may be the new one. If FMP divided the older prices without cause,
            -- they jump by the factor
            when log_filed_restated is not null and abs(log_jump - log_factor) < abs(log_jump) then 'contradicted'
            when log_filed_restated is not null then 'confirmed'
            when abs(log_vendor - log_factor) < abs(log_vendor) then 'confirmed'
            when abs(log_vendor) <= ln(1.2::double) then 'unconfirmed'
            else 'assumed'
        end as verdict
    from compared as c
    left join user_verdicts as u on u.symbol = c.symbol and u.subject_date = c.split_date
)
select
    symbol, split_date, factor, log_factor, is_testable, verdict,
    verdict not in ('spin_off', 'contradicted') as adjusts_shares,
    -- a statement received before the split is surely on the old basis
    case
        when verdict = 'unconfirmed' and is_count_before_known then split_date
        when verdict = 'unconfirmed' then date '1900-01-01'
    end as suspect_from,
    case when verdict = 'unconfirmed' then shares_before * factor end as ours,
    case when verdict = 'unconfirmed' then vendor_shares end as theirs
from judged
