-- grain: company x split. A figure received on a day in [from_date, until_date) is on an old share basis, because
-- later splits changed the basis. Divide prices and per-share figures by basis_factor, and multiply volumes and share
-- counts by basis_factor. A figure received on a day without a row is on the newest basis. Splits take effect on New
-- York dates, so the day of receipt is the New York date, computed as UTC minus five hours.
-- FMP adjusts prices for spin-offs as for splits, but they do not change the number of shares: share_factor leaves out
-- the events that the user called spin-offs. Use it for share counts and EPS.
create or replace temporary table split_factors as
with recomputed_companies as (select symbol from companies),
splits as (select * from staging.splits),
spin_offs as (
    select distinct symbol, subject_date
    from staging.corrections
    where kind = 'split' and value = 'spin_off' and known_to is null
),
-- logarithms are decimals, so that their sums are exact in any order
events as (
    select
        s.symbol, s.split_date,
        sum(
            ln(
                case
                    when s.numerator > 0 and s.denominator > 0
                        then s.numerator::double / nullif(s.denominator::double, 0)
                end
            )::decimal(38, 12)
        ) as log_factor,
        max(case when o.symbol is null then 1 else 0 end) as is_split
    from splits as s
    join recomputed_companies as c on c.symbol = s.symbol
    join run_params as r on s.split_date <= r.as_of
    left join spin_offs as o on o.symbol = s.symbol and o.subject_date = s.split_date
    where s.numerator > 0 and s.denominator > 0
    group by s.symbol, s.split_date
),
chained as (
    select
        symbol, split_date as until_date,
        coalesce(lag(split_date) over (partition by symbol order by split_date), date '1900-01-01') as from_date,
        sum(log_factor) over (
            partition by symbol order by split_date desc nulls last
            rows between unbounded preceding and current row
        )::double as log_factor,
        sum(case when is_split = 1 then log_factor else 0::decimal(38, 12) end) over (
            partition by symbol order by split_date desc nulls last
            rows between unbounded preceding and current row
        )::double as log_share_factor
    from events
)
select
    symbol, from_date, until_date,
    -- rounding removes the error of the logarithm: the factor of a 4-for-1 split is exactly 4, and of a 1-for-20
    -- split exactly 0.05
    case
        when log_factor >= 0 then round(exp(log_factor), 9)
        else 1.0::double / nullif(round(exp(-log_factor), 9), 0)
    end as basis_factor,
    case
        when log_share_factor >= 0 then round(exp(log_share_factor), 9)
        else 1.0::double / nullif(round(exp(-log_share_factor), 9), 0)
    end as share_factor
from chained
