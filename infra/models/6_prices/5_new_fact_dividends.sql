-- grain: company x ex_date x dividend_type. Payments of one type on the same day are added. A regular payment belongs
-- to a cycle, by FMP's frequency or else by the distance to another payment. Future ex-dates are announced dividends.
create or replace temporary table new_fact_dividends as
with recomputed_companies as (select symbol, company_key, prices_from from companies),
payments as (
    select
        symbol, ex_date,
        case
            when months_covered is not null then 'regular'
            when stated is not null then 'special'
            else 'unknown'
        end as dividend_type,
        min(months_covered) as months_covered, min(stated) as stated, count(*) as payments,
        sum(dividend) as dividend, sum(amount) as adjusted_dividend,
        min(declaration_date) as declaration_date, min(record_date) as record_date, min(payment_date) as payment_date
    from dividend_events
    where dividend > 0
    group by
        symbol, ex_date,
        case
            when months_covered is not null then 'regular'
            when stated is not null then 'special'
            else 'unknown'
        end
),
-- the closes that this run publishes, and the published closes of the days before them
closes as (
    select symbol, price_date, close_price from price_bars where is_recomputed
    union all
    select p.symbol, p.price_date, p.close_price
    from analytics.fact_daily_prices as p
    join recomputed_companies as c on c.company_key = p.company_key and p.price_date < c.prices_from
),
-- the last session before an ex-date is at most six days earlier
days_before as (
    select d.symbol, d.ex_date, d.ex_date - k.n as price_date
    from (select distinct p.symbol, p.ex_date from payments as p join run_params as r on p.ex_date <= r.as_of) as d
    cross join (
        select 1 as n
        union all select 2 union all select 3 union all select 4 union all select 5 union all select 6
    ) as k
),
closes_before as (
    select d.symbol, d.ex_date, max_by(c.close_price, c.price_date) as close_price
    from days_before as d
    join closes as c on c.symbol = d.symbol and c.price_date = d.price_date
    group by d.symbol, d.ex_date
)
select
    c.company_key, p.symbol, p.ex_date,
    (year(p.ex_date) * 10000 + month(p.ex_date) * 100 + day(p.ex_date))::bigint as ex_date_key,
    p.dividend_type,
    case p.months_covered
        when 1 then 'monthly' when 3 then 'quarterly' when 6 then 'semi-annual' when 12 then 'annual'
    end as frequency,
    p.months_covered is not null and p.stated is null as is_frequency_inferred,
    p.payments::bigint as payments,
    p.dividend::decimal(38, 6) as dividend,
    p.adjusted_dividend::double as adjusted_dividend,
    p.adjusted_dividend::double / nullif(b.close_price::double, 0) as payment_yield,
    p.declaration_date, p.record_date, p.payment_date
from payments as p
join recomputed_companies as c on c.symbol = p.symbol
left join closes_before as b on b.symbol = p.symbol and b.ex_date = p.ex_date
