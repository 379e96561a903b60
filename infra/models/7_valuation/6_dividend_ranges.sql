-- grain: company x valid_from. Ranges of days [valid_from, valid_to) with the same dividends per share of the last
-- twelve months.
create or replace temporary table dividend_ranges as
with events as (select * from dividend_events),
-- a dividend is added on its ex-date and subtracted when it no longer counts
changes as (
    select symbol, ex_date as valid_from, amount from events
    union all
    select symbol, counts_until, -amount from events
),
net_changes as (select symbol, valid_from, sum(amount) as amount from changes group by symbol, valid_from)
select
    symbol, valid_from,
    coalesce(lead(valid_from) over (partition by symbol order by valid_from), date '9999-12-31') as valid_to,
    sum(amount) over (
        partition by symbol order by valid_from rows between unbounded preceding and current row
    )::double as dividends_per_share
from net_changes
