-- grain: company x ex_date. Dividends per share on the newest split basis.
create or replace temporary table dividend_events as
with recomputed_companies as (select symbol from companies),
dividends as (select * from staging.dividends),
-- FMP's adjusted amount is on the share basis of the day of receipt, the declared amount on the share basis of the
-- ex-date
amounts as (
    select
        d.symbol, d.ex_date, coalesce(d.adjusted_dividend, d.dividend) as amount,
        case
            when d.adjusted_dividend is not null then (d.observed_at - interval '5 hours')::date
            else d.ex_date
        end as basis_date
    from dividends as d
    join recomputed_companies as c on c.symbol = d.symbol
    where d.ex_date is not null
)
select
    a.symbol, a.ex_date,
    sum(
        (
            case when s.basis_factor is null then a.amount::double else a.amount::double / nullif(s.basis_factor, 0) end
        )::decimal(38, 12)
    ) as amount
from amounts as a
left join split_factors as s on s.symbol = a.symbol and a.basis_date >= s.from_date and a.basis_date < s.until_date
group by a.symbol, a.ex_date
