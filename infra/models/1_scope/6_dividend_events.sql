-- grain: company x ex_date x dividend x frequency. Dividends per share on the newest split basis, and counts_until: the
-- first day on which a dividend does not belong to the last twelve months.
-- A regular payment covers a part of a year, by FMP's frequency or else by the distance to another payment. It counts
-- until later payments cover twelve months, so that ex-dates that move within the year change nothing. If the payment
-- after it is overdue by half a cycle, the payer has stopped, and only those of the last 365 days count. Special
-- dividends and those of unknown frequency count for 365 days.
create or replace temporary table dividend_events as
with recomputed_companies as (select symbol from companies),
dividends as (select * from staging.dividends where ex_date is not null),
-- FMP's adjusted amount is on the share basis of the day of receipt, the declared amount on the share basis of the
-- ex-date
received as (
    select
        d.symbol, d.ex_date, d.dividend, d.frequency, d.declaration_date, d.record_date, d.payment_date,
        coalesce(d.adjusted_dividend, d.dividend) as amount,
        case
            when d.adjusted_dividend is not null then (d.observed_at - interval '5 hours')::date
            else d.ex_date
        end as basis_date,
        case
            when trim(d.frequency) = '' or lower(trim(d.frequency)) in ('null', 'none', 'unknown') then null
            else lower(trim(d.frequency))
        end as stated
    from dividends as d
    join recomputed_companies as c on c.symbol = d.symbol
),
amounts as (
    select
        r.symbol, r.ex_date, r.dividend, r.frequency, r.declaration_date, r.record_date, r.payment_date, r.stated,
        (
            case when s.basis_factor is null then r.amount::double else r.amount::double / nullif(s.basis_factor, 0) end
        )::decimal(38, 12) as amount
    from received as r
    left join split_factors as s on s.symbol = r.symbol and r.basis_date >= s.from_date and r.basis_date < s.until_date
),
-- a payment without a frequency: the days to the one before that is not of another size, or of the first to the next
unstated as (select symbol, ex_date, amount from amounts where stated is null and amount > 0),
distances as (
    select
        a.symbol, a.ex_date, a.amount,
        min(case when b.ex_date < a.ex_date then a.ex_date - b.ex_date end) as days_before,
        min(case when b.ex_date > a.ex_date then b.ex_date - a.ex_date end) as days_after
    from unstated as a
    join unstated as b
        on b.symbol = a.symbol and b.ex_date <> a.ex_date and b.ex_date between a.ex_date - 400 and a.ex_date + 400
        and b.amount <= a.amount * 4 and a.amount <= b.amount * 4
    group by a.symbol, a.ex_date, a.amount
),
with_months as (
    select
        a.*,
        case
            when a.stated in ('monthly', 'month') then 1
            when a.stated in ('quarterly', 'quarter') then 3
            when a.stated in (
                'semi-annual', 'semi-annually', 'semiannual', 'semiannually', 'semi annual', 'half-yearly', 'biannual',
                'biannually', 'bi-annual'
            ) then 6
            when a.stated in ('annual', 'annually', 'yearly') then 12
            when a.stated is not null then null
            when coalesce(d.days_before, d.days_after) between 20 and 45 then 1
            when coalesce(d.days_before, d.days_after) between 70 and 120 then 3
            when coalesce(d.days_before, d.days_after) between 150 and 215 then 6
            when coalesce(d.days_before, d.days_after) between 330 and 400 then 12
        end as months_covered
    from amounts as a
    left join distances as d on d.symbol = a.symbol and d.ex_date = a.ex_date and d.amount = a.amount
),
-- two regular payments of one day cover their time once
regular_days as (
    select symbol, ex_date, min(months_covered) as months_covered
    from with_months
    where months_covered is not null
    group by symbol, ex_date
),
chained as (
    select
        symbol, ex_date,
        sum(months_covered) over (
            partition by symbol order by ex_date rows between unbounded preceding and current row
        ) as months_so_far,
        lead(ex_date) over (partition by symbol order by ex_date) as next_date,
        -- one and a half cycles
        ex_date + case months_covered when 1 then 46 when 3 then 137 when 6 then 274 else 548 end as overdue_from
    from regular_days
),
stopped as (
    select
        *,
        min(case when next_date is null or next_date > overdue_from then overdue_from end) over (
            partition by symbol order by ex_date rows between current row and unbounded following
        ) as stopped_from
    from chained
),
-- 548 days: four payments that are each almost overdue
covered as (
    select s.symbol, s.ex_date, s.stopped_from, min(b.ex_date) as covered_from
    from stopped as s
    left join stopped as b
        on b.symbol = s.symbol and b.ex_date > s.ex_date and b.ex_date <= s.ex_date + 548
        and b.months_so_far >= s.months_so_far + 12
    group by s.symbol, s.ex_date, s.stopped_from
)
select
    m.symbol, m.ex_date, m.dividend, m.frequency, m.declaration_date, m.record_date, m.payment_date, m.amount,
    m.stated, m.months_covered,
    case
        when m.months_covered is null then m.ex_date + 365
        when c.covered_from <= c.stopped_from or c.covered_from <= m.ex_date + 365 then c.covered_from
        when c.stopped_from > m.ex_date + 365 then c.stopped_from
        else m.ex_date + 365
    end as counts_until
from with_months as m
left join covered as c on c.symbol = m.symbol and c.ex_date = m.ex_date
