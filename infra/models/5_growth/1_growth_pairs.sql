-- grain: vintage x fiscal_date x basis x horizon. The earlier period with which each period is compared, found by date
-- and never by counting rows.
create or replace temporary table growth_pairs as
with periods as (
    select
        period_id, vintage_id, fiscal_date, basis, reported_currency, null_reason,
        case when basis in ('FY', 'TTM') then basis else 'Q' end as cadence
    from period_inputs
),
horizons as (
    select 'yoy' as horizon, 1 as years, 365 as target_days
    union all select 'qoq', 1, 91
    union all select 'cagr_3y', 3, 1096
    union all select 'cagr_5y', 5, 1826
),
wanted as (
    select
        p.*, h.*,
        case
            when p.cadence = 'Q' then h.horizon in ('yoy', 'qoq')
            when p.cadence = 'FY' then h.horizon <> 'qoq'
            else true
        end as applies
    from periods as p
    cross join horizons as h
),
earlier as (
    select
        p.period_id, b.period_id as base_period_id, b.reported_currency as base_currency,
        b.null_reason as base_null_reason, b.basis,
        p.fiscal_date - b.fiscal_date as gap_days
    from periods as p
    join periods as b on b.vintage_id = p.vintage_id and b.cadence = p.cadence and b.fiscal_date < p.fiscal_date
),
placed as (
    select *,
        case
            when gap_days between 350 and 380 then 'yoy'
            when gap_days between 70 and 120 then 'qoq'
            when gap_days between 1080 and 1112 then 'cagr_3y'
            when gap_days between 1810 and 1842 then 'cagr_5y'
        end as horizon
    from earlier
),
nearest as (
    select p.*
    from placed as p
    join horizons as h on h.horizon = p.horizon
    qualify row_number() over (
        partition by p.period_id, p.horizon order by abs(p.gap_days - h.target_days), p.gap_days, p.basis
    ) = 1
)
select
    w.period_id, w.horizon, w.years::double as years, w.applies, w.null_reason, w.reported_currency,
    n.base_period_id, n.base_currency, n.base_null_reason
from wanted as w
left join nearest as n on n.period_id = w.period_id and n.horizon = w.horizon
