-- grain: company x check_name x basis x fiscal_date. Both sides of every identity that a company's statements must
-- satisfy, exact to the last digit. `ours` is the figure as reported, or as summed in this model. `theirs` is the
-- other side. `reason` says why the two sides cannot be compared.
create or replace temporary table quality_identities as
with periods as (
    select
        company_key, symbol, fiscal_date, period_type as basis, fiscal_year, reported_currency,
        case when period_type = 'FY' then 'FY' else 'Q' end as cadence,
        revenue, cost_of_revenue, gross_profit, net_income, cash_flow_net_income, total_assets, total_liabilities,
        -- FMP's total equity includes minority interest
        coalesce(total_equity, stockholders_equity + coalesce(minority_interest, 0)) as total_equity,
        operating_cash_flow, capital_expenditures, free_cash_flow,
        cash_at_beginning_of_period, net_change_in_cash, cash_at_end_of_period
    from new_fact_financials_history
    -- current versions only. Derived quarters are skipped, because they satisfy every identity by construction
    where known_to is null and not is_derived
),
twelve_months as (
    select
        t.symbol, t.fiscal_date, t.reported_currency, t.reason, t.ttm_revenue, t.ttm_net_income,
        t.ttm_operating_cash_flow
    from new_fact_financials_ttm_history as t
    join vintages as l on l.vintage_id = t.vintage_id and l.is_current
),
-- a company without first and third quarters reports half years, so a year has two periods
cadences as (
    select
        symbol, max(case when basis in ('Q1', 'Q3') then 1 else 0 end) = 0 as is_semi_annual,
        min(case when cadence = 'Q' then fiscal_date end) as oldest_quarter
    from periods
    group by symbol
),
neighbours as (
    select
        p.*, c.is_semi_annual, c.oldest_quarter,
        p.fiscal_date - lag(p.fiscal_date) over (
            partition by p.symbol, p.cadence order by p.fiscal_date, p.basis
        ) as gap_days,
        max(case when p.basis = 'Q1' then p.fiscal_date end) over (
            partition by p.symbol order by p.fiscal_date, p.basis rows between unbounded preceding and current row
        ) as first_quarter_date,
        lag(p.cash_at_end_of_period) over (
            partition by p.symbol, p.cadence order by p.fiscal_date, p.basis
        ) as prior_cash,
        lag(p.reported_currency) over (
            partition by p.symbol, p.cadence order by p.fiscal_date, p.basis
        ) as prior_currency
    from periods as p
    join cadences as c on c.symbol = p.symbol
),
continued as (
    select *,
        case
            when gap_days is null then 'insufficient_history'
            when prior_currency <> reported_currency then 'currency_change'
            when cadence = 'FY' and gap_days between 350 and 380 then null
            when cadence = 'Q' and gap_days between 70 and 120 then null
            when cadence = 'Q' and is_semi_annual and gap_days between 150 and 215 then null
            when gap_days > 120 then 'missing_quarter'
            else 'transition_period'
        end as gap_reason
    from neighbours
),
-- the part of a year between two fiscal calendars is not the sum of four quarters. The year before it shows its length,
-- or else its first quarter
fiscal_years as (
    select *,
        case
            when gap_days is null then coalesce(fiscal_date - first_quarter_date < 230, false)
            else gap_days between 15 and 349
        end as is_short
    from neighbours
    where cadence = 'FY'
),
quarters_of_years as (
    select
        symbol, fiscal_year, count(*) as n_quarters, min(fiscal_date) as oldest_date, max(fiscal_date) as newest_date,
        min(reported_currency) as first_currency, max(reported_currency) as last_currency,
        case when count(revenue) = count(*) then sum(revenue) end as revenue,
        case when count(net_income) = count(*) then sum(net_income) end as net_income,
        case when count(operating_cash_flow) = count(*) then sum(operating_cash_flow) end as operating_cash_flow
    from periods
    where cadence = 'Q'
    group by symbol, fiscal_year
),
years as (
    select
        y.company_key, y.symbol, y.fiscal_date, y.reported_currency, y.revenue, y.net_income, y.operating_cash_flow,
        q.n_quarters, q.revenue as quarters_revenue, q.net_income as quarters_net_income,
        q.operating_cash_flow as quarters_operating_cash_flow,
        case
            when y.is_short then 'transition_period'
            when q.n_quarters < case when y.is_semi_annual then 2 else 4 end
                and y.oldest_quarter > y.fiscal_date - case
                    when y.is_semi_annual then 100
                    else 230
                end then 'insufficient_history'
            when q.n_quarters < case when y.is_semi_annual then 2 else 4 end then 'missing_quarter'
            when q.n_quarters > case
                when y.is_semi_annual then 2
                else 4
            end or q.newest_date <> y.fiscal_date then 'transition_period'
            when y.is_semi_annual and q.newest_date - q.oldest_date not between 150 and 215 then 'transition_period'
            when not y.is_semi_annual and q.newest_date - q.oldest_date not between 230 and 310 then 'transition_period'
            when q.first_currency <> q.last_currency or q.last_currency <> y.reported_currency then 'currency_change'
        end as quarters_reason,
        t.fiscal_date is not null as has_twelve_months, t.ttm_revenue, t.ttm_net_income, t.ttm_operating_cash_flow,
        coalesce(t.reason, case
            when y.is_short then 'transition_period'
            when t.reported_currency <> y.reported_currency then 'currency_change'
        end) as ttm_reason
    from fiscal_years as y
    left join quarters_of_years as q on q.symbol = y.symbol and q.fiscal_year = y.fiscal_year
    left join twelve_months as t on t.symbol = y.symbol and t.fiscal_date = y.fiscal_date
)
select
    company_key,
    symbol,
    basis,
    fiscal_date,
    'gross_profit' as check_name,
    gross_profit as ours,
    revenue - cost_of_revenue as theirs,
    null::varchar as reason
