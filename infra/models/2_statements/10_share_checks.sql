-- grain: company. The vendor's share count (market cap / price, or else the float data) beside the
-- weighted counts of the newest statements, both on the newest split basis, and what follows (verdict):
--   ok             they agree, or issuance or an IPO explains the difference
--   receipt        one receipt stands for receipt_ratio shares
--   class          one share of the class in the statements stands for class_ratio shares of this class
--   all_classes    market cap / price is constantly lower: it counts one class, and the statements count all
--   vendor_dropped the vendor's count is wrong: that of the statements is used
--   disputed       nothing decides: no figure per share and no market cap
--   unknown        there is no count of the vendor
-- A count is doubtful if the ratio exceeds 2, or is within 3 % of an error factor: 100, 1,000, or a split of the last
-- two years. vendor_shares is the usable count of the vendor, and reference_shares the same in shares of the
-- statements.
create or replace temporary table share_checks as
with recomputed_companies as (select symbol, with_fundamentals from companies),
params as (select as_of from run_params),
-- BRK-A and BH-A are worth 1,500 BRK-B and 5 BH, and the statements count shares of one of the classes
classes as (
    select * from (values
        ('BRK-A', 0.000666666666667::double), ('BRK-B', 1500.0::double), ('BH-A', 0.2::double), ('BH', 5.0::double)
    ) as v(symbol, class_ratio)
),
receipt_ratios as (
    select * from (values
        (0.01::double), (0.02), (0.04), (0.05), (0.1), (0.125), (0.2), (0.25), (0.333333333333), (0.5), (1.5), (2.0),
        (2.5), (3.0), (4.0), (5.0), (6.0), (7.0), (8.0), (10.0), (12.0), (14.0), (15.0), (16.0), (18.0), (20.0), (22.0),
        (25.0), (30.0), (35.0), (40.0), (50.0), (60.0), (75.0), (80.0), (100.0), (120.0), (150.0), (200.0), (250.0),
        (300.0), (400.0), (500.0), (1000.0)
    ) as v(receipt_ratio)
),
-- an unconfirmed split: the vendor's count is still the old one and is not used
unconfirmed as (
    select symbol, max(split_date) as split_date from split_events where verdict = 'unconfirmed' group by symbol
),
floats as (
    select symbol, outstanding_shares::double as shares, (observed_at - interval '5 hours')::date as received_on
    from staging.shares_float
    where outstanding_shares > 0
),
received as (
    select
        p.symbol, coalesce(p.is_adr, false) as is_adr,
        coalesce(p.is_adr, false) or coalesce(nullif(upper(trim(p.country)), ''), 'US') <> 'US' as is_foreign,
        p.ipo_date,
        case
            when p.market_cap > 0 and p.price > 0 and p.market_cap::double / nullif(p.price::double, 0) < 1e18
                then p.market_cap::double / nullif(p.price::double, 0)
        end as cap_shares,
        p.received_on, f.shares as float_shares, f.received_on as float_received_on
    from newest_profiles as p
    join recomputed_companies as c on c.symbol = p.symbol
    left join floats as f on f.symbol = p.symbol
),
usable as (
    select
        r.*,
        case
            when u.split_date is null or r.received_on < u.split_date
                then r.cap_shares * coalesce(s.share_factor, 1.0::double)
        end as usable_cap,
        case
            when u.split_date is null or r.float_received_on < u.split_date
                then r.float_shares * coalesce(t.share_factor, 1.0::double)
        end as usable_float
    from received as r
    left join unconfirmed as u on u.symbol = r.symbol
    left join split_factors as s
        on s.symbol = r.symbol and r.received_on >= s.from_date and r.received_on < s.until_date
    left join split_factors as t
        on t.symbol = r.symbol and r.float_received_on >= t.from_date and r.float_received_on < t.until_date
),
vendors as (
    select
        symbol, is_adr, is_foreign, ipo_date, coalesce(usable_cap, usable_float) as shares,
        case when usable_cap is not null then 'profile' else 'shares_float' end as shares_source,
        case when usable_cap is not null then received_on else float_received_on end as received_on,
        -- two point-in-time counts that agree stand
        coalesce(
            abs(ln(nullif(abs(usable_cap / nullif(usable_float, 0)), 0))) <= ln(1.05::double), false
        ) as is_confirmed
    from usable
),
-- figures from before a split are always recomputed, so published ones are on the newest split basis
counted as (
    select
        f.symbol, f.fiscal_date, f.period_type, f.known_on, v.basis_date, f.net_income::double as net_income,
        f.eps::double as eps, coalesce(f.shares_outstanding, f.shares_outstanding_diluted)::double as shares
    from new_fact_financials_history as f
    join fiscal_versions as v on v.version_id = f.version_id
    where f.known_to is null and not f.is_derived
    union all
    select
        f.symbol, f.fiscal_date, f.period_type, date '9999-12-31', date '9999-12-31', f.net_income::double,
        f.eps::double, coalesce(f.shares_outstanding, f.shares_outstanding_diluted)::double
    from analytics.fact_financials as f
    join recomputed_companies as c on c.symbol = f.symbol and not c.with_fundamentals
    where not f.is_derived
),
-- the five newest quarters, or years
newest as (
    select
        *,
        row_number() over (
            partition by symbol
            order by case when period_type = 'FY' then 1 else 0 end, fiscal_date desc nulls last, period_type
        ) as place
    from counted
    where shares > 0 and shares < 1e18
    qualify row_number() over (
        partition by symbol
        order by case when period_type = 'FY' then 1 else 0 end, fiscal_date desc nulls last, period_type
    ) <= 5
),
on_bases as (
    select
        n.symbol, n.place, n.fiscal_date, v.shares as vendor, n.net_income, n.eps,
        ln(nullif(abs(n.shares * coalesce(r.share_factor, 1.0::double) / nullif(v.shares, 0)), 0)) as log_received,
        ln(nullif(abs(n.shares * coalesce(f.share_factor, 1.0::double) / nullif(v.shares, 0)), 0)) as log_filed
    from newest as n
    left join vendors as v on v.symbol = n.symbol
    left join split_factors as r on r.symbol = n.symbol and n.basis_date >= r.from_date and n.basis_date < r.until_date
    left join split_factors as f on f.symbol = n.symbol and n.known_on >= f.from_date and n.known_on < f.until_date
),
compared as (
    select
        symbol, place, fiscal_date, net_income, eps, vendor,
        case when abs(log_received) < abs(log_filed) then log_received else log_filed end as log_ratio
    from on_bases
),
-- the newest statement and how the four before it compare
summarized as (
    select
        a.symbol, a.log_ratio, max(a.fiscal_date) as fiscal_date,
        sum(case when abs(b.log_ratio) <= ln(1.5::double) then 1 else 0 end) as n_agreeing,
        sum(case when abs(b.log_ratio - a.log_ratio) > ln(1.25::double) then 1 else 0 end) as n_other,
        max(case when a.eps <> 0 and a.net_income <> 0
            then ln(nullif(abs(a.net_income / nullif(a.eps * a.vendor, 0)), 0)) end) as log_eps_ratio,
        max(case when b.place = 2 then b.log_ratio end) as log_ratio_before
    from compared as a
    join compared as b on b.symbol = a.symbol
    where a.place = 1
    group by a.symbol, a.log_ratio
),
near_splits as (
    select s.symbol, max(case when e.verdict = 'confirmed' then 1 else 0 end) = 1 as is_confirmed
    from summarized as s
    join split_events as e on e.symbol = s.symbol and e.is_testable and e.adjusts_shares
    join params as p on e.split_date > p.as_of - 730
    where abs(abs(s.log_ratio) - abs(e.log_factor)) <= ln(1.03::double)
    group by s.symbol
),
receipts as (
    select s.symbol, r.receipt_ratio
    from summarized as s
    join vendors as v on v.symbol = s.symbol
    join receipt_ratios as r on abs(s.log_ratio - ln(nullif(abs(r.receipt_ratio), 0))) <= ln(1.1::double)
    where v.is_foreign and abs(s.log_ratio) > ln(1.3::double) and s.n_other = 0
        -- for other foreign companies, these ratios are more likely an error or growth
        and (v.is_adr or r.receipt_ratio not in (0.01, 1.5, 100.0, 1000.0))
        and (v.is_adr or v.ipo_date is null or v.ipo_date < s.fiscal_date - 550)
    qualify row_number() over (
        partition by s.symbol order by abs(s.log_ratio - ln(nullif(abs(r.receipt_ratio), 0))), r.receipt_ratio
    ) = 1
),
-- if the newest counts differ: the vendor's counts of earlier days beside the count of the newest statement
doubtful as (
    select s.symbol, s.log_ratio, v.shares as vendor, v.received_on
    from summarized as s
    join vendors as v on v.symbol = s.symbol
    where abs(s.log_ratio) > ln(1.25::double)
),
earlier_counts as (
    select
        d.symbol, d.log_ratio, d.received_on, m.cap_date,
        -- the newest statement's count as a multiple of the vendor's of that day
        d.log_ratio + ln(nullif(abs(d.vendor / nullif(
            m.market_cap::double / nullif(
                p.close_price::double / nullif(coalesce(f.basis_factor, 1.0::double), 0)
                * coalesce(t.basis_factor / nullif(t.share_factor, 0), 1.0::double), 0
            ), 0
        )), 0)) as log_ratio_then
    from doubtful as d
    join staging.market_caps as m
        on m.symbol = d.symbol and m.cap_date between d.received_on - 400 and d.received_on - 1
    join staging.prices as p on p.symbol = m.symbol and p.price_date = m.cap_date
    left join split_factors as f
        on f.symbol = p.symbol and (p.observed_at - interval '5 hours')::date >= f.from_date
        and (p.observed_at - interval '5 hours')::date < f.until_date
    left join split_factors as t on t.symbol = p.symbol and p.price_date >= t.from_date and p.price_date < t.until_date
    where m.market_cap > 0 and p.close_price > 0
),
earlier as (
    select
        symbol,
        -- a few weeks ago, the vendor agreed with the statements
        max(case when cap_date > received_on - 45 and abs(log_ratio_then) <= ln(1.25::double) then 1 else 0 end) = 1
            as has_agreed,
        min(case when abs(log_ratio_then - log_ratio) <= ln(1.25::double) then 1 else 0 end) = 1
        and min(cap_date) < min(received_on) - 180 as is_constant
    from earlier_counts
    group by symbol
),
-- without a count of the vendor, what was known before holds
stored as (
    select d.symbol, d.receipt_ratio, d.class_ratio
    from analytics.dim_company as d
    where d.is_current
),
-- the ratio that the user entered decides
entered as (
    select symbol, max(try_cast(value as double)) as share_ratio
    from staging.corrections
    where kind = 'share_ratio' and known_to is null
    group by symbol
),
judged as (
    select
        c.symbol, e.share_ratio, v.shares as vendor, v.shares_source, v.received_on, s.log_ratio, s.log_ratio_before,
        v.ipo_date, s.fiscal_date,
        case when v.shares is null then d.receipt_ratio else r.receipt_ratio end as receipt_ratio,
        case
            when v.shares is null then d.class_ratio
            when abs(s.log_ratio + ln(nullif(abs(k.class_ratio), 0))) <= ln(1.3::double) then k.class_ratio
        end as class_ratio,
        case
            when v.shares is null then 'unknown'
            -- there are no statements to compare with
            when s.symbol is null then 'ok'
            when abs(s.log_ratio + ln(nullif(abs(k.class_ratio), 0))) <= ln(1.3::double) then 'class'
            when r.receipt_ratio is not null then 'receipt'
            when abs(s.log_ratio) <= ln(2.0::double) and n.symbol is null then 'ok'
            -- the vendor agrees with other statements: the newest one is the exception
            when s.n_agreeing >= 2 then 'ok'
            when n.is_confirmed or h.has_agreed then 'vendor_dropped'
            when v.ipo_date >= s.fiscal_date - 550 then 'ok'
            -- EPS decides between a count and a hundredth or a thousandth of it
            when (abs(abs(s.log_ratio) - ln(100.0::double)) <= ln(1.03::double)
                or abs(abs(s.log_ratio) - ln(1000.0::double)) <= ln(1.03::double))
                and abs(s.log_eps_ratio) <= ln(1.3::double) then 'ok'
            when (abs(abs(s.log_ratio) - ln(100.0::double)) <= ln(1.03::double)
                or abs(abs(s.log_ratio) - ln(1000.0::double)) <= ln(1.03::double))
                and abs(s.log_eps_ratio - s.log_ratio) <= ln(1.3::double) then 'vendor_dropped'
            when v.is_confirmed and s.log_ratio < 0 then 'ok'
            when h.is_constant and s.log_ratio > 0 then 'all_classes'
            -- a float of one class never outvotes the statements
            when v.shares_source = 'shares_float' and s.log_ratio > 0 then 'vendor_dropped'
            else 'disputed'
        end as inferred_verdict
    from recomputed_companies as c
    left join entered as e on e.symbol = c.symbol
    left join summarized as s on s.symbol = c.symbol
    left join vendors as v on v.symbol = c.symbol
    left join near_splits as n on n.symbol = c.symbol
    left join receipts as r on r.symbol = c.symbol
    left join classes as k on k.symbol = c.symbol
    left join stored as d on d.symbol = c.symbol
    left join earlier as h on h.symbol = c.symbol
),
decided as (
    select *,
        case
            when share_ratio is null then inferred_verdict
            when vendor is null then 'unknown'
            else 'receipt'
        end as verdict,
        coalesce(receipt_ratio, 1.0::double / nullif(class_ratio, 0), 1.0::double) as inferred_per_security
    from judged
)
select
    symbol, verdict, inferred_verdict, coalesce(share_ratio, receipt_ratio) as receipt_ratio,
    case when share_ratio is null then class_ratio end as class_ratio, shares_source, received_on,
    case when verdict in ('ok', 'receipt', 'class') then vendor end as vendor_shares,
    case when verdict in ('ok', 'receipt', 'class') then vendor end * coalesce(share_ratio, inferred_per_security)
        as reference_shares,
    -- how many shares of the statements one security stands for
    coalesce(share_ratio, inferred_per_security) as shares_per_security, inferred_per_security,
    ipo_date,
    -- the count is in motion, so the vendor's may differ from the newest weighted one
    coalesce(ipo_date >= fiscal_date - 550, false)
    or coalesce(
        (log_ratio > 0 and log_ratio_before - log_ratio > ln(1.05::double))
        or (log_ratio < 0 and log_ratio - log_ratio_before > ln(1.05::double)), false
    ) as is_in_motion,
    vendor as ours, vendor * exp(log_ratio) as theirs
from decided
