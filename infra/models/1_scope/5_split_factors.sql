-- grain: company x split. A figure received on a day in [from_date, until_date) is on an old share basis, because
-- later splits changed the basis. Divide prices by basis_factor, and multiply volumes by basis_factor. Divide per-share
-- figures of statements by share_factor, and multiply share counts by share_factor: spin-offs change prices only. A
-- figure received on a day without a row is on the newest basis. Splits take effect on New York dates, so the day of
-- receipt is the New York date, computed as UTC minus five hours.
create or replace temporary table split_factors as
-- logarithms are decimals, so that their sums are exact in any order
with events as (
    select
        symbol, split_date, sum(log_factor::decimal(38, 12)) as log_factor,
        sum(case when adjusts_shares then log_factor else 0.0::double end::decimal(38, 12)) as log_share_factor
    from split_events
    group by symbol, split_date
),
chained as (
    select
        symbol, split_date as until_date,
        coalesce(lag(split_date) over (partition by symbol order by split_date), date '1900-01-01') as from_date,
        sum(log_factor) over (
            partition by symbol order by split_date desc nulls last
            rows between unbounded preceding and current row
        )::double as log_factor,
        sum(log_share_factor) over (
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