from periods
union all select company_key, symbol, basis, fiscal_date, 'assets', total_assets, total_liabilities + total_equity,
    null::varchar
from periods
union all select company_key, symbol, basis, fiscal_date, 'free_cash_flow', free_cash_flow,
    operating_cash_flow + capital_expenditures, null::varchar
from periods
union all select company_key, symbol, basis, fiscal_date, 'cash_flow_net_income', cash_flow_net_income, net_income,
    null::varchar
from periods
union all select company_key, symbol, basis, fiscal_date, 'cash_roll_forward', cash_at_end_of_period,
    cash_at_beginning_of_period + net_change_in_cash, null::varchar
from periods
union all select company_key, symbol, basis, fiscal_date, 'cash_continuity', cash_at_beginning_of_period, prior_cash,
    gap_reason
from continued
union all select company_key, symbol, 'FY', fiscal_date, 'quarters_revenue', quarters_revenue, revenue, quarters_reason
from years where n_quarters > 0
union all select company_key, symbol, 'FY', fiscal_date, 'quarters_net_income', quarters_net_income, net_income,
    quarters_reason
from years where n_quarters > 0
union all select company_key, symbol, 'FY', fiscal_date, 'quarters_operating_cash_flow', quarters_operating_cash_flow,
    operating_cash_flow, quarters_reason
from years where n_quarters > 0
union all select company_key, symbol, 'TTM', fiscal_date, 'ttm_revenue', ttm_revenue, revenue, ttm_reason
from years where has_twelve_months
union all select company_key, symbol, 'TTM', fiscal_date, 'ttm_net_income', ttm_net_income, net_income, ttm_reason
from years where has_twelve_months
union all select company_key, symbol, 'TTM', fiscal_date, 'ttm_operating_cash_flow', ttm_operating_cash_flow,
    operating_cash_flow, ttm_reason
from years where has_twelve_months
