-- grain: vintage x fiscal_date x basis x item x horizon. One SELECT per item: (x - x0) over |x0|, or the annual rate
-- over 3 and 5 years.
create or replace temporary table growth_values as
with items as (
    select period_id, 'revenue' as item, revenue as amount, 'plain' as kind from period_inputs
    union all select period_id, 'net_income', net_income, 'earnings' from period_inputs
    union all select period_id, 'eps_diluted', eps_diluted, 'earnings' from period_inputs
    union all select period_id, 'operating_income', operating_income, 'plain' from period_inputs
    union all select period_id, 'free_cash_flow', free_cash_flow, 'plain' from period_inputs
    union all select period_id, 'total_assets', total_assets, 'plain' from period_inputs
    union all select period_id, 'stockholders_equity', stockholders_equity, 'plain' from period_inputs
),
compared as (
    select
        p.period_id, i.item, i.kind, p.horizon, p.years, i.amount as x, f.amount as x0,
        case
            when not p.applies then 'not_applicable_to_basis'
            when p.null_reason is not null then p.null_reason
            when p.base_period_id is null then 'insufficient_history'
            when p.base_currency is distinct from p.reported_currency then 'currency_mismatch'
            when i.amount is null then 'missing_input'
            when f.amount is null then coalesce(p.base_null_reason, 'missing_input')
        end as null_reason
    from growth_pairs as p
    join items as i on i.period_id = p.period_id
    left join items as f on f.period_id = p.base_period_id and f.item = i.item
),
judged as (
    select
        period_id, item, horizon, years, x, x0,
        case
            when null_reason is not null then null_reason
            -- an annual rate needs a positive value at both ends; a change only needs a base other than zero
            when years > 1 and (x <= 0 or x0 <= 0) and kind = 'earnings' then 'negative_earnings'
            when years > 1 and (x <= 0 or x0 <= 0) then 'nonpositive_denominator'
            when x0 = 0 then 'nonpositive_denominator'
        end as reason
    from compared
)
select
    period_id, item || '_' || horizon as metric, reason,
    case
        when reason is not null then null
        when years > 1 then power(x / nullif(x0, 0), 1.0::double / nullif(years, 0)) - 1
        else (x - x0) / nullif(abs(x0), 0)
    end as metric_value
from judged
