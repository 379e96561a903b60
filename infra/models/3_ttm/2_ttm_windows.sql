-- grain: vintage x fiscal_date (newest quarter end). The quarters of the twelve months up to a period end, or the
-- reason if the quarters do not add up to twelve months.
create or replace temporary table ttm_windows as
with quarters as (
    select vintage_id, symbol, fiscal_date, reported_currency, has_income
    from quarter_rows
),
neighbours as (
    select
        vintage_id, symbol, fiscal_date, has_income,
        row_number() over (partition by vintage_id order by fiscal_date) as quarter_no,
        lag(fiscal_date, 1) over (partition by vintage_id order by fiscal_date) as end_1_ago,
        lag(fiscal_date, 2) over (partition by vintage_id order by fiscal_date) as end_2_ago,
        lag(fiscal_date, 3) over (partition by vintage_id order by fiscal_date) as end_3_ago,
        lag(fiscal_date, 4) over (partition by vintage_id order by fiscal_date) as end_4_ago,
        reported_currency as currency_0,
        lag(reported_currency, 1) over (partition by vintage_id order by fiscal_date) as currency_1,
        lag(reported_currency, 2) over (partition by vintage_id order by fiscal_date) as currency_2,
        lag(reported_currency, 3) over (partition by vintage_id order by fiscal_date) as currency_3
    from quarters
),
gaps as (
    select
        vintage_id, symbol, fiscal_date, quarter_no, end_1_ago, end_2_ago, end_3_ago, end_4_ago,
        fiscal_date - end_1_ago as gap_1, end_1_ago - end_2_ago as gap_2, end_2_ago - end_3_ago as gap_3,
        end_3_ago - end_4_ago as gap_4,
        currency_1 <> currency_0 as other_currency_2,
        currency_1 <> currency_0 or currency_2 <> currency_0 or currency_3 <> currency_0 as other_currency_4,
        currency_0 is null or currency_1 is null as unknown_currency_2,
        currency_0 is null or currency_1 is null or currency_2 is null or currency_3 is null as unknown_currency_4
    from neighbours
    -- the balance sheet and the cash flow statement may follow later; until then, only their items are NULL
    where has_income
),
cadences as (
    select *,
        coalesce(quarter_no >= 3 and gap_1 between 150 and 215 and gap_2 between 150 and 215, false) as is_semi_annual,
        coalesce(gap_4 between 70 and 120, false) as has_fifth
    from gaps
),
judged as (
    select *,
        case
            when is_semi_annual and other_currency_2 then 'currency_change'
            when is_semi_annual and unknown_currency_2 then 'unknown_currency'
            when is_semi_annual and gap_1 + gap_2 not between 350 and 380 then 'transition_period'
            when is_semi_annual then null
            when gap_1 > 120 or gap_2 > 120 or gap_3 > 120 then 'missing_quarter'
            when quarter_no < 4 then 'insufficient_history'
            when gap_1 < 70 or gap_2 < 70 or gap_3 < 70 then 'transition_period'
            -- gap_4 is the length of the window's oldest quarter
            when gap_4 < 70 then 'transition_period'
            when other_currency_4 then 'currency_change'
            when unknown_currency_4 then 'unknown_currency'
            -- the window begins at the end of the quarter before it. If that quarter is unknown, check the three
            -- known gaps instead
            when has_fifth and fiscal_date - end_4_ago not between 350 and 380 then 'transition_period'
            when not has_fifth and fiscal_date - end_3_ago not between 230 and 310 then 'transition_period'
        end as reason
    from cadences
)
select
    vintage_id, symbol, fiscal_date, reason, reason is null as is_whole,
    -- an incomplete window covers the last 330 days, so that its dates show the quarters that exist
    case
        when reason is not null then fiscal_date - 330
        when is_semi_annual then end_1_ago
        else end_3_ago
    end as window_from,
    case when reason is null then end_1_ago end as prior_date,
    case
        when reason is null and is_semi_annual then end_2_ago
        when reason is null and has_fifth then end_4_ago
    end as begin_date
from judged
