-- grain: company_key x valid_from. The history of a company's attributes. When an attribute changes, the current row
-- ends and a new row begins. valid_to is the day after the last day of a row. A second change on the same
-- day replaces the row of that day, so keys are unique. A company without a profile has no row. If a clock was ahead,
-- rows of future days may exist; they are dropped, and the row before them becomes current again.
create or replace temporary table new_dim_company as
with recomputed_companies as (select symbol, company_key from companies),
profiles as (select * from newest_profiles),
checks as (select symbol, receipt_ratio, class_ratio from share_checks),
params as (select as_of from run_params),
past_rows as (
    select
        d.*,
        row_number() over (partition by d.company_key order by d.valid_from desc nulls last) = 1 as is_last
    from analytics.dim_company as d
    join recomputed_companies as c on c.company_key = d.company_key
    join params as r on d.valid_from <= r.as_of
),
old_rows as (
    select
        company_key, symbol, cik, company_name, sector, industry, exchange, currency, country, market_cap_category,
        is_etf, is_fund, is_adr, is_actively_trading, receipt_ratio, class_ratio, is_last as is_current, valid_from,
        case when not is_last then valid_to end as valid_to
    from past_rows
),
incoming as (
    select
        c.company_key, c.symbol, p.cik, p.company_name, p.sector, p.industry, p.exchange, p.currency, p.country,
        case
            when p.market_cap >= 200000000000 then 'mega'
            when p.market_cap >= 10000000000 then 'large'
            when p.market_cap >= 2000000000 then 'mid'
            when p.market_cap >= 300000000 then 'small'
            when p.market_cap >= 50000000 then 'micro'
            when p.market_cap > 0 then 'nano'
        end as market_cap_category,
        p.is_etf, p.is_fund, p.is_adr, p.is_actively_trading, k.receipt_ratio, k.class_ratio,
        p.symbol is not null as has_profile, r.as_of
    from recomputed_companies as c
    cross join params as r
    left join profiles as p on p.symbol = c.symbol
    left join checks as k on k.symbol = c.symbol
),
-- what changes for a company: nothing if its profile is missing
compared as (
    select
        i.*, o.valid_from as current_from,
        case
            when not i.has_profile then 'keep'
            when o.company_key is null then 'open'
            when i.symbol is not distinct from o.symbol
                and i.cik is not distinct from o.cik
                and i.company_name is not distinct from o.company_name
                and i.sector is not distinct from o.sector
                and i.industry is not distinct from o.industry
                and i.exchange is not distinct from o.exchange
                and i.currency is not distinct from o.currency
                and i.country is not distinct from o.country
                and i.market_cap_category is not distinct from o.market_cap_category
                and i.is_etf is not distinct from o.is_etf
                and i.is_fund is not distinct from o.is_fund
                and i.is_adr is not distinct from o.is_adr
                and i.is_actively_trading is not distinct from o.is_actively_trading
                and i.receipt_ratio is not distinct from o.receipt_ratio
                and i.class_ratio is not distinct from o.class_ratio
                then 'keep'
            -- earlier versions of findata wrote a row without attributes for a company without a profile
            when i.as_of = o.valid_from or (
                o.cik is null and o.company_name is null and o.sector is null and o.industry is null
                and o.exchange is null and o.currency is null and o.country is null
            )
                then 'replace'
            else 'change'
        end as todo
    from incoming as i
    left join old_rows as o on o.company_key = i.company_key and o.is_current
)
select
    o.company_key, o.symbol, o.cik, md5(try_cast(o.cik as bigint)::varchar) as filer_key, o.company_name,
    o.sector, o.industry, o.exchange, o.currency, o.country, o.market_cap_category,
    o.is_etf, o.is_fund, o.is_adr, o.is_actively_trading, o.receipt_ratio, o.class_ratio,
    case when c.todo = 'change' then false else o.is_current end as is_current,
    o.valid_from,
    case when c.todo = 'change' and o.is_current then c.as_of else o.valid_to end as valid_to
from old_rows as o
join compared as c on c.company_key = o.company_key
where not (c.todo = 'replace' and o.is_current)
union all
select
    company_key, symbol, cik, md5(try_cast(cik as bigint)::varchar), company_name, sector, industry, exchange,
    currency, country, market_cap_category,
    is_etf, is_fund, is_adr, is_actively_trading, receipt_ratio, class_ratio, true, as_of, null::date
from compared
where todo <> 'keep'
