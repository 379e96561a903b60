-- The figures of the script and of dlt: ratios of the last twelve months for every quarter end, and the valuation of
-- every session. The columns have the names and the formulas of findata's.

-- Statements of a quarter, with per-share figures on today's split basis.
create or replace temporary table quarters as
select
    i.symbol, i.date, i.reported_currency,
    -- a statement accepted after the close of 16:00 in New York is known on the next day
    (i.accepted_date + interval 8 hour)::date as known_on,
    i.revenue, i.cost_of_revenue, i.gross_profit, i.operating_income, i.ebit, i.ebitda, i.income_before_tax,
    i.income_tax_expense, i.interest_expense, i.net_income, i.research_and_development_expenses,
    i.selling_general_and_administrative_expenses, c.operating_cash_flow, c.capital_expenditure, c.free_cash_flow,
    i.eps_diluted / s.factor as eps_diluted, i.weighted_average_shs_out * s.factor as shares,
    b.total_assets, b.total_current_assets, b.total_current_liabilities, b.cash_and_cash_equivalents,
    b.cash_and_short_term_investments, b.inventory, b.net_receivables, b.short_term_debt,
    b.capital_lease_obligations_current, b.total_debt, b.preferred_stock, b.minority_interest,
    b.total_stockholders_equity as equity
from income_statement as i
join balance_sheet as b using (symbol, date, period)
join cash_flow as c using (symbol, date, period)
cross join lateral (
    select coalesce(product(x.numerator / x.denominator), 1) as factor
    from splits as x
    where x.symbol = i.symbol and x.date > i.filing_date
) as s;

-- Sums over four quarters that cover one year in one currency.
create or replace temporary table ttm as
with sums as (
    select
        symbol, date, reported_currency, known_on, shares, total_assets, total_current_assets,
        total_current_liabilities, cash_and_cash_equivalents, cash_and_short_term_investments, inventory,
        net_receivables, short_term_debt, capital_lease_obligations_current, total_debt, preferred_stock,
        minority_interest, equity,
        sum(revenue) over year as revenue, sum(cost_of_revenue) over year as cost_of_revenue,
        sum(gross_profit) over year as gross_profit, sum(operating_income) over year as operating_income,
        sum(ebit) over year as ebit, sum(ebitda) over year as ebitda,
        sum(income_before_tax) over year as income_before_tax, sum(income_tax_expense) over year as income_tax_expense,
        sum(interest_expense) over year as interest_expense, sum(net_income) over year as net_income,
        sum(research_and_development_expenses) over year as research_and_development,
        sum(selling_general_and_administrative_expenses) over year as selling_general_and_administrative,
        sum(operating_cash_flow) over year as operating_cash_flow,
        sum(capital_expenditure) over year as capital_expenditure, sum(free_cash_flow) over year as free_cash_flow,
        sum(eps_diluted) over year as eps_diluted, avg(equity) over year as mean_equity,
        count(*) over year as quarters, count(distinct reported_currency) over year as currencies,
        date - min(date) over year as days
    from quarters
    window year as (partition by symbol order by date rows between 3 preceding and current row)
)
select * from sums where quarters = 4 and currencies = 1 and days between 230 and 310;

