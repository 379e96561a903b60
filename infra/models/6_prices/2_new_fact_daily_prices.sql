-- grain: company x price_date (from prices_from on). Bars on the newest split basis. adj_close is also adjusted for
-- dividends. as_traded_close is the closing price that was paid on the day. To get other prices of a bar as traded,
-- multiply them by split_factor; divide the volume by split_factor. change_amount and change_percent are FMP's
-- figures for the change from open to close; change_amount is on the newest split basis.
create or replace temporary table new_fact_daily_prices as
with recomputed_companies as (select symbol, company_key from companies),
bars as (select symbol, price_date, basis_factor, close_price, log_dividends_after from price_bars where is_recomputed),
received as (select * from staging.prices)
select
    c.company_key, b.symbol, b.price_date,
    (year(b.price_date) * 10000 + month(b.price_date) * 100 + day(b.price_date))::bigint as price_date_key,
    case
        when b.basis_factor is null then p.open_price
        else (p.open_price::double / nullif(b.basis_factor, 0))::decimal(38, 6)
    end as open_price,
    case
        when b.basis_factor is null then p.high_price
        else (p.high_price::double / nullif(b.basis_factor, 0))::decimal(38, 6)
    end as high_price,
    case
        when b.basis_factor is null then p.low_price
        else (p.low_price::double / nullif(b.basis_factor, 0))::decimal(38, 6)
    end as low_price,
    b.close_price,
    case
        when b.log_dividends_after = 0 then b.close_price
        else (b.close_price::double * exp(b.log_dividends_after::double))::decimal(38, 6)
    end as adj_close,
    case
        when b.basis_factor is null then p.volume
        else (p.volume::double * b.basis_factor)::decimal(38, 6)
    end as volume,
    case
        when b.basis_factor is null then p.change_amount
        else (p.change_amount::double / nullif(b.basis_factor, 0))::decimal(38, 6)
    end as change_amount,
    p.change_percent,
    case
        when b.basis_factor is null then p.vwap
        else (p.vwap::double / nullif(b.basis_factor, 0))::decimal(38, 6)
    end as vwap,
    case
        when t.basis_factor is null then b.close_price
        else (b.close_price::double * t.basis_factor)::decimal(38, 6)
    end as as_traded_close,
    coalesce(t.basis_factor, 1.0::double) as split_factor
from bars as b
join received as p on p.symbol = b.symbol and p.price_date = b.price_date
join recomputed_companies as c on c.symbol = b.symbol
left join split_factors as t on t.symbol = b.symbol and b.price_date >= t.from_date and b.price_date < t.until_date
