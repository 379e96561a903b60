-- grain: symbol. The company's current attributes: those of its profile, but name, price and market cap of its quote
-- if the quote is newer.
create or replace temporary table newest_profiles as
with quotes as (select * from staging.quotes where price > 0 and market_cap > 0)
select
    p.symbol, p.cik,
    coalesce(case when q.observed_at > p.observed_at then q.company_name end, p.company_name) as company_name,
    p.sector, p.industry, p.exchange, p.currency, p.country, p.is_etf, p.is_fund, p.is_adr, p.is_actively_trading,
    p.ipo_date,
    case when q.observed_at > p.observed_at then q.price else p.price end as price,
    case when q.observed_at > p.observed_at then q.market_cap else p.market_cap end as market_cap,
    -- the New York date of receipt, computed as UTC minus five hours
    (
        case when q.observed_at > p.observed_at then q.observed_at else p.observed_at end - interval '5 hours'
    )::date as received_on
from staging.profile as p
left join quotes as q on q.symbol = p.symbol