create or replace table ratios as
select
    t.symbol, t.date, t.revenue as ttm_revenue, t.net_income as ttm_net_income, t.free_cash_flow as ttm_free_cash_flow,
    t.gross_profit / nullif(t.revenue, 0) as gross_margin,
    t.ebit / nullif(t.revenue, 0) as ebit_margin,
    t.ebitda / nullif(t.revenue, 0) as ebitda_margin,
    t.operating_income / nullif(t.revenue, 0) as operating_margin,
    t.income_before_tax / nullif(t.revenue, 0) as pretax_margin,
    t.net_income / nullif(t.revenue, 0) as net_margin,
    t.free_cash_flow / nullif(t.revenue, 0) as fcf_margin,
    t.operating_cash_flow / nullif(t.revenue, 0) as ocf_to_sales,
    -t.capital_expenditure / nullif(t.revenue, 0) as capex_to_revenue,
    t.research_and_development / nullif(t.revenue, 0) as research_and_development_to_revenue,
    t.selling_general_and_administrative / nullif(t.revenue, 0) as selling_general_and_administrative_to_revenue,
    case when t.income_before_tax > 0 then t.income_tax_expense / t.income_before_tax end as effective_tax_rate,
    case when t.mean_equity > 0 then t.net_income / t.mean_equity end as roe,
    t.net_income / nullif(t.total_assets, 0) as roa,
    t.operating_income * (1 - t.income_tax_expense / nullif(t.income_before_tax, 0)) / nullif(
        t.total_assets - t.total_current_liabilities + t.short_term_debt + t.capital_lease_obligations_current, 0
    ) as roic,
    t.revenue / nullif(t.total_assets, 0) as asset_turnover,
    t.cost_of_revenue / nullif(t.inventory, 0) as inventory_turnover,
    t.revenue / nullif(t.net_receivables, 0) as receivables_turnover,
    t.total_current_assets / nullif(t.total_current_liabilities, 0) as current_ratio,
    (t.total_current_assets - t.inventory) / nullif(t.total_current_liabilities, 0) as quick_ratio,
    t.cash_and_cash_equivalents / nullif(t.total_current_liabilities, 0) as cash_ratio,
    case when t.equity > 0 then t.total_debt / t.equity end as debt_to_equity,
    t.total_debt / nullif(t.total_assets, 0) as debt_to_assets,
    case when t.ebitda > 0 then (t.total_debt - t.cash_and_cash_equivalents) / t.ebitda end as net_debt_to_ebitda,
    t.operating_income / nullif(t.interest_expense, 0) as interest_coverage,
    (t.revenue - y.revenue) / nullif(abs(y.revenue), 0) as revenue_yoy,
    (t.net_income - y.net_income) / nullif(abs(y.net_income), 0) as net_income_yoy,
    (t.eps_diluted - y.eps_diluted) / nullif(abs(y.eps_diluted), 0) as eps_diluted_yoy
from ttm as t
left join ttm as y on y.symbol = t.symbol and t.date - y.date between 350 and 380;

-- Each session with the newest twelve months known on that day, if the company reports in the currency of its price.
create or replace table valuation as
with sessions as (
    select
        p.symbol, p.date, p.close, f.currency,
        -- the share count of the day: of the profile for the newest session, of the market cap before it
        round(
            case
                when lead(p.date) over days is null then f.market_cap / nullif(f.price, 0)
                else c.market_cap / p.close
            end
        ) as listed_shares,
        p.close / nullif(lag(p.close, 1) over days, 0) - 1 as return_1d,
        p.close / nullif(lag(p.close, 5) over days, 0) - 1 as return_5d
    from prices as p
    join profile as f using (symbol)
    left join market_caps as c on c.symbol = p.symbol and c.date = p.date
    window days as (partition by p.symbol order by p.date)
),
known as (
    select
        s.*, t.* exclude (symbol, date), t.date as fiscal_date,
        s.close * coalesce(s.listed_shares, t.shares) as market_cap
    from sessions as s
    asof left join ttm as t on t.symbol = s.symbol and s.date >= t.known_on and t.reported_currency = s.currency
),
priced as (
    select
        *,
        market_cap + total_debt + coalesce(preferred_stock, 0) + coalesce(minority_interest, 0)
            - cash_and_short_term_investments as enterprise_value
    from known
),
paid as (
    select s.symbol, s.date, sum(d.adj_dividend) as dividends_per_share
    from sessions as s
    join dividends as d on d.symbol = s.symbol and d.date <= s.date and d.date > s.date - 365
    group by s.symbol, s.date
)
select
    p.symbol, p.date, p.fiscal_date, p.market_cap, p.enterprise_value,
    case when p.eps_diluted > 0 then p.close / p.eps_diluted end as pe_ratio_ttm,
    case when p.equity > 0 then p.close * p.shares / p.equity end as pb_ratio,
    p.market_cap / nullif(p.revenue, 0) as ps_ratio_ttm,
    case when p.free_cash_flow > 0 then p.market_cap / p.free_cash_flow end as p_to_fcf_ttm,
    p.enterprise_value / nullif(p.revenue, 0) as ev_to_revenue_ttm,
    case when p.ebitda > 0 then p.enterprise_value / p.ebitda end as ev_to_ebitda,
    case when p.ebit > 0 then p.enterprise_value / p.ebit end as ev_to_ebit,
    p.free_cash_flow / nullif(p.market_cap, 0) as fcf_yield,
    p.net_income / nullif(p.shares, 0) / nullif(p.close, 0) as earnings_yield,
    coalesce(d.dividends_per_share, 0) / nullif(p.close, 0) as dividend_yield, p.return_1d, p.return_5d
from priced as p
left join paid as d using (symbol, date);
