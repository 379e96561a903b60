-- grain: company x fiscal_date x period_type x known_from. All lines of the three statements as reported, in every
-- version ever known, and fourth quarters derived as the year less its first three quarters (is_derived; their balances
-- are the year's).
create or replace temporary table new_fact_financials_history as
with periods as (
    select p.*, v.is_derived
    from period_versions as p
    join fiscal_versions as v on v.version_id = p.version_id
),
incomes as (select * from staging.income_statement),
balances as (select * from staging.balance_sheet),
cash_flows as (select * from staging.cash_flow),
-- the four parts of a derived quarter: the year is added, the three quarters are subtracted
parts as (
    select version_id, year_id as part_id, true as is_year from derived_quarters
    union all
    select version_id, first_id, false from derived_quarters
    union all
    select version_id, second_id, false from derived_quarters
    union all
    select version_id, third_id, false from derived_quarters
),
signed_parts as (
    select
        d.version_id,
        case when d.is_year then i.revenue else -i.revenue end as revenue,
        case when d.is_year then i.cost_of_revenue else -i.cost_of_revenue end as cost_of_revenue,
        case when d.is_year then i.gross_profit else -i.gross_profit end as gross_profit,
        case
            when d.is_year then i.research_and_development
            else -i.research_and_development
        end as research_and_development,
        case
            when d.is_year then i.general_and_administrative
            else -i.general_and_administrative
        end as general_and_administrative,
        case when d.is_year then i.selling_and_marketing else -i.selling_and_marketing end as selling_and_marketing,
        case
            when d.is_year then i.selling_general_and_administrative
            else -i.selling_general_and_administrative
        end as selling_general_and_administrative,
        case when d.is_year then i.other_expenses else -i.other_expenses end as other_expenses,
        case when d.is_year then i.operating_expenses else -i.operating_expenses end as operating_expenses,
        case when d.is_year then i.cost_and_expenses else -i.cost_and_expenses end as cost_and_expenses,
        case when d.is_year then i.net_interest_income else -i.net_interest_income end as net_interest_income,
        case when d.is_year then i.interest_income else -i.interest_income end as interest_income,
        case when d.is_year then i.interest_expense else -i.interest_expense end as interest_expense,
        case
            when d.is_year then i.depreciation_and_amortization
            else -i.depreciation_and_amortization
        end as depreciation_and_amortization,
        case
            when d.is_year then coalesce(
                i.ebitda,
                i.operating_income
                + coalesce(i.depreciation_and_amortization, c.cash_flow_depreciation_and_amortization)
            )
            else -coalesce(
                i.ebitda,
                i.operating_income
                + coalesce(i.depreciation_and_amortization, c.cash_flow_depreciation_and_amortization)
            )
        end as ebitda,
        case when d.is_year then i.ebit else -i.ebit end as ebit,
        case
            when d.is_year then i.non_operating_income_excluding_interest
            else -i.non_operating_income_excluding_interest
        end as non_operating_income_excluding_interest,
        case when d.is_year then i.operating_income else -i.operating_income end as operating_income,
        case
            when d.is_year then i.total_other_income_expenses_net
            else -i.total_other_income_expenses_net
        end as total_other_income_expenses_net,
        case when d.is_year then i.income_before_tax else -i.income_before_tax end as income_before_tax,
        case when d.is_year then i.income_tax_expense else -i.income_tax_expense end as income_tax_expense,
        case
            when d.is_year then i.net_income_from_continuing_operations
            else -i.net_income_from_continuing_operations
        end as net_income_from_continuing_operations,
        case
            when d.is_year then i.net_income_from_discontinued_operations
            else -i.net_income_from_discontinued_operations
        end as net_income_from_discontinued_operations,
        case
            when d.is_year then i.other_adjustments_to_net_income
            else -i.other_adjustments_to_net_income
        end as other_adjustments_to_net_income,
        case when d.is_year then i.net_income else -i.net_income end as net_income,
        case when d.is_year then i.net_income_deductions else -i.net_income_deductions end as net_income_deductions,
        case when d.is_year then i.bottom_line_net_income else -i.bottom_line_net_income end as bottom_line_net_income,
        case when d.is_year then c.cash_flow_net_income else -c.cash_flow_net_income end as cash_flow_net_income,
        case
            when d.is_year then c.cash_flow_depreciation_and_amortization
            else -c.cash_flow_depreciation_and_amortization
        end as cash_flow_depreciation_and_amortization,
        case when d.is_year then c.deferred_income_tax else -c.deferred_income_tax end as deferred_income_tax,
        case
            when d.is_year then c.stock_based_compensation
            else -c.stock_based_compensation
        end as stock_based_compensation,
        case
            when d.is_year then c.change_in_working_capital
            else -c.change_in_working_capital
        end as change_in_working_capital,
        case when d.is_year then c.change_in_receivables else -c.change_in_receivables end as change_in_receivables,
        case when d.is_year then c.change_in_inventory else -c.change_in_inventory end as change_in_inventory,
        case when d.is_year then c.change_in_payables else -c.change_in_payables end as change_in_payables,
        case
            when d.is_year then c.change_in_other_working_capital
            else -c.change_in_other_working_capital
        end as change_in_other_working_capital,
        case when d.is_year then c.other_non_cash_items else -c.other_non_cash_items end as other_non_cash_items,
        case
            when d.is_year then c.net_cash_from_operating_activities
            else -c.net_cash_from_operating_activities
        end as net_cash_from_operating_activities,
        case
            when d.is_year then c.investments_in_property_plant_and_equipment
            else -c.investments_in_property_plant_and_equipment
        end as investments_in_property_plant_and_equipment,
        case when d.is_year then c.acquisitions_net else -c.acquisitions_net end as acquisitions_net,
        case
            when d.is_year then c.purchases_of_investments
            else -c.purchases_of_investments
        end as purchases_of_investments,
        case
            when d.is_year then c.sales_maturities_of_investments
            else -c.sales_maturities_of_investments
        end as sales_maturities_of_investments,
        case
            when d.is_year then c.other_investing_activities
            else -c.other_investing_activities
        end as other_investing_activities,
        case when d.is_year then c.investing_cash_flow else -c.investing_cash_flow end as investing_cash_flow,
        case when d.is_year then c.net_debt_issuance else -c.net_debt_issuance end as net_debt_issuance,
        case
            when d.is_year then c.long_term_net_debt_issuance
            else -c.long_term_net_debt_issuance
        end as long_term_net_debt_issuance,
        case
            when d.is_year then c.short_term_net_debt_issuance
            else -c.short_term_net_debt_issuance
        end as short_term_net_debt_issuance,
        case when d.is_year then c.net_stock_issuance else -c.net_stock_issuance end as net_stock_issuance,
        case
            when d.is_year then c.net_common_stock_issuance
            else -c.net_common_stock_issuance
        end as net_common_stock_issuance,
        case when d.is_year then c.common_stock_issuance else -c.common_stock_issuance end as common_stock_issuance,
        case
            when d.is_year then c.common_stock_repurchased
            else -c.common_stock_repurchased
        end as common_stock_repurchased,
        case
            when d.is_year then c.net_preferred_stock_issuance
            else -c.net_preferred_stock_issuance
        end as net_preferred_stock_issuance,
        case when d.is_year then c.dividends_paid else -c.dividends_paid end as dividends_paid,
        case when d.is_year then c.common_dividends_paid else -c.common_dividends_paid end as common_dividends_paid,
        case
            when d.is_year then c.preferred_dividends_paid
            else -c.preferred_dividends_paid
        end as preferred_dividends_paid,
        case
            when d.is_year then c.other_financing_activities
            else -c.other_financing_activities
        end as other_financing_activities,
        case when d.is_year then c.financing_cash_flow else -c.financing_cash_flow end as financing_cash_flow,
        case
            when d.is_year then c.effect_of_forex_changes_on_cash
            else -c.effect_of_forex_changes_on_cash
        end as effect_of_forex_changes_on_cash,
        case when d.is_year then c.net_change_in_cash else -c.net_change_in_cash end as net_change_in_cash,
        case when d.is_year then c.operating_cash_flow else -c.operating_cash_flow end as operating_cash_flow,
        case when d.is_year then c.capital_expenditures else -c.capital_expenditures end as capital_expenditures,
        case when d.is_year then c.free_cash_flow else -c.free_cash_flow end as free_cash_flow,
        case when d.is_year then c.income_taxes_paid else -c.income_taxes_paid end as income_taxes_paid,
        case when d.is_year then c.interest_paid else -c.interest_paid end as interest_paid,
        case when d.is_year then i.eps else -i.eps end as eps,
        case when d.is_year then i.eps_diluted else -i.eps_diluted end as eps_diluted,
        case
            when d.is_year then i.shares_outstanding + i.shares_outstanding
                + i.shares_outstanding + i.shares_outstanding
            else -i.shares_outstanding
        end as shares_outstanding,
        case when d.is_year then i.shares_outstanding end as year_shares_outstanding,
        case
            when d.is_year then i.shares_outstanding_diluted + i.shares_outstanding_diluted
                + i.shares_outstanding_diluted + i.shares_outstanding_diluted
            else -i.shares_outstanding_diluted
        end as shares_outstanding_diluted,
        case when d.is_year then i.shares_outstanding_diluted end as year_shares_outstanding_diluted
    from parts as d
    join period_versions as p on p.version_id = d.part_id
    join incomes as i on i.symbol = p.symbol and i.source_file = p.income_file and i.source_row = p.income_row
    join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
),
differences as (
    select
        version_id,
        case when count(revenue) = 4 then sum(revenue) end as revenue,
        case when count(cost_of_revenue) = 4 then sum(cost_of_revenue) end as cost_of_revenue,
        case when count(gross_profit) = 4 then sum(gross_profit) end as gross_profit,
        case
            when count(research_and_development) = 4 then sum(research_and_development)
        end as research_and_development,
        case
            when count(general_and_administrative) = 4 then sum(general_and_administrative)
        end as general_and_administrative,
        case when count(selling_and_marketing) = 4 then sum(selling_and_marketing) end as selling_and_marketing,
        case
            when count(selling_general_and_administrative) = 4 then sum(selling_general_and_administrative)
        end as selling_general_and_administrative,
        case when count(other_expenses) = 4 then sum(other_expenses) end as other_expenses,
        case when count(operating_expenses) = 4 then sum(operating_expenses) end as operating_expenses,
        case when count(cost_and_expenses) = 4 then sum(cost_and_expenses) end as cost_and_expenses,
        case when count(net_interest_income) = 4 then sum(net_interest_income) end as net_interest_income,
        case when count(interest_income) = 4 then sum(interest_income) end as interest_income,
        case when count(interest_expense) = 4 then sum(interest_expense) end as interest_expense,
        case
            when count(depreciation_and_amortization) = 4 then sum(depreciation_and_amortization)
        end as depreciation_and_amortization,
        case when count(ebitda) = 4 then sum(ebitda) end as ebitda,
        case when count(ebit) = 4 then sum(ebit) end as ebit,
        case
            when count(non_operating_income_excluding_interest) = 4 then sum(non_operating_income_excluding_interest)
        end as non_operating_income_excluding_interest,
        case when count(operating_income) = 4 then sum(operating_income) end as operating_income,
        case
            when count(total_other_income_expenses_net) = 4 then sum(total_other_income_expenses_net)
        end as total_other_income_expenses_net,
        case when count(income_before_tax) = 4 then sum(income_before_tax) end as income_before_tax,
        case when count(income_tax_expense) = 4 then sum(income_tax_expense) end as income_tax_expense,
        case
            when count(net_income_from_continuing_operations) = 4 then sum(net_income_from_continuing_operations)
        end as net_income_from_continuing_operations,
        case
            when count(net_income_from_discontinued_operations) = 4 then sum(net_income_from_discontinued_operations)
        end as net_income_from_discontinued_operations,
        case
            when count(other_adjustments_to_net_income) = 4 then sum(other_adjustments_to_net_income)
        end as other_adjustments_to_net_income,
        case when count(net_income) = 4 then sum(net_income) end as net_income,
        case when count(net_income_deductions) = 4 then sum(net_income_deductions) end as net_income_deductions,
        case when count(bottom_line_net_income) = 4 then sum(bottom_line_net_income) end as bottom_line_net_income,
        case when count(cash_flow_net_income) = 4 then sum(cash_flow_net_income) end as cash_flow_net_income,
        case
            when count(cash_flow_depreciation_and_amortization) = 4 then sum(cash_flow_depreciation_and_amortization)
        end as cash_flow_depreciation_and_amortization,
        case when count(deferred_income_tax) = 4 then sum(deferred_income_tax) end as deferred_income_tax,
        case
            when count(stock_based_compensation) = 4 then sum(stock_based_compensation)
        end as stock_based_compensation,
        case
            when count(change_in_working_capital) = 4 then sum(change_in_working_capital)
        end as change_in_working_capital,
        case when count(change_in_receivables) = 4 then sum(change_in_receivables) end as change_in_receivables,
        case when count(change_in_inventory) = 4 then sum(change_in_inventory) end as change_in_inventory,
        case when count(change_in_payables) = 4 then sum(change_in_payables) end as change_in_payables,
        case
            when count(change_in_other_working_capital) = 4 then sum(change_in_other_working_capital)
        end as change_in_other_working_capital,
        case when count(other_non_cash_items) = 4 then sum(other_non_cash_items) end as other_non_cash_items,
        case
            when count(net_cash_from_operating_activities) = 4 then sum(net_cash_from_operating_activities)
        end as net_cash_from_operating_activities,
        case
            when count(investments_in_property_plant_and_equipment) = 4
                then sum(investments_in_property_plant_and_equipment)
        end as investments_in_property_plant_and_equipment,
        case when count(acquisitions_net) = 4 then sum(acquisitions_net) end as acquisitions_net,
        case
            when count(purchases_of_investments) = 4 then sum(purchases_of_investments)
        end as purchases_of_investments,
        case
            when count(sales_maturities_of_investments) = 4 then sum(sales_maturities_of_investments)
        end as sales_maturities_of_investments,
        case
            when count(other_investing_activities) = 4 then sum(other_investing_activities)
        end as other_investing_activities,
        case when count(investing_cash_flow) = 4 then sum(investing_cash_flow) end as investing_cash_flow,
        case when count(net_debt_issuance) = 4 then sum(net_debt_issuance) end as net_debt_issuance,
        case
            when count(long_term_net_debt_issuance) = 4 then sum(long_term_net_debt_issuance)
        end as long_term_net_debt_issuance,
        case
            when count(short_term_net_debt_issuance) = 4 then sum(short_term_net_debt_issuance)
        end as short_term_net_debt_issuance,
        case when count(net_stock_issuance) = 4 then sum(net_stock_issuance) end as net_stock_issuance,
        case
            when count(net_common_stock_issuance) = 4 then sum(net_common_stock_issuance)
        end as net_common_stock_issuance,
        case when count(common_stock_issuance) = 4 then sum(common_stock_issuance) end as common_stock_issuance,
        case
            when count(common_stock_repurchased) = 4 then sum(common_stock_repurchased)
        end as common_stock_repurchased,
        case
            when count(net_preferred_stock_issuance) = 4 then sum(net_preferred_stock_issuance)
        end as net_preferred_stock_issuance,
        case when count(dividends_paid) = 4 then sum(dividends_paid) end as dividends_paid,
        case when count(common_dividends_paid) = 4 then sum(common_dividends_paid) end as common_dividends_paid,
        case
            when count(preferred_dividends_paid) = 4 then sum(preferred_dividends_paid)
        end as preferred_dividends_paid,
        case
            when count(other_financing_activities) = 4 then sum(other_financing_activities)
        end as other_financing_activities,
        case when count(financing_cash_flow) = 4 then sum(financing_cash_flow) end as financing_cash_flow,
        case
            when count(effect_of_forex_changes_on_cash) = 4 then sum(effect_of_forex_changes_on_cash)
        end as effect_of_forex_changes_on_cash,
        case when count(net_change_in_cash) = 4 then sum(net_change_in_cash) end as net_change_in_cash,
        case when count(operating_cash_flow) = 4 then sum(operating_cash_flow) end as operating_cash_flow,
        case when count(capital_expenditures) = 4 then sum(capital_expenditures) end as capital_expenditures,
        case when count(free_cash_flow) = 4 then sum(free_cash_flow) end as free_cash_flow,
        case when count(income_taxes_paid) = 4 then sum(income_taxes_paid) end as income_taxes_paid,
        case when count(interest_paid) = 4 then sum(interest_paid) end as interest_paid,
        case when count(eps) = 4 then sum(eps) end as eps,
        case when count(eps_diluted) = 4 then sum(eps_diluted) end as eps_diluted,
        case when count(shares_outstanding) = 4 then sum(shares_outstanding) end as shares_outstanding,
        max(year_shares_outstanding) as year_shares_outstanding,
        case
            when count(shares_outstanding_diluted) = 4 then sum(shares_outstanding_diluted)
        end as shares_outstanding_diluted,
        max(year_shares_outstanding_diluted) as year_shares_outstanding_diluted
    from signed_parts
    group by version_id
),
-- a split within the year puts the quarters on another share basis than the year: the share counts then differ by more
-- than buybacks explain, and no per-share figure is derived
derived as (
    select *,
        coalesce(
            shares_outstanding::double
                between year_shares_outstanding::double * 0.8 and year_shares_outstanding::double * 1.25
            and coalesce(
                shares_outstanding_diluted::double
                    between year_shares_outstanding_diluted::double * 0.8
                    and year_shares_outstanding_diluted::double * 1.25,
                true
            ),
            false
        ) as is_one_basis
    from differences
)
select
    p.version_id, m.company_key, p.symbol, p.fiscal_date,
    (year(p.fiscal_date) * 10000 + month(p.fiscal_date) * 100 + day(p.fiscal_date))::bigint as fiscal_date_key,
    p.period_type, p.fiscal_year, p.cik, p.filing_date, p.accepted_at, p.accepted_at_source, p.known_on,
    p.reported_currency, p.has_income, p.has_balance, p.has_cash_flow, p.is_derived, i.revenue, i.cost_of_revenue,
    i.gross_profit, i.research_and_development, i.general_and_administrative, i.selling_and_marketing,
    i.selling_general_and_administrative, i.other_expenses, i.operating_expenses, i.cost_and_expenses,
    i.net_interest_income, i.interest_income, i.interest_expense, i.depreciation_and_amortization,
    -- FMP's own figure, else operating income plus D&A; never operating income alone
    coalesce(
        i.ebitda,
        i.operating_income + coalesce(i.depreciation_and_amortization, c.cash_flow_depreciation_and_amortization)
    ) as ebitda,
    i.ebit, i.non_operating_income_excluding_interest, i.operating_income, i.total_other_income_expenses_net,
    i.income_before_tax, i.income_tax_expense, i.net_income_from_continuing_operations,
    i.net_income_from_discontinued_operations, i.other_adjustments_to_net_income, i.net_income,
    i.net_income_deductions, i.bottom_line_net_income, i.eps, i.eps_diluted, i.shares_outstanding,
    i.shares_outstanding_diluted, b.cash_and_equivalents, b.short_term_investments, b.cash_and_short_term_investments,
    b.net_receivables, b.accounts_receivable, b.other_receivables, b.inventory, b.prepaids, b.other_current_assets,
    b.current_assets, b.property_plant_equipment_net, b.goodwill, b.intangible_assets, b.goodwill_and_intangibles,
    b.long_term_investments, b.tax_assets, b.other_non_current_assets, b.non_current_assets, b.other_assets,
    b.total_assets, b.total_payables, b.accounts_payable, b.other_payables, b.accrued_expenses, b.short_term_debt,
    b.capital_lease_obligations_current, b.tax_payables, b.deferred_revenue, b.other_current_liabilities,
    b.current_liabilities, b.long_term_debt, b.capital_lease_obligations_non_current, b.deferred_revenue_non_current,
    b.deferred_tax_liabilities_non_current, b.other_non_current_liabilities, b.non_current_liabilities,
    b.other_liabilities, b.capital_lease_obligations, b.total_liabilities, b.treasury_stock, b.preferred_stock,
    b.common_stock, b.retained_earnings, b.additional_paid_in_capital, b.accumulated_other_comprehensive_income,
    b.other_stockholders_equity, b.stockholders_equity, b.total_equity, b.minority_interest,
    b.total_liabilities_and_equity, b.total_investments, b.total_debt, b.net_debt, c.cash_flow_net_income,
    c.cash_flow_depreciation_and_amortization, c.deferred_income_tax, c.stock_based_compensation,
    c.change_in_working_capital, c.change_in_receivables, c.change_in_inventory, c.change_in_payables,
    c.change_in_other_working_capital, c.other_non_cash_items, c.net_cash_from_operating_activities,
    c.investments_in_property_plant_and_equipment, c.acquisitions_net, c.purchases_of_investments,
    c.sales_maturities_of_investments, c.other_investing_activities, c.investing_cash_flow, c.net_debt_issuance,
    c.long_term_net_debt_issuance, c.short_term_net_debt_issuance, c.net_stock_issuance, c.net_common_stock_issuance,
    c.common_stock_issuance, c.common_stock_repurchased, c.net_preferred_stock_issuance, c.dividends_paid,
    c.common_dividends_paid, c.preferred_dividends_paid, c.other_financing_activities, c.financing_cash_flow,
    c.effect_of_forex_changes_on_cash, c.net_change_in_cash, c.cash_at_end_of_period, c.cash_at_beginning_of_period,
    c.operating_cash_flow, c.capital_expenditures, c.free_cash_flow, c.income_taxes_paid, c.interest_paid,
    p.known_reconstructed, p.known_from, p.known_to
from periods as p
join companies as m on m.symbol = p.symbol
left join incomes as i on i.symbol = p.symbol and i.source_file = p.income_file and i.source_row = p.income_row
left join balances as b on b.symbol = p.symbol and b.source_file = p.balance_file and b.source_row = p.balance_row
left join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
union all
select
    v.version_id, m.company_key, v.symbol, v.fiscal_date,
    (year(v.fiscal_date) * 10000 + month(v.fiscal_date) * 100 + day(v.fiscal_date))::bigint,
    v.period_type, v.fiscal_year, p.cik, p.filing_date, v.accepted_at, p.accepted_at_source, v.known_on,
    v.reported_currency, v.has_income, v.has_balance, v.has_cash_flow, v.is_derived, d.revenue, d.cost_of_revenue,
    d.gross_profit, d.research_and_development, d.general_and_administrative, d.selling_and_marketing,
    d.selling_general_and_administrative, d.other_expenses, d.operating_expenses, d.cost_and_expenses,
    d.net_interest_income, d.interest_income, d.interest_expense, d.depreciation_and_amortization, d.ebitda, d.ebit,
    d.non_operating_income_excluding_interest, d.operating_income, d.total_other_income_expenses_net,
    d.income_before_tax, d.income_tax_expense, d.net_income_from_continuing_operations,
    d.net_income_from_discontinued_operations, d.other_adjustments_to_net_income, d.net_income,
    d.net_income_deductions, d.bottom_line_net_income, case when d.is_one_basis then d.eps end,
    case when d.is_one_basis then d.eps_diluted end, case when d.is_one_basis then d.shares_outstanding end,
    case when d.is_one_basis then d.shares_outstanding_diluted end, b.cash_and_equivalents, b.short_term_investments,
    b.cash_and_short_term_investments, b.net_receivables, b.accounts_receivable, b.other_receivables, b.inventory,
    b.prepaids, b.other_current_assets, b.current_assets, b.property_plant_equipment_net, b.goodwill,
    b.intangible_assets, b.goodwill_and_intangibles, b.long_term_investments, b.tax_assets,
    b.other_non_current_assets, b.non_current_assets, b.other_assets, b.total_assets, b.total_payables,
    b.accounts_payable, b.other_payables, b.accrued_expenses, b.short_term_debt, b.capital_lease_obligations_current,
    b.tax_payables, b.deferred_revenue, b.other_current_liabilities, b.current_liabilities, b.long_term_debt,
    b.capital_lease_obligations_non_current, b.deferred_revenue_non_current, b.deferred_tax_liabilities_non_current,
    b.other_non_current_liabilities, b.non_current_liabilities, b.other_liabilities, b.capital_lease_obligations,
    b.total_liabilities, b.treasury_stock, b.preferred_stock, b.common_stock, b.retained_earnings,
    b.additional_paid_in_capital, b.accumulated_other_comprehensive_income, b.other_stockholders_equity,
    b.stockholders_equity, b.total_equity, b.minority_interest, b.total_liabilities_and_equity, b.total_investments,
    b.total_debt, b.net_debt, d.cash_flow_net_income, d.cash_flow_depreciation_and_amortization,
    d.deferred_income_tax, d.stock_based_compensation, d.change_in_working_capital, d.change_in_receivables,
    d.change_in_inventory, d.change_in_payables, d.change_in_other_working_capital, d.other_non_cash_items,
    d.net_cash_from_operating_activities, d.investments_in_property_plant_and_equipment, d.acquisitions_net,
    d.purchases_of_investments, d.sales_maturities_of_investments, d.other_investing_activities,
    d.investing_cash_flow, d.net_debt_issuance, d.long_term_net_debt_issuance, d.short_term_net_debt_issuance,
    d.net_stock_issuance, d.net_common_stock_issuance, d.common_stock_issuance, d.common_stock_repurchased,
    d.net_preferred_stock_issuance, d.dividends_paid, d.common_dividends_paid, d.preferred_dividends_paid,
    d.other_financing_activities, d.financing_cash_flow, d.effect_of_forex_changes_on_cash, d.net_change_in_cash,
    c.cash_at_end_of_period, t.cash_at_end_of_period, d.operating_cash_flow, d.capital_expenditures, d.free_cash_flow,
    d.income_taxes_paid, d.interest_paid, p.known_reconstructed, v.known_from, v.known_to
from derived_quarters as q
join fiscal_versions as v on v.version_id = q.version_id
join derived as d on d.version_id = q.version_id
join period_versions as p on p.version_id = q.year_id
join period_versions as third on third.version_id = q.third_id
join companies as m on m.symbol = v.symbol
left join balances as b on b.symbol = p.symbol and b.source_file = p.balance_file and b.source_row = p.balance_row
join cash_flows as c on c.symbol = p.symbol and c.source_file = p.cash_file and c.source_row = p.cash_row
join cash_flows as t on t.symbol = third.symbol and t.source_file = third.cash_file and t.source_row = third.cash_row
