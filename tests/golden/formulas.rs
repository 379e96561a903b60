//! The ratios, computed from a company's statement lines with FMP's published formulas and the
//! standard definitions.

use std::collections::BTreeMap;

use super::small_company_data::{self, QUARTERS, YEARS};

pub(super) type Lines = BTreeMap<String, f64>;

/// FMP's EBITDA; if it is absent, operating income plus depreciation and amortization.
pub(super) fn ebitda(period: &Lines) -> f64 {
    period
        .get("ebitda")
        .copied()
        .unwrap_or_else(|| period["operatingIncome"] + period["depreciationAndAmortization"])
}

/// A period or twelve months: its flows, and the balances at its end, at the previous period's end,
/// and a year earlier.
pub(super) struct Span {
    pub(super) flows: Lines,
    pub(super) end: Lines,
    pub(super) before: Option<Lines>,
    pub(super) year_before: Option<Lines>,
    pub(super) equity: f64,
    pub(super) days: f64,
}

pub(super) fn quarter(n: usize) -> Lines {
    small_company_data::lines(&QUARTERS[n])
}

/// The twelve months that end with the newest quarter.
pub(super) fn twelve_months() -> Span {
    let quarters: Vec<Lines> = (0..4).map(quarter).collect();
    let mut flows = Lines::new();
    for lines in &quarters {
        for (name, value) in lines {
            *flows.entry(name.clone()).or_default() += value;
        }
    }
    flows.insert("ebitda".into(), quarters.iter().map(ebitda).sum());
    let equity = quarters.iter().map(|q| q["totalStockholdersEquity"]).sum::<f64>() / 4.0;
    Span {
        flows,
        end: quarter(0),
        before: Some(quarter(1)),
        year_before: Some(quarter(4)),
        equity,
        days: 365.0,
    }
}

pub(super) fn newest_year() -> Span {
    let (year, before) = (small_company_data::lines(&YEARS[0]), small_company_data::lines(&YEARS[1]));
    Span {
        equity: year["totalStockholdersEquity"],
        flows: year.clone(),
        end: year,
        before: Some(before.clone()),
        year_before: Some(before),
        days: 365.0,
    }
}

pub(super) fn newest_quarter() -> Span {
    let equity = quarter(0)["totalStockholdersEquity"];
    Span {
        flows: quarter(0),
        end: quarter(0),
        before: Some(quarter(1)),
        year_before: Some(quarter(1)),
        equity,
        days: 90.0,
    }
}

