//! Apple's twelve months to 28 June 2025 through a whole run, compared with FMP's `ratios-ttm` and
//! `key-metrics-ttm` of 15 August 2025.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::OnceLock,
};

use chrono::NaiveDate;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay, shared_folder};
use serde_json::{Value, json};

use super::{
    close,
    counterparts::{EXCEPTIONS, FMPS_ALONE, MARKET, RATIOS},
};

/// The day of the recorded price. Apple filed the quarter on 1 August.
const DAY: &str = "2025-08-15";
const PERIOD: &str = "2025-06-28";

struct Golden {
    home: Home,
    set: Value,
    ratios: BTreeMap<String, f64>,
    market: BTreeMap<String, f64>,
}

/// The home after the run, created once; `None` if the recorded data is not available.
fn golden() -> Option<&'static Golden> {
    static GOLDEN: OnceLock<Option<Golden>> = OnceLock::new();
    GOLDEN.get_or_init(run).as_ref()
}

fn run() -> Option<Golden> {
    let folder = shared_folder("fmp/golden/AAPL_ttm_2025-06-28.json")?;
    let set: Value = serde_json::from_str(&fs::read_to_string(folder).unwrap()).unwrap();
    let price = &set["implied_price_for_ttm"];
    // The fourth quarter's balance sheet is recorded as that of the fiscal year, which ends on the
    // same day.
    let mut balances = set["balance_quarters"].clone();
    for balance in balances.as_array_mut().unwrap() {
        if balance["period"] == "FY" {
            balance["period"] = "Q4".into();
        }
    }
    let profile = json!([{"symbol": "AAPL", "price": price, "marketCap": set["marketCap_ttm"], "companyName": "Apple Inc.",
        "currency": "USD", "sector": "Technology", "industry": "Consumer Electronics", "exchange": "NASDAQ", "country": "US"}]);
    let bar = json!([{"symbol": "AAPL", "date": DAY, "open": price, "high": price, "low": price, "close": price, "volume": 56038657}]);
    let dividend = |day: &str, amount: f64| json!({"symbol": "AAPL", "date": day, "adjDividend": amount, "dividend": amount});
    let dividends = json!([
        dividend("2025-08-11", 0.26),
        dividend("2025-05-12", 0.26),
        dividend("2025-02-10", 0.25),
        dividend("2024-11-08", 0.25),
        // This dividend is more than a year older than `DAY`, so it does not count.
        dividend("2024-08-12", 0.25),
    ]);
    let server = Replay::new()
        .answer("profile", "AAPL", "", profile.to_string())
        .answer("historical-price-eod/full", "AAPL", "", bar.to_string())
        .answer("dividends", "AAPL", "", dividends.to_string())
        .answer("income-statement", "AAPL", "quarter", set["income_quarters"].to_string())
        .answer("balance-sheet-statement", "AAPL", "quarter", balances.to_string())
        .answer("cash-flow-statement", "AAPL", "quarter", set["cash_flow_quarters"].to_string())
        .answer("ratios-ttm", "AAPL", "", json!([set["fmp_ratios_ttm"]]).to_string())
        .answer("key-metrics-ttm", "AAPL", "", json!([set["fmp_key_metrics_ttm"]]).to_string())
        .start();
    let home = Home::new();
    let summary = Job::new(server.url(), &["AAPL"])
        .on(DAY.parse().unwrap())
        .with(|o| (o.prices_from, o.reconcile) = (NaiveDate::from_ymd_opt(2025, 8, 1), true))
        .run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert_eq!(summary.rows["income_statement"].loaded, 4);
    let listed = |table: &str, pairs: &[(&'static str, &[&str])]| -> Vec<&'static str> {
        let exceptions = EXCEPTIONS.iter().filter(|e| e.0 == table).map(|e| e.1);
        pairs.iter().map(|(column, _)| *column).chain(exceptions).collect()
    };
    let ratios = format!(
        "from analytics.fact_financial_ratios where symbol = 'AAPL' and basis = 'TTM' and fiscal_date = '{PERIOD}'"
    );
    let market =
        format!("from analytics.fact_market_metrics where symbol = 'AAPL' and metric_date = '{DAY}'");
    let (ratios, market) = (
        home.figures(&listed("ratios", RATIOS), &ratios),
        home.figures(&listed("market", MARKET), &market),
    );
    Some(Golden { home, set, ratios, market })
}

impl Golden {
    /// Our value of a figure.
    fn ours(&self, table: &str, column: &str) -> Option<f64> {
        if table == "ratios" { &self.ratios } else { &self.market }.get(column).copied()
    }

    /// The fields of both FMP responses. A field that is in both must have the same value.
    fn fmps(&self) -> BTreeMap<String, Value> {
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for answer in ["fmp_ratios_ttm", "fmp_key_metrics_ttm"] {
            for (field, value) in self.set[answer].as_object().unwrap() {
                let before = all.insert(field.clone(), value.clone());
                assert!(before.is_none_or(|b| b == *value), "{field} has two values");
            }
        }
        all
    }

    /// The sum of a statement line over the four quarters.
    fn sum(&self, statement: &str, line: &str) -> f64 {
        self.set[statement]
            .as_array()
            .unwrap()
            .iter()
            .map(|quarter| quarter[line].as_f64().unwrap())
            .sum()
    }

    /// The value of a figure that is listed in [`EXCEPTIONS`], computed from the quarters. `None`
    /// if our figure is NULL.
    fn expected(&self, column: &str) -> Option<f64> {
        let (income, cash) = (
            |line: &str| self.sum("income_quarters", line),
            |line: &str| self.sum("cash_flow_quarters", line),
        );
        let balance = |line: &str| self.set["balance_quarters"][0][line].as_f64().unwrap();
        let (ebitda, price) = (income("ebitda"), self.set["implied_price_for_ttm"].as_f64().unwrap());
        let net_debt = balance("totalDebt") - balance("cashAndCashEquivalents");
        let value = match column {
            "ebitda_margin" => ebitda / income("revenue"),
            "ebit_margin" => income("ebit") / income("revenue"),
            "interest_burden" => income("incomeBeforeTax") / income("ebit"),
            "net_debt_to_ebitda" => net_debt / ebitda,
            "debt_service_coverage" => {
                (ebitda - income("incomeTaxExpense")) / (income("interestExpense") + balance("shortTermDebt"))
            }
            "ev_to_ebitda_fmp" => (self.set["marketCap_ttm"].as_f64().unwrap() + net_debt) / ebitda,
            "solvency_ratio" => {
                (income("netIncome") + income("depreciationAndAmortization")) / balance("totalLiabilities")
            }
            "selling_general_and_administrative_to_revenue" => {
                income("sellingGeneralAndAdministrativeExpenses") / income("revenue")
            }
            "free_cash_flow_to_equity" => cash("freeCashFlow") + cash("netDebtIssuance"),
            "free_cash_flow_to_firm" => cash("freeCashFlow"),
            "pe_ratio_ttm" => price / income("epsDiluted"),
            "dividend_yield" => 1.02 / price,
            "interest_coverage" | "peg_ratio" => return None,
            other => panic!("no expected value for {other}"),
        };
        Some(value)
    }
}

#[test]
fn revenue_and_net_income_of_twelve_months_are_exact() {
    let Some(golden) = golden() else { return };
    let line = golden.home.text(
        "select ttm_revenue || ' ' || ttm_net_income || ' ' || quarters_included || ' ' || oldest_quarter_date || ' ' || status \
         from analytics.fact_financials_ttm where fiscal_date = '2025-06-28'",
    );
    assert_eq!(line, "408625000000.0 99280000000.0 4 2024-09-28 ok");
}

#[test]
fn every_line_of_fmps_twelve_months_equals_our_sum() {
    let Some(golden) = golden() else { return };
    let mut pairs: Vec<(String, &str, f64)> = Vec::new();
    for (answer, dataset) in [
        ("fmp_income_ttm", "income_statement"),
        ("fmp_cash_flow_ttm", "cash_flow"),
        ("fmp_balance_ttm", "balance_sheet"),
    ] {
        for column in findata_domain::catalog::dataset(dataset).unwrap().columns {
            let Some(fmps) = golden.set[answer][column.field].as_f64() else {
                continue;
            };
            let prefix = if dataset == "balance_sheet" { "latest_" } else { "ttm_" };
            let name = match column.name {
                // A twelve-month row has the newest quarter's share counts, like balances.
                name if name.starts_with("shares_outstanding") => format!("latest_{name}"),
                "cash_at_end_of_period" => "latest_cash_at_end_of_period".into(),
                "cash_at_beginning_of_period" => "oldest_cash_at_beginning_of_period".into(),
                "eps_diluted" => "ttm_eps_diluted_sum".into(),
                name => format!("{prefix}{name}"),
            };
            pairs.push((name, column.field, fmps));
        }
    }
    let columns: Vec<&str> = pairs.iter().map(|(name, ..)| name.as_str()).collect();
    let ours = golden
        .home
        .figures(&columns, &format!("from analytics.fact_financials_ttm where fiscal_date = '{PERIOD}'"));
    for (name, field, fmps) in &pairs {
        assert!(
            ours.get(name).is_some_and(|ours| close(*ours, *fmps)),
            "{name}: ours {:?}, FMP's {field} {fmps}",
            ours.get(name)
        );
    }
    let compared = pairs.len();
    assert!(compared > 120, "{compared}");
}

#[test]
fn figures_with_a_counterpart_equal_fmps_within_one_millionth() {
    let Some(golden) = golden() else { return };
    let fmps = golden.fmps();
    let mut wrong = Vec::new();
    for (table, pairs) in [("ratios", RATIOS), ("market", MARKET)] {
        for (column, fields) in pairs {
            let ours = golden.ours(table, column);
            for field in *fields {
                let theirs = fmps.get(*field).and_then(Value::as_f64);
                if !matches!((ours, theirs), (Some(a), Some(b)) if close(a, b)) {
                    wrong.push(format!("{table}.{column}: ours {ours:?}, FMP's {field} {theirs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Figures that FMP's responses do not have, with the values that a Python script computed from the
/// recorded quarters: the definitions of the papers, applied to sums of the four quarters.
const OWN: [(&str, &[(&str, f64)]); 2] = [
    (
        "fact_financial_ratios",
        &[
            ("gross_profitability", 0.5753902773797493),
            ("fcf_after_stock_compensation", 83646000000.0),
            ("reinvestment_rate", -0.05720417464837249),
            ("operating_ratio", 0.6813361884368309),
            ("owner_earnings", 104989000000.0),
            ("altman_z_double_prime", 2.3580517436253676),
        ],
    ),
    (
        "fact_market_metrics",
        &[
            ("altman_z_score", 10.149299963388646),
            ("ebit_to_ev", 0.03738328804538975),
            ("fcf_to_ev", 0.027613575939282778),
            ("buyback_yield", 0.02783389922985791),
            ("shareholder_yield", 0.03223823447749382),
        ],
    ),
];

#[test]
fn figures_without_a_counterpart_equal_those_computed_from_the_quarters() {
    let Some(golden) = golden() else { return };
    for (table, expected) in OWN {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let place = match table {
            "fact_market_metrics" => format!("metric_date = '{DAY}'"),
            _ => format!("basis = 'TTM' and fiscal_date = '{PERIOD}'"),
        };
        let ours = golden
            .home
            .figures(&names, &format!("from analytics.{table} where symbol = 'AAPL' and {place}"));
        for (name, wanted) in expected {
            let ours = ours.get(*name);
            assert!(ours.is_some_and(|ours| close(*ours, *wanted)), "{name}: {ours:?} instead of {wanted}");
        }
    }
}

#[test]
fn exceptions_really_differ_and_have_the_value_their_reason_implies() {
    let Some(golden) = golden() else { return };
    let fmps = golden.fmps();
    let mut wrong = Vec::new();
    for (table, column, fields, reason) in EXCEPTIONS {
        let (ours, expected) = (golden.ours(table, column), golden.expected(column));
        if ours.is_some() != expected.is_some() || ours.zip(expected).is_some_and(|(a, b)| !close(a, b)) {
            wrong.push(format!("{table}.{column} is {ours:?} and should be {expected:?}: {reason}"));
        }
        for field in *fields {
            let theirs = fmps.get(*field).and_then(Value::as_f64).unwrap_or_else(|| panic!("{field}"));
            if ours.is_some_and(|ours| close(ours, theirs)) {
                wrong.push(format!(
                    "{table}.{column} equals FMP's {field}: {ours:?}; remove the exception ({reason})"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let reasons = |metric: &str| {
        golden.home.lines(&format!("select reason from analytics.metric_nulls where metric = '{metric}' and basis in ('TTM', 'MARKET') and subject_date in ('{PERIOD}', '{DAY}')"))
    };
    assert_eq!(
        (reasons("interest_coverage"), reasons("peg_ratio")),
        (vec!["not_reported".to_owned()], vec!["insufficient_history".to_owned()])
    );
    // Rounded to FMP's precision, our dividend yield equals FMP's.
    let rounded = golden.ours("market", "dividend_yield").map(|y| (y * 1e8).round() / 1e8);
    assert_eq!(rounded, fmps["dividendYieldTTM"].as_f64());
}

#[test]
fn every_figure_of_ours_and_of_fmp_is_listed() {
    let Some(golden) = golden() else { return };
    let mut listed: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut theirs: BTreeSet<&str> = FMPS_ALONE.iter().map(|(field, _)| *field).collect();
    for (table, pairs) in [("ratios", RATIOS), ("market", MARKET)] {
        for (column, fields) in pairs {
            assert!(listed.insert((table, column)), "{table}.{column} is listed twice");
            theirs.extend(*fields);
        }
    }
    for (table, column, fields, _) in EXCEPTIONS {
        assert!(listed.insert((table, column)), "{table}.{column} is listed twice");
        theirs.extend(*fields);
    }
    // A figure without `fmp` in the registry has no counterpart.
    let registry = &findata_tests::models().registry;
    let ratios = registry
        .ratios
        .iter()
        .filter(|ratio| ratio.fmp.is_some())
        .map(|ratio| ("ratios", ratio.name.as_str()));
    let market = registry
        .market
        .iter()
        .filter(|metric| metric.fmp.is_some())
        .map(|metric| ("market", metric.name.as_str()));
    let compared: BTreeSet<(&str, &str)> = ratios.chain(market).collect();
    let unlisted: Vec<_> = compared.difference(&listed).collect();
    assert!(unlisted.is_empty(), "figures with `fmp` that are missing from the lists: {unlisted:?}");
    let fmps = golden.fmps();
    let fields: BTreeSet<&str> = fmps.keys().map(String::as_str).collect();
    let unmapped: Vec<_> = fields.difference(&theirs).collect();
    let unknown: Vec<_> = theirs.difference(&fields).collect();
    assert!(unmapped.is_empty(), "FMP fields missing from the lists: {unmapped:?}");
    assert!(unknown.is_empty(), "listed fields that FMP does not have: {unknown:?}");
}

#[test]
fn the_reconciliation_passes_equal_figures_and_flags_the_exceptions() {
    let Some(golden) = golden() else { return };
    let checks = |status: &str| -> BTreeSet<String> {
        let query = format!(
            "select check_name from ops.quality where status = '{status}' and check_name like 'fmp_%'"
        );
        golden.home.lines(&query).into_iter().map(|check| check.replacen("fmp_", "", 1)).collect()
    };
    let (passed, flagged) = (checks("pass"), checks("flag"));
    // Every figure with an equal FMP field passes its check.
    for (column, _) in RATIOS.iter().chain(MARKET) {
        assert!(
            passed.contains(*column),
            "{column}: {:?}",
            golden.home.lines(&format!("select * from ops.quality where check_name = 'fmp_{column}'"))
        );
    }
    // Only listed exceptions are flagged, and no statement violates an accounting identity.
    let exceptions: BTreeSet<&str> = EXCEPTIONS.iter().map(|e| e.1).collect();
    let unexpected: Vec<_> = flagged.iter().filter(|check| !exceptions.contains(check.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert!(
        flagged.contains("ebitda_margin") && flagged.contains("free_cash_flow_to_equity"),
        "{flagged:?}"
    );
    let broken = "select * from ops.quality where status = 'flag' and check_name not like 'fmp_%'";
    assert_eq!(golden.home.lines(broken), Vec::<String>::new());
}
