-- grain: company x split_date. The splits in effect, with the verdict of split_events. FMP lists spin-offs as splits.
create or replace temporary table new_fact_splits as
with recomputed_companies as (select symbol, company_key from companies),
events as (select symbol, split_date, factor, verdict, adjusts_shares from split_events),
received as (select symbol, split_date, numerator, denominator, split_type from staging.splits),
-- the factors of a day just before the split
factors as (select symbol, until_date, basis_factor, share_factor from split_factors)
select
    c.company_key, e.symbol, e.split_date,
    (year(e.split_date) * 10000 + month(e.split_date) * 100 + day(e.split_date))::bigint as split_date_key,
    r.numerator, r.denominator, e.factor as split_factor,
    case when e.verdict = 'spin_off' then 'spin_off' else 'split' end as event_type,
    e.verdict, e.adjusts_shares, f.basis_factor as price_divisor, f.share_factor as share_multiplier,
    r.split_type as fmp_split_type
from events as e
join recomputed_companies as c on c.symbol = e.symbol
join received as r on r.symbol = e.symbol and r.split_date = e.split_date
left join factors as f on f.symbol = e.symbol and f.until_date = e.split_date
