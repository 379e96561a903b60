-- grain: company. The companies to recompute, and the first day on which their daily figures may differ. A NULL
-- first_date in `pending` means every day: dividends, splits and changed models affect the whole price series.
-- with_history is true if older versions of figures must be recomputed too, because statements changed or because one
-- of the days to recompute already has an older version.
-- with_fundamentals is true if statements, and the figures that follow from statements, must be recomputed. The other
-- companies only have new days, and the valuation of these days reads the published fundamentals.
-- company_no numbers the companies; a slice is a range of numbers.
create or replace temporary table companies_to_recompute as
with params as (select as_of, index_symbol from run_params),
published as (select as_of, until_day, index_symbol from last_published),
-- the present index and earlier indices: such a symbol is not a company unless it has a profile
indices as (
    select index_symbol as symbol from params
    union
    select index_symbol from ops.published
),
known as (
    select symbol from staging.profile
    union
    select symbol from staging.income_statement
    union
    select symbol from staging.prices
),
members as (
    select k.symbol
    from known as k
    left join indices as i on i.symbol = k.symbol
    left join staging.profile as p on p.symbol = k.symbol
    where i.symbol is null or p.symbol is not null
),
pending_members as (
    select p.run_id, p.dataset, p.symbol, p.first_date
    from pending as p
    join members as m on m.symbol = p.symbol
),
-- a new bar of the index changes the betas of all companies from that day on; another index changes all betas of all
-- days
index_days as (
    select min(p.first_date) as first_date
    from pending as p
    join params as r on r.index_symbol = p.symbol
    where p.dataset = 'prices'
    union all
    select date '1900-01-01'
    from params as r
    join published as l on coalesce(l.index_symbol, '') <> coalesce(r.index_symbol, '')
),
-- dividends and splits that were announced earlier take effect when their day is reached. until_day is today. If the
-- clock went back, it is the day up to which events had already taken effect
effective as (
    select d.symbol
    from staging.dividends as d
    join published as l on d.ex_date > l.as_of and d.ex_date <= l.until_day
    union
    select s.symbol
    from staging.splits as s
    join published as l on s.split_date > l.as_of and s.split_date <= l.until_day
),
newest as (
    select
        symbol, max(metric_date) as metric_date,
        max(case when known_to is not null then metric_date end) as metric_date_with_versions
    from analytics.fact_market_metrics_history
    group by symbol
),
-- a change of sector, industry or currency determines which figures are meaningful from its day on (the New York date
-- of receipt, computed as UTC minus five hours)
reclassified as (
    select c.symbol, min((c.changed_at - interval '5 hours')::date) as changed_on
    from staging.profile_changes as c
    join pending_members as p on p.symbol = c.symbol and p.run_id = c.run_id and p.dataset = 'profile'
    group by c.symbol
),
reporting as (
    select distinct symbol from pending_members where dataset in ('income_statement', 'balance_sheet', 'cash_flow')
),
-- the vendor's share count differs from the one used last (after a recent split, by less), or a share count is suspect:
-- all days may have other counts and suspicions
vendors as (
    select symbol, market_cap, price from staging.profile
    union all
    select symbol, market_cap, price from staging.quotes
),
used_counts as (
    select m.symbol, m.shares_outstanding_used::double as shares
    from analytics.fact_market_metrics_history as m
    join newest as n on n.symbol = m.symbol and n.metric_date = m.metric_date
    where m.known_to is null
),
recent_splits as (
    select distinct s.symbol
    from staging.splits as s
    join params as r on s.split_date between r.as_of - 30 and r.as_of
),
doubtful_counts as (
    select v.symbol
    from vendors as v
    join used_counts as u on u.symbol = v.symbol
    left join recent_splits as s on s.symbol = v.symbol
    where v.market_cap > 0 and v.price > 0
        and (
            u.shares is null
            or v.market_cap::double
                > u.shares * v.price::double * case when s.symbol is null then 1.9 else 1.25 end
            or v.market_cap::double * case when s.symbol is null then 1.9 else 1.25 end
                < u.shares * v.price::double
        )
    union
    select symbol from ops.quality
    where status = 'flag' and check_name in ('share_count_disputed', 'split_unconfirmed')
),
days as (
    select symbol, first_date
    from pending_members
    where dataset in ('prices', 'market_caps', 'income_statement', 'balance_sheet', 'cash_flow')
    union all
    select symbol, date '1900-01-01'
    from pending_members
    where dataset in ('dividends', 'splits', 'models', 'securities')
    union all
    select e.symbol, date '1900-01-01'
    from effective as e
    join members as m on m.symbol = e.symbol
    union all
    -- the newest stored day used the profile's share count. Recompute that day: if a newer day exists now, it must
    -- use the share count of the statements
    select p.symbol, n.metric_date
    from pending_members as p
    join newest as n on n.symbol = p.symbol
    -- FMP's own ratios change no figure: they are only compared with the computed ratios
    where p.dataset not in ('ratios_ttm', 'key_metrics_ttm')
    union all
    -- the first profile determines which figures are meaningful on every day before it, too
    select p.symbol, date '1900-01-01'
    from pending_members as p
    left join analytics.dim_company as d on d.symbol = p.symbol
    where p.dataset = 'profile' and d.symbol is null
    union all
    select symbol, changed_on from reclassified
    union all
    select symbol, date '1900-01-01' from pending_members where dataset = 'corrections'
    union all
    select m.symbol, i.first_date
    from members as m
    cross join index_days as i
    where i.first_date is not null
    union all
    select p.symbol, date '1900-01-01'
    from pending_members as p
    join doubtful_counts as c on c.symbol = p.symbol
    where p.dataset not in ('ratios_ttm', 'key_metrics_ttm')
    union all
    select symbol, date '9999-12-31' from pending_members
),
companies as (
    select
        d.symbol, min(d.first_date) as prices_from,
        coalesce(
            max(r.symbol) is not null
            or max(c.symbol) is not null
            or min(d.first_date) = date '1900-01-01'
            or min(d.first_date) <= max(n.metric_date_with_versions),
            false
        ) as with_history
    from days as d
    left join newest as n on n.symbol = d.symbol
    left join reporting as r on r.symbol = d.symbol
    left join reclassified as c on c.symbol = d.symbol
    group by d.symbol
),
-- the basis of per-share figures from before a split depends on the newest profile
split_periods as (
    select distinct f.symbol
    from analytics.fact_financials_history as f
    join staging.splits as s on s.symbol = f.symbol and s.split_date > f.fiscal_date
    join params as r on s.split_date <= r.as_of
),
-- suspicions are not published period by period, so the valuation of suspect companies needs their statements
suspects as (
    select distinct symbol from ops.quality where status = 'flag' and reason = check_name
),
-- the share ratio of the user's corrections is not part of the published statements
converted as (
    select distinct symbol from staging.corrections where kind = 'share_ratio' and known_to is null
),
-- statements that count other shares than the security
other_units as (
    select distinct symbol
    from analytics.dim_company
    where is_current and (receipt_ratio is not null or class_ratio is not null)
),
-- FMP's ratios are compared with the newest day up to their receipt (in New York: UTC less five hours)
fmp_answers as (
    select symbol, max((observed_at - interval '5 hours')::date) as answered_on
    from (
        select symbol, observed_at from staging.ratios_ttm
        union all
        select symbol, observed_at from staging.key_metrics_ttm
    ) as a
    group by symbol
),
fmp_pending as (
    select distinct symbol from pending_members where dataset in ('ratios_ttm', 'key_metrics_ttm')
)
select
    c.symbol, c.prices_from, c.with_history,
    c.with_history
    or s.symbol is not null
    or p.symbol is not null
    or x.symbol is not null
    or k.symbol is not null
    or u.symbol is not null
    or coalesce(c.prices_from <= a.answered_on, false) as with_fundamentals,
    row_number() over (order by c.symbol) as company_no
from companies as c
left join split_periods as s on s.symbol = c.symbol
left join fmp_pending as p on p.symbol = c.symbol
left join suspects as x on x.symbol = c.symbol
left join converted as k on k.symbol = c.symbol
left join other_units as u on u.symbol = c.symbol
left join fmp_answers as a on a.symbol = c.symbol
