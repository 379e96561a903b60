-- grain: lane x fiscal_date (newest quarter end). Which quarters make the twelve months up to a period end, or why they do not.
create or replace temporary table ttm_windows as
with quarters as (select lane_id, symbol, fiscal_date, reported_currency, has_income, has_balance, has_cash_flow from quarter_rows),
neighbours as (
    select
        lane_id, symbol, fiscal_date, has_income and has_balance and has_cash_flow as is_whole_period,
        row_number() over (partition by lane_id order by fiscal_date) as n,
        lag(fiscal_date, 1) over (partition by lane_id order by fiscal_date) as d1,
        lag(fiscal_date, 2) over (partition by lane_id order by fiscal_date) as d2,
        lag(fiscal_date, 3) over (partition by lane_id order by fiscal_date) as d3,
        lag(fiscal_date, 4) over (partition by lane_id order by fiscal_date) as d4,
        reported_currency as c0,
        lag(reported_currency, 1) over (partition by lane_id order by fiscal_date) as c1,
        lag(reported_currency, 2) over (partition by lane_id order by fiscal_date) as c2,
        lag(reported_currency, 3) over (partition by lane_id order by fiscal_date) as c3
    from quarters
),
gaps as (
    select
        lane_id, symbol, fiscal_date, n, d1, d2, d3, d4,
        fiscal_date - d1 as g1, d1 - d2 as g2, d2 - d3 as g3, d3 - d4 as g4,
        c1 is distinct from c0 as other_currency_2,
        c1 is distinct from c0 or c2 is distinct from c0 or c3 is distinct from c0 as other_currency_4
    from neighbours
    -- a TTM row exists once all three statements of its period end do
    where is_whole_period
),
cadences as (
    select *,
        coalesce(n >= 3 and g1 between 150 and 215 and g2 between 150 and 215, false) as is_semi_annual,
        coalesce(g4 between 70 and 120, false) as has_fifth
    from gaps
),
judged as (
    select *,
        case
            when is_semi_annual and other_currency_2 then 'currency_change'
            when is_semi_annual and g1 + g2 not between 350 and 380 then 'transition_period'
            when is_semi_annual then null
            when g1 > 120 or g2 > 120 or g3 > 120 then 'missing_quarter'
            when n < 4 then 'insufficient_history'
            when g1 < 70 or g2 < 70 or g3 < 70 then 'transition_period'
            -- the oldest quarter of the window is as long as the gap before it
            when g4 < 70 then 'transition_period'
            when other_currency_4 then 'currency_change'
            -- the span runs from the end of the quarter before the window; without that quarter the three gaps seen must fit
            when has_fifth and fiscal_date - d4 not between 350 and 380 then 'transition_period'
            when not has_fifth and fiscal_date - d3 not between 230 and 310 then 'transition_period'
        end as reason
    from cadences
)
select
    lane_id, symbol, fiscal_date, reason, reason is null as is_whole,
    -- an incomplete window takes in the quarters that are there, so that its dates say what was seen
    case when reason is not null then fiscal_date - 330 when is_semi_annual then d1 else d3 end as window_from,
    case when reason is null then d1 end as prior_date,
    case when reason is null and is_semi_annual then d2 when reason is null and has_fifth then d4 end as begin_date
from judged
