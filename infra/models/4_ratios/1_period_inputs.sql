-- grain: vintage x fiscal_date x basis (Q1..Q4, FY, TTM). Flows and balances of every period as doubles, under the
-- same names for every basis.
-- roic_invested_capital is the capital that ROIC divides by; the published invested_capital is FMP's definition.
create or replace temporary table period_inputs as
with periods as (
    select
        l.vintage_id, l.first_known_from, f.company_key, f.symbol, f.fiscal_date, f.fiscal_date_key,
        f.period_type as basis, f.reported_currency,
        case when f.period_type = 'FY' then 'FY' else 'Q' end as cadence,
        f.revenue, f.cost_of_revenue, f.gross_profit, f.research_and_development, f.selling_general_and_administrative,
        f.interest_expense, f.depreciation_and_amortization, f.ebitda, f.ebit, f.operating_income, f.income_before_tax,
        f.income_tax_expense, f.net_income_from_continuing_operations, f.net_income, f.bottom_line_net_income,
        f.stock_based_compensation, f.net_debt_issuance, f.common_stock_repurchased, f.dividends_paid,
        f.operating_cash_flow,
        f.capital_expenditures, f.free_cash_flow, f.cash_and_equivalents, f.cash_and_short_term_investments,
        f.net_receivables,
        f.inventory, f.current_assets, f.property_plant_equipment_net, f.goodwill_and_intangibles, f.total_assets,
        f.accounts_payable, f.short_term_debt, f.capital_lease_obligations_current, f.current_liabilities,
        f.long_term_debt,
        f.total_liabilities, f.stockholders_equity, f.total_debt,
        s.split_adjusted_eps_diluted, s.split_adjusted_shares_outstanding, s.split_adjusted_shares_outstanding_diluted,
        f.current_assets - f.current_liabilities as working_capital,
        f.total_assets - f.current_liabilities + f.short_term_debt
            + f.capital_lease_obligations_current as roic_invested_capital
    from vintage_periods as l
    join new_fact_financials_history as f on f.version_id = l.version_id
    join split_adjusted_shares as s on s.version_id = l.version_id
),
-- the previous period of the same length: quarter to quarter (or half to half), year to year
with_prior as (
    select p.*,
        p.fiscal_date - lag(p.fiscal_date) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as gap_days,
        lag(p.total_assets) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_total_assets,
        lag(p.stockholders_equity) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_stockholders_equity,
        lag(p.working_capital) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_working_capital,
        lag(p.roic_invested_capital) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_roic_invested_capital,
        lag(p.net_receivables) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_net_receivables,
        lag(p.inventory) over (partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis) as prior_inventory,
        lag(p.accounts_payable) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_accounts_payable,
        lag(p.property_plant_equipment_net) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as prior_property_plant_equipment_net
    from periods as p
),
-- one long gap is a missing quarter, two in a row mean half years
with_neighbours as (
    select p.*,
        lag(p.gap_days) over (partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis) as gap_before,
        lead(p.gap_days) over (partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis) as gap_after,
        lead(p.gap_days, 2) over (
            partition by p.vintage_id, p.cadence order by p.fiscal_date, p.basis
        ) as gap_after_next
    from with_prior as p
),
single_periods as (
    select p.*,
        p.cadence = 'Q' and coalesce(
            (p.gap_days between 150 and 215 and (p.gap_before between 150 and 215 or p.gap_after between 150 and 215))
            or (p.gap_days is null and p.gap_after between 150 and 215 and p.gap_after_next between 150 and 215),
            false
        ) as is_half_year,
        case
            when p.cadence = 'FY' then p.gap_days between 350 and 380
            else p.gap_days between 70 and 120 or p.gap_days between 150 and 215
        end as has_prior
    from with_neighbours as p
),
bases as (
    select
        vintage_id, first_known_from, company_key, symbol, fiscal_date, fiscal_date_key, basis, reported_currency,
        null::varchar as null_reason,
        coalesce(has_prior, false) as has_prior_period, coalesce(has_prior, false) as has_year_ago,
        -- 365 for a year and 90 for a quarter, as FMP counts them; a half year of a semi-annual reporter counts as two
        -- quarters
        case when basis = 'FY' then 365.0::double when is_half_year then 180.0::double else 90.0::double end as days,
        revenue::double as revenue, cost_of_revenue::double as cost_of_revenue, gross_profit::double as gross_profit,
        research_and_development::double as research_and_development,
        selling_general_and_administrative::double as selling_general_and_administrative,
        interest_expense::double as interest_expense,
        depreciation_and_amortization::double as depreciation_and_amortization,
        ebitda::double as ebitda, ebit::double as ebit, operating_income::double as operating_income,
        income_before_tax::double as income_before_tax, income_tax_expense::double as income_tax_expense,
        net_income_from_continuing_operations::double as net_income_from_continuing_operations,
        net_income::double as net_income,
        bottom_line_net_income::double as bottom_line_net_income,
        stock_based_compensation::double as stock_based_compensation,
        net_debt_issuance::double as net_debt_issuance, common_stock_repurchased::double as common_stock_repurchased,
        dividends_paid::double as dividends_paid, operating_cash_flow::double as operating_cash_flow,
        capital_expenditures::double as capital_expenditures, free_cash_flow::double as free_cash_flow,
        cash_and_equivalents::double as cash_and_equivalents,
        cash_and_short_term_investments::double as cash_and_short_term_investments,
        net_receivables::double as net_receivables,
        inventory::double as inventory, current_assets::double as current_assets,
        property_plant_equipment_net::double as property_plant_equipment_net,
        goodwill_and_intangibles::double as goodwill_and_intangibles, total_assets::double as total_assets,
        accounts_payable::double as accounts_payable, short_term_debt::double as short_term_debt,
        capital_lease_obligations_current::double as capital_lease_obligations_current,
        current_liabilities::double as current_liabilities, long_term_debt::double as long_term_debt,
        total_liabilities::double as total_liabilities, stockholders_equity::double as stockholders_equity,
        total_debt::double as total_debt,
        split_adjusted_eps_diluted::double as eps_diluted, split_adjusted_shares_outstanding::double as shares,
        split_adjusted_shares_outstanding_diluted::double as diluted_shares,
        stockholders_equity::double as roe_equity, working_capital::double as working_capital,
        roic_invested_capital::double as roic_invested_capital,
        case
            when has_prior then (total_assets::double + prior_total_assets::double) * 0.5
        end as two_period_average_total_assets,
        case
            when has_prior then (working_capital::double + prior_working_capital::double) * 0.5
        end as two_period_average_working_capital,
        case
            when has_prior then (net_receivables::double + prior_net_receivables::double) * 0.5
        end as two_period_average_net_receivables,
        case
            when has_prior then (accounts_payable::double + prior_accounts_payable::double) * 0.5
        end as two_period_average_accounts_payable,
        case
            when has_prior then (inventory::double + prior_inventory::double) * 0.5
        end as two_period_average_inventory,
        case
            when has_prior then (total_assets::double + prior_total_assets::double) * 0.5
        end as year_average_total_assets,
        case
            when has_prior then (stockholders_equity::double + prior_stockholders_equity::double) * 0.5
        end as year_average_stockholders_equity,
        case
            when has_prior then (roic_invested_capital::double + prior_roic_invested_capital::double) * 0.5
        end as year_average_roic_invested_capital,
        case
            when has_prior then (net_receivables::double + prior_net_receivables::double) * 0.5
        end as year_average_net_receivables,
        case when has_prior then (inventory::double + prior_inventory::double) * 0.5 end as year_average_inventory,
        case
            when has_prior then (accounts_payable::double + prior_accounts_payable::double) * 0.5
        end as year_average_accounts_payable,
        case
            when has_prior
                then (property_plant_equipment_net::double + prior_property_plant_equipment_net::double) * 0.5
        end as year_average_property_plant_equipment_net
    from single_periods
    union all
    select
        t.vintage_id, t.first_known_from, t.company_key, t.symbol, t.fiscal_date, t.fiscal_date_key, 'TTM',
        t.reported_currency, t.reason,
        w.prior_date is not null, w.begin_date is not null, 365.0::double,
        t.ttm_revenue::double, t.ttm_cost_of_revenue::double, t.ttm_gross_profit::double,
        t.ttm_research_and_development::double,
        t.ttm_selling_general_and_administrative::double, t.ttm_interest_expense::double,
        t.ttm_depreciation_and_amortization::double, t.ttm_ebitda::double, t.ttm_ebit::double,
        t.ttm_operating_income::double,
        t.ttm_income_before_tax::double, t.ttm_income_tax_expense::double,
        t.ttm_net_income_from_continuing_operations::double,
        t.ttm_net_income::double, t.ttm_bottom_line_net_income::double, t.ttm_stock_based_compensation::double,
        t.ttm_net_debt_issuance::double, t.ttm_common_stock_repurchased::double, t.ttm_dividends_paid::double,
        t.ttm_operating_cash_flow::double, t.ttm_capital_expenditures::double, t.ttm_free_cash_flow::double,
        t.latest_cash_and_equivalents::double, t.latest_cash_and_short_term_investments::double,
        t.latest_net_receivables::double,
        t.latest_inventory::double, t.latest_current_assets::double, t.latest_property_plant_equipment_net::double,
        t.latest_goodwill_and_intangibles::double, t.latest_total_assets::double, t.latest_accounts_payable::double,
        t.latest_short_term_debt::double, t.latest_capital_lease_obligations_current::double,
        t.latest_current_liabilities::double,
        t.latest_long_term_debt::double, t.latest_total_liabilities::double, t.latest_stockholders_equity::double,
        t.latest_total_debt::double,
        t.ttm_eps_diluted_sum, t.latest_shares_outstanding::double, t.latest_shares_outstanding_diluted::double,
        t.average_stockholders_equity::double, (t.latest_current_assets - t.latest_current_liabilities)::double,
        (
            t.latest_total_assets - t.latest_current_liabilities + t.latest_short_term_debt
            + t.latest_capital_lease_obligations_current
        )::double,
        t.average_total_assets_2q::double, t.average_working_capital_2q::double, t.average_net_receivables_2q::double,
        t.average_accounts_payable_2q::double, t.average_inventory_2q::double,
        t.average_total_assets_year::double, t.average_stockholders_equity_year::double,
        t.average_invested_capital_year::double,
        t.average_net_receivables_year::double, t.average_inventory_year::double,
        t.average_accounts_payable_year::double,
        t.average_property_plant_equipment_net_year::double
    from new_fact_financials_ttm_history as t
    join ttm_windows as w on w.vintage_id = t.vintage_id and w.fiscal_date = t.fiscal_date
)
select
    row_number() over (order by b.vintage_id, b.fiscal_date, b.basis) as period_id, b.*,
    -- operating income after tax at the period's own tax rate
    b.operating_income * (1 - b.income_tax_expense / nullif(b.income_before_tax, 0)) as nopat,
    -- why every ratio of a kind is NULL, before any number is examined
    coalesce(b.null_reason, case when c.is_financial then 'not_meaningful_for_sector' end) as bank_null_reason,
    coalesce(b.null_reason, case when not b.has_prior_period then 'insufficient_history' end) as two_period_null_reason,
    coalesce(b.null_reason, case when not b.has_year_ago then 'insufficient_history' end) as year_null_reason,
    coalesce(b.null_reason, case
        when c.is_financial then 'not_meaningful_for_sector'
        when not b.has_prior_period then 'insufficient_history'
    end) as bank_two_period_null_reason,
    coalesce(b.null_reason, case
        when c.is_financial then 'not_meaningful_for_sector'
        when not b.has_year_ago then 'insufficient_history'
    end) as bank_year_null_reason,
    coalesce(b.null_reason, case
        when b.net_income <= 0 then 'negative_earnings'
        when b.stockholders_equity <= 0 then 'negative_equity'
    end) as graham_null_reason
from bases as b
join companies as c on c.symbol = b.symbol
