-- grain: company x fiscal_date x period_type. The newest version of each income statement: staging keeps every version ever seen.
create or replace temporary table latest_income as
with scoped as (select symbol from companies),
versions as (select * from staging.income_statement)
select
    v.symbol, v.fiscal_date, v.period_type, v.fiscal_year, v.reported_currency, v.cik, v.filing_date, v.accepted_at,
    v.accepted_at_source,
    -- a restatement must not make the days before it forget that the period was known
    min(v.known_on) over (partition by v.symbol, v.period_type, v.fiscal_date) as known_on,
    v.revenue, v.cost_of_revenue, v.gross_profit, v.research_and_development, v.general_and_administrative, v.selling_and_marketing,
    v.selling_general_and_administrative, v.other_expenses, v.operating_expenses, v.cost_and_expenses, v.net_interest_income,
    v.interest_income, v.interest_expense, v.depreciation_and_amortization, v.ebitda, v.ebit,
    v.non_operating_income_excluding_interest, v.operating_income, v.total_other_income_expenses_net, v.income_before_tax,
    v.income_tax_expense, v.net_income_from_continuing_operations, v.net_income_from_discontinued_operations,
    v.other_adjustments_to_net_income, v.net_income, v.net_income_deductions, v.bottom_line_net_income, v.eps, v.eps_diluted,
    v.shares_outstanding, v.shares_outstanding_diluted,
    (v.observed_at - interval '5 hours')::date as basis_date
from versions as v
join scoped as c on c.symbol = v.symbol
where v.period_type in ('Q1', 'Q2', 'Q3', 'Q4', 'FY')
qualify row_number() over (
    partition by v.symbol, v.period_type, v.fiscal_date
    order by v.observed_at desc nulls last, v.source_file desc nulls last, v.source_row desc nulls last
) = 1