/// The ratios of a period or twelve months, by column name.
pub(super) fn ratios(span: &Span) -> Vec<(&'static str, f64)> {
    let (flow, end) = (|name: &str| span.flows[name], |name: &str| span.end[name]);
    let pair = |name: &str| (end(name) + span.before.as_ref().unwrap()[name]) / 2.0;
    let year = |name: &str| (end(name) + span.year_before.as_ref().unwrap()[name]) / 2.0;
    let capital = |lines: &Lines| {
        lines["totalAssets"] - lines["totalCurrentLiabilities"]
            + lines["shortTermDebt"]
            + lines["capitalLeaseObligationsCurrent"]
    };
    let working = |lines: &Lines| lines["totalCurrentAssets"] - lines["totalCurrentLiabilities"];
    let nopat = flow("operatingIncome") * (1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax"));
    let (revenue, cost, net, shares) =
        (flow("revenue"), flow("costOfRevenue"), flow("netIncome"), end("weightedAverageShsOut"));
    let (equity, assets, current) =
        (end("totalStockholdersEquity"), end("totalAssets"), end("totalCurrentLiabilities"));
    let (ocf, capex, fcf, dividends) = (
        flow("cf.operatingCashFlow"),
        -flow("cf.capitalExpenditure"),
        flow("cf.freeCashFlow"),
        -flow("cf.netDividendsPaid"),
    );
    let (sales_days, stock_days, pay_days) = (
        span.days * end("netReceivables") / revenue,
        span.days * end("inventory") / cost,
        span.days * end("accountPayables") / cost,
    );
    let mut found = vec![
        ("gross_margin", flow("grossProfit") / revenue),
        ("ebitda_margin", ebitda(&span.flows) / revenue),
        ("ebit_margin", flow("ebit") / revenue),
        ("operating_margin", flow("operatingIncome") / revenue),
        ("pretax_margin", flow("incomeBeforeTax") / revenue),
        ("continuous_operations_margin", flow("netIncomeFromContinuingOperations") / revenue),
        ("net_margin", net / revenue),
        ("fcf_margin", fcf / revenue),
        ("ocf_to_sales", ocf / revenue),
        ("capex_to_revenue", capex / revenue),
        ("research_and_development_to_revenue", flow("researchAndDevelopmentExpenses") / revenue),
        (
            "selling_general_and_administrative_to_revenue",
            flow("sellingGeneralAndAdministrativeExpenses") / revenue,
        ),
        ("stock_based_compensation_to_revenue", flow("cf.stockBasedCompensation") / revenue),
        ("roe", net / span.equity),
        ("roa", net / assets),
        ("return_on_tangible_assets", net / (assets - end("goodwillAndIntangibleAssets"))),
        ("roic", nopat / capital(&span.end)),
        ("roce", flow("operatingIncome") / (assets - current)),
        ("operating_return_on_assets", flow("operatingIncome") / pair("totalAssets")),
        ("roe_average", net / year("totalStockholdersEquity")),
        ("roa_average", net / year("totalAssets")),
        (
            "roic_average",
            nopat / ((capital(&span.end) + capital(span.year_before.as_ref().unwrap())) / 2.0),
        ),
        ("asset_turnover", revenue / assets),
        ("fixed_asset_turnover", revenue / end("propertyPlantEquipmentNet")),
        ("receivables_turnover", revenue / end("netReceivables")),
        ("inventory_turnover", cost / end("inventory")),
        ("payables_turnover", cost / end("accountPayables")),
        (
            "working_capital_turnover",
            revenue / ((working(&span.end) + working(span.before.as_ref().unwrap())) / 2.0),
        ),
        ("asset_turnover_average", revenue / year("totalAssets")),
        ("fixed_asset_turnover_average", revenue / year("propertyPlantEquipmentNet")),
        ("receivables_turnover_average", revenue / year("netReceivables")),
        ("inventory_turnover_average", cost / year("inventory")),
        ("payables_turnover_average", cost / year("accountPayables")),
        ("days_sales_outstanding", sales_days),
        ("days_inventory", stock_days),
        ("days_payables", pay_days),
        ("operating_cycle", sales_days + stock_days),
        ("cash_conversion_cycle", sales_days + stock_days - pay_days),
        ("current_ratio", end("totalCurrentAssets") / current),
        ("quick_ratio", (end("totalCurrentAssets") - end("inventory")) / current),
        ("cash_ratio", end("cashAndCashEquivalents") / current),
        ("operating_cash_flow_ratio", ocf / current),
        ("working_capital", working(&span.end)),
        ("net_current_asset_value", end("totalCurrentAssets") - end("totalLiabilities")),
        (
            "graham_net_net",
            (end("cashAndShortTermInvestments") + 0.75 * end("netReceivables") + 0.5 * end("inventory")
                - end("totalLiabilities"))
                / shares,
        ),
        ("average_receivables", pair("netReceivables")),
        ("average_payables", pair("accountPayables")),
        ("average_inventory", pair("inventory")),
        ("debt_to_equity", end("totalDebt") / equity),
        ("debt_to_assets", end("totalDebt") / assets),
        ("debt_to_capital", end("totalDebt") / (end("totalDebt") + equity)),
        ("long_term_debt_to_capital", end("longTermDebt") / (end("longTermDebt") + equity)),
        ("liabilities_to_assets", end("totalLiabilities") / assets),
        ("financial_leverage", assets / equity),
        ("solvency_ratio", (net + flow("depreciationAndAmortization")) / end("totalLiabilities")),
        (
            "net_debt_to_ebitda",
            (end("totalDebt") - end("cashAndCashEquivalents")) / ebitda(&span.flows),
        ),
        ("interest_coverage", flow("operatingIncome") / flow("interestExpense")),
        (
            "debt_service_coverage",
            (ebitda(&span.flows) - flow("incomeTaxExpense"))
                / (flow("interestExpense") + end("shortTermDebt")),
        ),
        ("ocf_to_short_term_debt", ocf / end("shortTermDebt")),
        ("ocf_to_total_debt", ocf / end("totalDebt")),
        ("capex_coverage", ocf / capex),
        ("dividend_and_capex_coverage", ocf / (dividends + capex)),
        ("fcf_to_ocf", fcf / ocf),
        ("capex_to_ocf", capex / ocf),
        ("capex_to_depreciation", capex / flow("depreciationAndAmortization")),
        ("income_quality", ocf / net),
        ("payout_ratio", dividends / net),
        ("total_payout_ratio", (dividends - flow("cf.commonStockRepurchased")) / net),
        ("free_cash_flow_to_equity", fcf + flow("cf.netDebtIssuance")),
        (
            "free_cash_flow_to_firm",
            fcf + flow("interestExpense") * (1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax")),
        ),
        ("effective_tax_rate", flow("incomeTaxExpense") / flow("incomeBeforeTax")),
        ("tax_burden", net / flow("incomeBeforeTax")),
        ("ebt_to_operating_income", flow("incomeBeforeTax") / flow("operatingIncome")),
        ("interest_burden", flow("incomeBeforeTax") / flow("ebit")),
        ("revenue_per_share", revenue / shares),
        ("net_income_per_share", net / shares),
        ("ocf_per_share", ocf / shares),
        ("fcf_per_share", fcf / shares),
        ("capex_per_share", capex / shares),
        ("dividends_per_share", dividends / shares),
        ("cash_per_share", end("cashAndShortTermInvestments") / shares),
        ("book_value_per_share", equity / shares),
        ("tangible_book_value_per_share", (equity - end("goodwillAndIntangibleAssets")) / shares),
        ("interest_debt_per_share", (end("totalDebt") + flow("interestExpense")) / shares),
        ("graham_number", (22.5 * net / shares * equity / shares).sqrt()),
        (
            "invested_capital",
            working(&span.end) + end("propertyPlantEquipmentNet") + end("goodwillAndIntangibleAssets"),
        ),
        (
            "tangible_asset_value",
            assets - end("goodwillAndIntangibleAssets") - end("totalLiabilities"),
        ),
        ("intangibles_to_assets", end("goodwillAndIntangibleAssets") / assets),
    ];
    // The small company does not report the bottom line, so this ratio is optional.
    found.extend(
        span.flows
            .get("bottomLineNetIncome")
            .map(|bottom| ("bottom_line_margin", bottom / revenue)),
    );
    found
}
