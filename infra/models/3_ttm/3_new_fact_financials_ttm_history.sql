-- grain: vintage x fiscal_date (newest quarter end). Flows summed over the quarters of the window; balances and share
-- counts of the newest quarter.
-- An item missing in any quarter makes only that item NULL (SUM would skip the quarter); an incomplete window has NULL
-- flows and a reason. Per-share figures and share counts are on the split basis of the newest price.
create or replace temporary table new_fact_financials_ttm_history as
with quarters as (
    select
        f.*, r.vintage_id, r.first_known_from, r.complete_from, r.split_adjusted_eps, r.split_adjusted_eps_diluted,
        r.split_adjusted_shares_outstanding, r.split_adjusted_shares_outstanding_diluted
    from new_fact_financials_history as f
    join quarter_rows as r on r.version_id = f.version_id
),
windows as (select * from ttm_windows),
spans as (
    select
        w.vintage_id, w.fiscal_date, count(*) as quarters_included,
        sum(case when q.is_derived then 1 else 0 end)::bigint as quarters_derived,
        max(case
            when q.fiscal_date = w.fiscal_date then q.complete_from
            else q.first_known_from
        end) as first_known_from,
        min(q.fiscal_date) as oldest_quarter_date, max(q.accepted_at) as accepted_at, max(q.known_on) as known_on
    from windows as w
    join quarters as q on q.vintage_id = w.vintage_id and q.fiscal_date between w.window_from and w.fiscal_date
    group by w.vintage_id, w.fiscal_date
),
sums as (
    select
        w.vintage_id, w.fiscal_date,
        case when count(q.revenue) = count(*) then sum(q.revenue) end as ttm_revenue,
        case when count(q.cost_of_revenue) = count(*) then sum(q.cost_of_revenue) end as ttm_cost_of_revenue,
        case when count(q.gross_profit) = count(*) then sum(q.gross_profit) end as ttm_gross_profit,
        case
            when count(q.research_and_development) = count(*) then sum(q.research_and_development)
        end as ttm_research_and_development,
        case
            when count(q.general_and_administrative) = count(*) then sum(q.general_and_administrative)
        end as ttm_general_and_administrative,
        case
            when count(q.selling_and_marketing) = count(*) then sum(q.selling_and_marketing)
        end as ttm_selling_and_marketing,
        case
            when count(q.selling_general_and_administrative) = count(*) then sum(q.selling_general_and_administrative)
        end as ttm_selling_general_and_administrative,
        case when count(q.other_expenses) = count(*) then sum(q.other_expenses) end as ttm_other_expenses,
        case when count(q.operating_expenses) = count(*) then sum(q.operating_expenses) end as ttm_operating_expenses,
        case when count(q.cost_and_expenses) = count(*) then sum(q.cost_and_expenses) end as ttm_cost_and_expenses,
        case
            when count(q.net_interest_income) = count(*) then sum(q.net_interest_income)
        end as ttm_net_interest_income,
        case when count(q.interest_income) = count(*) then sum(q.interest_income) end as ttm_interest_income,
        case when count(q.interest_expense) = count(*) then sum(q.interest_expense) end as ttm_interest_expense,
        case
            when count(q.depreciation_and_amortization) = count(*) then sum(q.depreciation_and_amortization)
        end as ttm_depreciation_and_amortization,
        case when count(q.ebitda) = count(*) then sum(q.ebitda) end as ttm_ebitda,
        case when count(q.ebit) = count(*) then sum(q.ebit) end as ttm_ebit,
        case
            when count(q.non_operating_income_excluding_interest) = count(*)
                then sum(q.non_operating_income_excluding_interest)
        end as ttm_non_operating_income_excluding_interest,
        case when count(q.operating_income) = count(*) then sum(q.operating_income) end as ttm_operating_income,
        case
            when count(q.total_other_income_expenses_net) = count(*) then sum(q.total_other_income_expenses_net)
        end as ttm_total_other_income_expenses_net,
        case when count(q.income_before_tax) = count(*) then sum(q.income_before_tax) end as ttm_income_before_tax,
        case when count(q.income_tax_expense) = count(*) then sum(q.income_tax_expense) end as ttm_income_tax_expense,
        case
            when count(q.net_income_from_continuing_operations) = count(*)
                then sum(q.net_income_from_continuing_operations)
        end as ttm_net_income_from_continuing_operations,
        case
            when count(q.net_income_from_discontinued_operations) = count(*)
                then sum(q.net_income_from_discontinued_operations)
        end as ttm_net_income_from_discontinued_operations,
        case
            when count(q.other_adjustments_to_net_income) = count(*) then sum(q.other_adjustments_to_net_income)
        end as ttm_other_adjustments_to_net_income,
        case when count(q.net_income) = count(*) then sum(q.net_income) end as ttm_net_income,
        case
            when count(q.net_income_deductions) = count(*) then sum(q.net_income_deductions)
        end as ttm_net_income_deductions,
        case
            when count(q.bottom_line_net_income) = count(*) then sum(q.bottom_line_net_income)
        end as ttm_bottom_line_net_income,
        case
            when count(q.cash_flow_net_income) = count(*) then sum(q.cash_flow_net_income)
        end as ttm_cash_flow_net_income,
        case
            when count(q.cash_flow_depreciation_and_amortization) = count(*)
                then sum(q.cash_flow_depreciation_and_amortization)
        end as ttm_cash_flow_depreciation_and_amortization,
        case
            when count(q.deferred_income_tax) = count(*) then sum(q.deferred_income_tax)
        end as ttm_deferred_income_tax,
        case
            when count(q.stock_based_compensation) = count(*) then sum(q.stock_based_compensation)
        end as ttm_stock_based_compensation,
        case
            when count(q.change_in_working_capital) = count(*) then sum(q.change_in_working_capital)
        end as ttm_change_in_working_capital,
        case
            when count(q.change_in_receivables) = count(*) then sum(q.change_in_receivables)
        end as ttm_change_in_receivables,
        case
            when count(q.change_in_inventory) = count(*) then sum(q.change_in_inventory)
        end as ttm_change_in_inventory,
        case when count(q.change_in_payables) = count(*) then sum(q.change_in_payables) end as ttm_change_in_payables,
        case
            when count(q.change_in_other_working_capital) = count(*) then sum(q.change_in_other_working_capital)
        end as ttm_change_in_other_working_capital,
        case
            when count(q.other_non_cash_items) = count(*) then sum(q.other_non_cash_items)
        end as ttm_other_non_cash_items,
        case
            when count(q.net_cash_from_operating_activities) = count(*) then sum(q.net_cash_from_operating_activities)
        end as ttm_net_cash_from_operating_activities,
        case
            when count(q.investments_in_property_plant_and_equipment) = count(*)
                then sum(q.investments_in_property_plant_and_equipment)
        end as ttm_investments_in_property_plant_and_equipment,
        case when count(q.acquisitions_net) = count(*) then sum(q.acquisitions_net) end as ttm_acquisitions_net,
        case
            when count(q.purchases_of_investments) = count(*) then sum(q.purchases_of_investments)
        end as ttm_purchases_of_investments,
        case
            when count(q.sales_maturities_of_investments) = count(*) then sum(q.sales_maturities_of_investments)
        end as ttm_sales_maturities_of_investments,
        case
            when count(q.other_investing_activities) = count(*) then sum(q.other_investing_activities)
        end as ttm_other_investing_activities,
        case
            when count(q.investing_cash_flow) = count(*) then sum(q.investing_cash_flow)
        end as ttm_investing_cash_flow,
        case when count(q.net_debt_issuance) = count(*) then sum(q.net_debt_issuance) end as ttm_net_debt_issuance,
        case
            when count(q.long_term_net_debt_issuance) = count(*) then sum(q.long_term_net_debt_issuance)
        end as ttm_long_term_net_debt_issuance,
        case
            when count(q.short_term_net_debt_issuance) = count(*) then sum(q.short_term_net_debt_issuance)
        end as ttm_short_term_net_debt_issuance,
        case when count(q.net_stock_issuance) = count(*) then sum(q.net_stock_issuance) end as ttm_net_stock_issuance,
        case
            when count(q.net_common_stock_issuance) = count(*) then sum(q.net_common_stock_issuance)
        end as ttm_net_common_stock_issuance,
        case
            when count(q.common_stock_issuance) = count(*) then sum(q.common_stock_issuance)
        end as ttm_common_stock_issuance,
        case
            when count(q.common_stock_repurchased) = count(*) then sum(q.common_stock_repurchased)
        end as ttm_common_stock_repurchased,
        case
            when count(q.net_preferred_stock_issuance) = count(*) then sum(q.net_preferred_stock_issuance)
        end as ttm_net_preferred_stock_issuance,
        case when count(q.dividends_paid) = count(*) then sum(q.dividends_paid) end as ttm_dividends_paid,
        case
            when count(q.common_dividends_paid) = count(*) then sum(q.common_dividends_paid)
        end as ttm_common_dividends_paid,
        case
            when count(q.preferred_dividends_paid) = count(*) then sum(q.preferred_dividends_paid)
        end as ttm_preferred_dividends_paid,
        case
            when count(q.other_financing_activities) = count(*) then sum(q.other_financing_activities)
        end as ttm_other_financing_activities,
        case
            when count(q.financing_cash_flow) = count(*) then sum(q.financing_cash_flow)
        end as ttm_financing_cash_flow,
        case
            when count(q.effect_of_forex_changes_on_cash) = count(*) then sum(q.effect_of_forex_changes_on_cash)
        end as ttm_effect_of_forex_changes_on_cash,
        case when count(q.net_change_in_cash) = count(*) then sum(q.net_change_in_cash) end as ttm_net_change_in_cash,
        case
            when count(q.operating_cash_flow) = count(*) then sum(q.operating_cash_flow)
        end as ttm_operating_cash_flow,
        case
            when count(q.capital_expenditures) = count(*) then sum(q.capital_expenditures)
        end as ttm_capital_expenditures,
        case when count(q.free_cash_flow) = count(*) then sum(q.free_cash_flow) end as ttm_free_cash_flow,
        case when count(q.income_taxes_paid) = count(*) then sum(q.income_taxes_paid) end as ttm_income_taxes_paid,
        case when count(q.interest_paid) = count(*) then sum(q.interest_paid) end as ttm_interest_paid,
        (case when count(q.split_adjusted_eps) = count(*) then sum(q.split_adjusted_eps) end)::double as ttm_eps,
        (case
            when count(q.split_adjusted_eps_diluted) = count(*) then sum(q.split_adjusted_eps_diluted)
        end)::double as ttm_eps_diluted_sum,
        (case
            when count(coalesce(q.bottom_line_net_income, q.net_income)) = count(*)
                then sum(coalesce(q.bottom_line_net_income, q.net_income))
        end)::double as net_income_to_common,
        (case
            when count(q.split_adjusted_shares_outstanding_diluted) = count(*)
                then sum(q.split_adjusted_shares_outstanding_diluted)
        end)::double
            / nullif(count(*), 0) as mean_diluted_shares,
        (case when count(q.stockholders_equity) = count(*) then sum(q.stockholders_equity) end)::double
            / nullif(count(*), 0) as mean_equity,
        max(
            case when q.fiscal_date = w.window_from then q.cash_at_beginning_of_period end
        ) as oldest_cash_at_beginning_of_period
    from windows as w
    join quarters as q on q.vintage_id = w.vintage_id and q.fiscal_date between w.window_from and w.fiscal_date
    where w.is_whole
    group by w.vintage_id, w.fiscal_date
)
select
    w.vintage_id, n.first_known_from, e.company_key, e.symbol, e.fiscal_date, e.fiscal_date_key, n.accepted_at,
    n.known_on,
    n.quarters_included, n.quarters_derived, n.oldest_quarter_date, e.fiscal_date as newest_quarter_date,
    e.reported_currency,
    case when w.is_whole then 'ok' else 'incomplete' end as status, w.reason,
    s.ttm_revenue, s.ttm_cost_of_revenue, s.ttm_gross_profit, s.ttm_research_and_development,
    s.ttm_general_and_administrative,
    s.ttm_selling_and_marketing, s.ttm_selling_general_and_administrative, s.ttm_other_expenses,
    s.ttm_operating_expenses,
    s.ttm_cost_and_expenses, s.ttm_net_interest_income, s.ttm_interest_income, s.ttm_interest_expense,
    s.ttm_depreciation_and_amortization, s.ttm_ebitda, s.ttm_ebit, s.ttm_non_operating_income_excluding_interest,
    s.ttm_operating_income, s.ttm_total_other_income_expenses_net, s.ttm_income_before_tax, s.ttm_income_tax_expense,
    s.ttm_net_income_from_continuing_operations, s.ttm_net_income_from_discontinued_operations,
    s.ttm_other_adjustments_to_net_income, s.ttm_net_income, s.ttm_net_income_deductions, s.ttm_bottom_line_net_income,
    s.ttm_cash_flow_net_income, s.ttm_cash_flow_depreciation_and_amortization, s.ttm_deferred_income_tax,
    s.ttm_stock_based_compensation, s.ttm_change_in_working_capital, s.ttm_change_in_receivables,
    s.ttm_change_in_inventory,
    s.ttm_change_in_payables, s.ttm_change_in_other_working_capital, s.ttm_other_non_cash_items,
    s.ttm_net_cash_from_operating_activities, s.ttm_investments_in_property_plant_and_equipment, s.ttm_acquisitions_net,
    s.ttm_purchases_of_investments, s.ttm_sales_maturities_of_investments, s.ttm_other_investing_activities,
    s.ttm_investing_cash_flow, s.ttm_net_debt_issuance, s.ttm_long_term_net_debt_issuance,
    s.ttm_short_term_net_debt_issuance,
    s.ttm_net_stock_issuance, s.ttm_net_common_stock_issuance, s.ttm_common_stock_issuance,
    s.ttm_common_stock_repurchased,
    s.ttm_net_preferred_stock_issuance, s.ttm_dividends_paid, s.ttm_common_dividends_paid,
    s.ttm_preferred_dividends_paid,
    s.ttm_other_financing_activities, s.ttm_financing_cash_flow, s.ttm_effect_of_forex_changes_on_cash,
    s.ttm_net_change_in_cash,
    s.ttm_operating_cash_flow, s.ttm_capital_expenditures, s.ttm_free_cash_flow, s.ttm_income_taxes_paid,
    s.ttm_interest_paid,
    s.ttm_eps,
    s.net_income_to_common / nullif(case
        when s.mean_diluted_shares > 0 then s.mean_diluted_shares
    end, 0) as ttm_eps_diluted,
    s.ttm_eps_diluted_sum, s.oldest_cash_at_beginning_of_period,
    e.cash_and_equivalents as latest_cash_and_equivalents, e.short_term_investments as latest_short_term_investments,
    e.cash_and_short_term_investments as latest_cash_and_short_term_investments,
    e.net_receivables as latest_net_receivables,
    e.accounts_receivable as latest_accounts_receivable, e.other_receivables as latest_other_receivables,
    e.inventory as latest_inventory, e.prepaids as latest_prepaids,
    e.other_current_assets as latest_other_current_assets,
    e.current_assets as latest_current_assets, e.property_plant_equipment_net as latest_property_plant_equipment_net,
    e.goodwill as latest_goodwill, e.intangible_assets as latest_intangible_assets,
    e.goodwill_and_intangibles as latest_goodwill_and_intangibles,
    e.long_term_investments as latest_long_term_investments,
    e.tax_assets as latest_tax_assets, e.other_non_current_assets as latest_other_non_current_assets,
    e.non_current_assets as latest_non_current_assets, e.other_assets as latest_other_assets,
    e.total_assets as latest_total_assets,
    e.total_payables as latest_total_payables, e.accounts_payable as latest_accounts_payable,
    e.other_payables as latest_other_payables, e.accrued_expenses as latest_accrued_expenses,
    e.short_term_debt as latest_short_term_debt,
    e.capital_lease_obligations_current as latest_capital_lease_obligations_current,
    e.tax_payables as latest_tax_payables, e.deferred_revenue as latest_deferred_revenue,
    e.other_current_liabilities as latest_other_current_liabilities,
    e.current_liabilities as latest_current_liabilities,
    e.long_term_debt as latest_long_term_debt,
    e.capital_lease_obligations_non_current as latest_capital_lease_obligations_non_current,
    e.deferred_revenue_non_current as latest_deferred_revenue_non_current,
    e.deferred_tax_liabilities_non_current as latest_deferred_tax_liabilities_non_current,
    e.other_non_current_liabilities as latest_other_non_current_liabilities,
    e.non_current_liabilities as latest_non_current_liabilities, e.other_liabilities as latest_other_liabilities,
    e.capital_lease_obligations as latest_capital_lease_obligations, e.total_liabilities as latest_total_liabilities,
    e.treasury_stock as latest_treasury_stock, e.preferred_stock as latest_preferred_stock,
    e.common_stock as latest_common_stock,
    e.retained_earnings as latest_retained_earnings, e.additional_paid_in_capital as latest_additional_paid_in_capital,
    e.accumulated_other_comprehensive_income as latest_accumulated_other_comprehensive_income,
    e.other_stockholders_equity as latest_other_stockholders_equity,
    e.stockholders_equity as latest_stockholders_equity,
    e.total_equity as latest_total_equity, e.minority_interest as latest_minority_interest,
    e.total_liabilities_and_equity as latest_total_liabilities_and_equity,
    e.total_investments as latest_total_investments,
    e.total_debt as latest_total_debt, e.net_debt as latest_net_debt,
    e.cash_at_end_of_period as latest_cash_at_end_of_period,
    e.split_adjusted_shares_outstanding as latest_shares_outstanding,
    e.split_adjusted_shares_outstanding_diluted as latest_shares_outstanding_diluted,
    s.mean_diluted_shares::decimal(38, 6) as average_shares_outstanding_diluted,
    -- the mean of the window's quarter-end equities, by which FMP divides its TTM return on equity
    s.mean_equity::decimal(38, 6) as average_stockholders_equity,
    -- _2q: mean of the newest and the previous quarter end; _year: mean of the beginning and the end of the twelve
    -- months
    ((e.total_assets + p.total_assets)::double * 0.5)::decimal(38, 6) as average_total_assets_2q,
    (
        ((e.current_assets - e.current_liabilities) + (p.current_assets - p.current_liabilities))::double * 0.5
    )::decimal(38, 6) as average_working_capital_2q,
    ((e.net_receivables + p.net_receivables)::double * 0.5)::decimal(38, 6) as average_net_receivables_2q,
    ((e.accounts_payable + p.accounts_payable)::double * 0.5)::decimal(38, 6) as average_accounts_payable_2q,
    ((e.inventory + p.inventory)::double * 0.5)::decimal(38, 6) as average_inventory_2q,
    ((e.total_assets + b.total_assets)::double * 0.5)::decimal(38, 6) as average_total_assets_year,
    ((e.stockholders_equity + b.stockholders_equity)::double * 0.5)::decimal(38, 6) as average_stockholders_equity_year,
    (
        (
            (
                e.total_assets - e.current_liabilities + e.short_term_debt + e.capital_lease_obligations_current
            )::double
            + (
                b.total_assets - b.current_liabilities + b.short_term_debt + b.capital_lease_obligations_current
            )::double
        ) * 0.5
    )::decimal(38, 6) as average_invested_capital_year,
    ((e.net_receivables + b.net_receivables)::double * 0.5)::decimal(38, 6) as average_net_receivables_year,
    ((e.inventory + b.inventory)::double * 0.5)::decimal(38, 6) as average_inventory_year,
    ((e.accounts_payable + b.accounts_payable)::double * 0.5)::decimal(38, 6) as average_accounts_payable_year,
    (
        (e.property_plant_equipment_net + b.property_plant_equipment_net)::double * 0.5
    )::decimal(38, 6) as average_property_plant_equipment_net_year
from windows as w
join spans as n on n.vintage_id = w.vintage_id and n.fiscal_date = w.fiscal_date
join quarters as e on e.vintage_id = w.vintage_id and e.fiscal_date = w.fiscal_date
left join quarters as p on p.vintage_id = w.vintage_id and p.fiscal_date = w.prior_date
left join quarters as b on b.vintage_id = w.vintage_id and b.fiscal_date = w.begin_date
left join sums as s on s.vintage_id = w.vintage_id and s.fiscal_date = w.fiscal_date
