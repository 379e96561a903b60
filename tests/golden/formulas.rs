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
    /// The flows and balances of the same period a year earlier.
    pub(super) year_ago: Option<(Lines, Lines)>,
    /// The balances two years earlier.
    pub(super) two_years_ago: Option<Lines>,
}

/// The expected value of a figure that is NULL.
pub(super) const NULL: f64 = f64::NAN;

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
        // The twelve months of a year ago lack quarters, but their balances are known.
        year_ago: Some((Lines::new(), quarter(4))),
        two_years_ago: None,
    }
}

pub(super) fn newest_year() -> Span {
    let (year, before) = (small_company_data::lines(&YEARS[0]), small_company_data::lines(&YEARS[1]));
    Span {
        equity: year["totalStockholdersEquity"],
        flows: year.clone(),
        end: year,
        before: Some(before.clone()),
        year_ago: Some((before.clone(), before.clone())),
        two_years_ago: None,
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
        year_ago: Some((quarter(4), quarter(4))),
        two_years_ago: None,
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
        ("income_quality", ocf / flow("cf.netIncome")),
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
    found.extend(scores(span));
    found.extend(annualised(span));
    found
}

/// The ratios of quality and the scores, from the papers' definitions. A figure that needs a line
/// or period that the company does not have is [`NULL`].
fn scores(span: &Span) -> Vec<(&'static str, f64)> {
    let empty = (Lines::new(), Lines::new());
    let (flows_before, end_before) = span.year_ago.as_ref().unwrap_or(&empty);
    let line = |lines: &Lines, name: &str| lines.get(name).copied().unwrap_or(NULL);
    let (flow, end) = (|name: &str| line(&span.flows, name), |name: &str| line(&span.end, name));
    let (flow0, end0) = (|name: &str| line(flows_before, name), |name: &str| line(end_before, name));
    let assets = [
        end("totalAssets"),
        end0("totalAssets"),
        span.two_years_ago.as_ref().map_or(NULL, |lines| line(lines, "totalAssets")),
    ];
    let of_year = |value: f64| if span.days == 365.0 { value } else { NULL };
    let rise = |name: &str| end(name) - end0(name);
    let (revenue, revenue0) = (flow("revenue"), flow0("revenue"));
    let (net, ocf) = (flow("netIncome"), flow("cf.operatingCashFlow"));
    let nopat = flow("operatingIncome") * (1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax"));
    let (capex, depreciation, working) = (
        -flow("cf.capitalExpenditure"),
        flow("depreciationAndAmortization"),
        flow("cf.changeInWorkingCapital"),
    );
    let sloan = (rise("totalCurrentAssets") - rise("cashAndShortTermInvestments"))
        - (rise("totalCurrentLiabilities") - rise("shortTermDebt") - rise("taxPayables"))
        - depreciation;
    let shares = end("weightedAverageShsOut");
    let sign = |better: f64| if better.is_nan() { NULL } else { f64::from(u8::from(better > 0.0)) };
    let signs = [
        ("piotroski_income", sign(net)),
        ("piotroski_cash_flow", sign(ocf)),
        ("piotroski_return", sign(net / assets[1] - flow0("netIncome") / assets[2])),
        ("piotroski_accruals", sign(ocf - net)),
        (
            "piotroski_leverage",
            sign(
                end0("longTermDebt") / ((assets[1] + assets[2]) / 2.0)
                    - end("longTermDebt") / ((assets[0] + assets[1]) / 2.0),
            ),
        ),
        (
            "piotroski_liquidity",
            sign(
                end("totalCurrentAssets") / end("totalCurrentLiabilities")
                    - end0("totalCurrentAssets") / end0("totalCurrentLiabilities"),
            ),
        ),
        ("piotroski_shares", 1.0 - sign(shares - end0("weightedAverageShsOut"))),
        ("piotroski_margin", sign(flow("grossProfit") / revenue - flow0("grossProfit") / revenue0)),
        ("piotroski_turnover", sign(revenue / assets[1] - revenue0 / assets[2])),
    ];
    let share_of = |a: f64, b: f64, a0: f64, b0: f64| (a / b) / (a0 / b0);
    let soft = |lines: &Lines| {
        1.0 - (line(lines, "totalCurrentAssets") + line(lines, "propertyPlantEquipmentNet"))
            / line(lines, "totalAssets")
    };
    let rate = |flows: &Lines, end: &Lines| {
        let depreciation = line(flows, "depreciationAndAmortization");
        depreciation / (depreciation + line(end, "propertyPlantEquipmentNet"))
    };
    let debt = |lines: &Lines| {
        (line(lines, "totalCurrentLiabilities") + line(lines, "longTermDebt")) / line(lines, "totalAssets")
    };
    let overhead = "sellingGeneralAndAdministrativeExpenses";
    let beneish = [
        (0.92, share_of(end("netReceivables"), revenue, end0("netReceivables"), revenue0)),
        (0.528, share_of(flow0("grossProfit"), revenue0, flow("grossProfit"), revenue)),
        (0.404, soft(&span.end) / soft(end_before)),
        (0.892, revenue / revenue0),
        (0.115, rate(flows_before, end_before) / rate(&span.flows, &span.end)),
        (-0.172, share_of(flow(overhead), revenue, flow0(overhead), revenue0)),
        (4.679, (flow("netIncomeFromContinuingOperations") - ocf) / assets[0]),
        (-0.327, debt(&span.end) / debt(end_before)),
    ];
    let altman = 6.56 * (end("totalCurrentAssets") - end("totalCurrentLiabilities")) / assets[0]
        + 3.26 * end("retainedEarnings") / assets[0]
        + 6.72 * flow("ebit") / assets[0]
        + 1.05 * end("totalStockholdersEquity") / end("totalLiabilities");
    let year_average = (assets[0] + line(span.year_before.as_ref().unwrap(), "totalAssets")) / 2.0;
    let mut found = vec![
        ("gross_profitability", flow("grossProfit") / assets[0]),
        ("sloan_accruals", of_year(sloan / ((assets[0] + assets[1]) / 2.0))),
        ("cash_flow_accruals", (net - ocf) / year_average),
        ("net_share_issuance", shares.ln() - end0("weightedAverageShsOut").ln()),
        (
            "fcf_after_stock_compensation",
            flow("cf.freeCashFlow") - flow("cf.stockBasedCompensation"),
        ),
        ("rule_of_40", (revenue - revenue0) / revenue0 + flow("cf.freeCashFlow") / revenue),
        ("reinvestment_rate", (capex - depreciation - working) / nopat),
        ("operating_ratio", flow("costOfRevenue") / revenue + flow("operatingExpenses") / revenue),
        ("owner_earnings", net + depreciation - capex + working),
        ("piotroski_f_score", of_year(signs.iter().map(|(_, sign)| sign).sum())),
        ("altman_z_double_prime", of_year(altman)),
        (
            "beneish_m_score",
            of_year(beneish.iter().map(|(weight, index)| weight * index).sum::<f64>() - 4.84),
        ),
    ];
    found.extend(signs.map(|(name, sign)| (name, of_year(sign))));
    found
}

/// The ratios whose flow is multiplied by the number of periods in a year.
fn annualised(span: &Span) -> Vec<(&'static str, f64)> {
    let times = if span.days == 90.0 { 4.0 } else { 1.0 };
    let (flow, end) = (|name: &str| times * span.flows[name], |name: &str| span.end[name]);
    let tax = 1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax");
    let capital = end("totalAssets") - end("totalCurrentLiabilities");
    vec![
        ("roe_annualised", flow("netIncome") / span.equity),
        ("roa_annualised", flow("netIncome") / end("totalAssets")),
        (
            "roic_annualised",
            flow("operatingIncome") * tax
                / (capital + end("shortTermDebt") + end("capitalLeaseObligationsCurrent")),
        ),
        ("roce_annualised", flow("operatingIncome") / capital),
        ("asset_turnover_annualised", flow("revenue") / end("totalAssets")),
        ("receivables_turnover_annualised", flow("revenue") / end("netReceivables")),
        ("inventory_turnover_annualised", flow("costOfRevenue") / end("inventory")),
        (
            "net_debt_to_ebitda_annualised",
            (end("totalDebt") - end("cashAndCashEquivalents")) / (times * ebitda(&span.flows)),
        ),
        ("gross_profitability_annualised", flow("grossProfit") / end("totalAssets")),
    ]
}
