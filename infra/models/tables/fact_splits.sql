-- grain: company_key x split_date; splits in effect, and spin-offs, which FMP lists as splits. The same split on two
-- dates within two weeks has one row. Splits have no versions
create table if not exists analytics.fact_splits (
    company_key varchar,
    symbol varchar,
    split_date date, -- first day of trading on the new share basis
    split_date_key bigint, -- split_date as yyyymmdd
    numerator decimal(18, 6), -- shares; number of new shares
    denominator decimal(18, 6), -- shares; number of old shares that they replace
    split_factor double, -- ratio; numerator over denominator, 4 for a split of 4 to 1
    event_type varchar, -- split or spin_off
    verdict varchar, -- how it was judged: spin_off, split, confirmed, contradicted, unconfirmed or assumed
    adjusts_shares boolean, -- whether share counts and figures per share change; a spin-off changes prices only
    price_divisor double, -- ratio; divides a price as traded just before it to get the newest split basis
    share_multiplier double, -- ratio; multiplies a share count of just before it to get the newest split basis
    fmp_split_type varchar, -- FMP's splitType
    run_id varchar,
    computed_at timestamp
)
