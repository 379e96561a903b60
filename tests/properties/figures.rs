//! Invariants of the figures, through whole runs with generated companies. The unit of money, the
//! size of the company, the split basis of its shares and the order of the data change only the
//! figures that depend on them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};

use crate::golden::generated::{
    self, Aggregation, Company, INDEX, Lines, aggregation, date, pseudo_random, today,
};

/// Seed, number of quarters, number of sessions. The first company has every figure, including
/// five-year growth rates and windows of 252 sessions.
type Size = (u64, usize, usize);
const SIZES: [Size; 3] = [(11, 24, 262), (12, 9, 130), (13, 9, 130)];

/// Tables of figures, with the expression that identifies a company's row.
const TABLES: [(&str, &str); 4] = [
    ("fact_financials_ttm", "fiscal_date"),
    ("fact_financial_ratios", "fiscal_date || ' ' || basis"),
    ("fact_growth_rates", "fiscal_date || ' ' || basis"),
    ("fact_market_metrics", "metric_date"),
];

fn company(symbol: &'static str, (seed, quarters, sessions): Size) -> Company {
    Company::new(symbol, seed, quarters, sessions)
}

/// Three companies with equally long histories.
fn companies(quarters: usize, sessions: usize) -> [Company; 3] {
    let size = |seed| (seed, quarters, sessions);
    [company("ONE", size(21)), company("TWO", size(22)), company("THREE", size(23))]
}

fn job(companies: &[Company], url: &str) -> Job {
    let symbols: Vec<&str> = companies.iter().map(|company| company.symbol).collect();
    Job::new(url, &symbols)
        .on(today())
        .with(|o| (o.quarters, o.years, o.prices_from) = (40, 10, Some(date(2025, 1, 1))))
}

fn replay(companies: &[Company]) -> Replay {
    let index = generated::bar_rows(INDEX, &generated::bars(99, 262));
    let empty = Replay::new().answer("historical-price-eod/full", INDEX, "", index);
    companies.iter().fold(empty, |replay, company| company.answer(replay))
}

fn run(companies: &[Company]) -> Home {
    let (server, home) = (replay(companies).start(), Home::new());
    let summary = job(companies, server.url()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    home
}

/// Every figure of a company by column and row; `None` is NULL.
fn figures(home: &Home, symbol: &str) -> BTreeMap<(String, String), Option<f64>> {
    let mut found = BTreeMap::new();
    for (table, row) in TABLES {
        let columns = home.lines(&format!(
            "select column_name from duckdb_columns() where schema_name = 'analytics' and table_name = '{table}' and (data_type = 'DOUBLE' or data_type like 'DECIMAL%')"
        ));
        let query =
            format!("select {row}, {} from analytics.{table} where symbol = '{symbol}'", columns.join(", "));
        for mut cells in home.rows(&query) {
            let place = format!("{table} {}", cells.remove(0).unwrap());
            for (column, cell) in columns.iter().zip(cells) {
                found.insert((column.clone(), place.clone()), cell.map(|text| text.parse().unwrap()));
            }
        }
    }
    assert!(found.len() > 5_000, "{symbol}: {}", found.len());
    found
}

/// Compares every figure of two companies in a home, after multiplying the first company's by a
/// factor per column. Returns the number of figures that are not NULL.
fn compare(home: &Home, one: &str, other: &str, factor: impl Fn(&str) -> f64) -> usize {
    let (one, other) = (figures(home, one), figures(home, other));
    assert!(one.keys().eq(other.keys()), "the companies have different rows");
    let mut wrong = Vec::new();
    for (((column, place), a), b) in one.iter().zip(other.values()) {
        let a = a.map(|a| a * factor(column));
        // A return near zero has only the precision left by the twelve digits of a logarithm.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-11;
        if a.is_some() != b.is_some() || a.zip(*b).is_some_and(|(a, b)| !close(a, b)) {
            wrong.push(format!("{place} {column}: {a:?} and {b:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differences: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    one.values().flatten().count()
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Money,
    Shares,
    PerShare,
    Ratio,
}

fn unit(column: &str) -> Unit {
    let amounts = [
        "working_capital",
        "net_current_asset_value",
        "invested_capital",
        "tangible_asset_value",
        "free_cash_flow_to_equity",
        "free_cash_flow_to_firm",
        "market_cap",
        "enterprise_value",
        "enterprise_value_fmp",
    ];
    let per_share = [
        "graham_number",
        "graham_net_net",
        "close_price",
        "high_52w",
        "low_52w",
        "sma_50",
        "sma_200",
    ];
    if column.contains("shares_outstanding") {
        Unit::Shares
    } else if column.contains("_per_share") || column.starts_with("ttm_eps") || per_share.contains(&column) {
        Unit::PerShare
    } else if amounts.contains(&column)
        || ["ttm_", "latest_", "oldest_", "average_"].iter().any(|prefix| column.starts_with(prefix))
    {
        Unit::Money
    } else {
        Unit::Ratio
    }
}

/// Multiplies each amount by the fraction that `scale` gives for its unit.
fn scaled(lines: &Lines, scale: impl Fn(Unit) -> (i128, i128)) -> Lines {
    let line = |(name, amount): (&&'static str, &i128)| {
        let (times, over) = scale(match *name {
            "eps" | "eps_diluted" => Unit::PerShare,
            "shares_outstanding" | "shares_outstanding_diluted" => Unit::Shares,
            _ => Unit::Money,
        });
        assert_eq!(amount * times % over, 0, "{name}: not exact with six decimal places on the other basis");
        (*name, amount * times / over)
    };
    lines.iter().map(line).collect()
}

/// A copy of a company under another symbol, with all amounts scaled like [`scaled`].
fn company_scaled(
    symbol: &'static str,
    company: &Company,
    scale: impl Fn(Unit) -> (i128, i128) + Copy,
) -> Company {
    let mut other = Company { symbol, ..company.clone() };
    for period in other.quarters.iter_mut().chain(&mut other.years) {
        period.lines = scaled(&period.lines, scale);
    }
    let (times, over) = scale(Unit::PerShare);
    let per_share = |amount: &mut i128| *amount = *amount * times / over;
    for bar in &mut other.bars {
        [&mut bar.high, &mut bar.low, &mut bar.close].into_iter().for_each(per_share);
    }
    for dividend in &mut other.dividends {
        [&mut dividend.declared, &mut dividend.adjusted].into_iter().for_each(per_share);
    }
    let (times, over) = scale(Unit::Money);
    other.market_cap = other.market_cap * times / over;
    other
}

#[test]
fn ratios_do_not_depend_on_the_unit_of_money_or_the_size_of_the_company() {
    // In thousandths of the currency, amounts and prices change, and share counts stay. For a
    // company of seven times the size, amounts and share counts change, and prices stay.
    let thousandths = |unit| match unit {
        Unit::Money | Unit::PerShare => (1_000, 1),
        Unit::Shares | Unit::Ratio => (1, 1),
    };
    let larger = |unit| match unit {
        Unit::Money | Unit::Shares => (7, 1),
        Unit::PerShare | Unit::Ratio => (1, 1),
    };
    let mut all = Vec::new();
    for (symbols, size) in
        [["ONE", "ONE-UNIT", "ONE-SIZE"], ["TWO", "TWO-UNIT", "TWO-SIZE"]].into_iter().zip(SIZES)
    {
        let one = company(symbols[0], size);
        all.extend([
            company_scaled(symbols[1], &one, thousandths),
            company_scaled(symbols[2], &one, larger),
            one,
        ]);
    }
    let home = run(&all);
    for (symbol, other, scale) in [
        ("ONE", "ONE-UNIT", &thousandths as &dyn Fn(Unit) -> (i128, i128)),
        ("ONE", "ONE-SIZE", &larger),
        ("TWO", "TWO-UNIT", &thousandths),
        ("TWO", "TWO-SIZE", &larger),
    ] {
        let compared = compare(&home, symbol, other, |column| scale(unit(column)).0 as f64);
        assert!(compared > 4_000, "{compared}");
    }
}

/// The split basis of the share data in filings before a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SplitReporting {
    /// Each filing uses the basis of its own day.
    AsFiled,
    /// All filings use the newest basis, because FMP has restated them.
    Restated,
}

/// A copy of a company with a split. All of its data is on the newest basis, like FMP's prices,
/// except what was filed or declared before the split.
fn split(
    symbol: &'static str,
    newest: &Company,
    on: NaiveDate,
    (new, old): (u32, u32),
    reporting: SplitReporting,
) -> Company {
    let mut company = Company { symbol, splits: vec![(on, new, old)], ..newest.clone() };
    let (new, old) = (i128::from(new), i128::from(old));
    let back = |unit| match unit {
        Unit::Shares => (old, new),
        Unit::PerShare => (new, old),
        Unit::Money | Unit::Ratio => (1, 1),
    };
    if reporting == SplitReporting::AsFiled {
        for period in company.quarters.iter_mut().chain(&mut company.years).filter(|p| p.accepted < on) {
            period.lines = scaled(&period.lines, back);
        }
    }
    for dividend in company.dividends.iter_mut().filter(|d| d.ex < on) {
        dividend.declared = dividend.declared * new / old;
    }
    company
}

#[test]
fn a_split_changes_no_figure_however_the_history_is_reported() {
    // The split is between the acceptance dates of two quarters, with sessions before and after.
    let on = date(2026, 3, 16);
    let cases = [
        (["FOUR", "FOUR-FILED", "FOUR-AGAIN"], (4, 1)),
        (["TENTH", "TENTH-FILED", "TENTH-AGAIN"], (1, 10)),
        (["HALF", "HALF-FILED", "HALF-AGAIN"], (3, 2)),
    ];
    let mut all = Vec::new();
    for ((symbols, (new, old)), size) in cases.into_iter().zip(SIZES) {
        // Scales the company so that its share counts and prices stay exact on both split bases.
        let even = |unit| match unit {
            Unit::Shares => (i128::from(new), 1),
            Unit::PerShare => (i128::from(old), 1),
            Unit::Money => (i128::from(new) * i128::from(old), 1),
            Unit::Ratio => (1, 1),
        };
        let newest = company_scaled(symbols[0], &company("ANY", size), even);
        let filed = split(symbols[1], &newest, on, (new, old), SplitReporting::AsFiled);
        let restated = split(symbols[2], &newest, on, (new, old), SplitReporting::Restated);
        assert!(
            filed.quarters.iter().any(|p| p.accepted < on) && filed.quarters.iter().any(|p| p.accepted > on)
        );
        all.extend([newest, filed, restated]);
    }
    let home = run(&all);
    for ([newest, filed, restated], _) in cases {
        for reporting in [filed, restated] {
            let compared = compare(&home, newest, reporting, |_| 1.0);
            assert!(compared > 4_000, "{compared}");
        }
    }
}

#[test]
fn twelve_months_up_to_a_fiscal_year_end_equal_the_year() {
    let companies = companies(24, 5);
    let flows: Vec<&str> = companies[0].quarters[0]
        .lines
        .keys()
        .copied()
        .filter(|c| aggregation(c) == Aggregation::Sum)
        .collect();
    let home = run(&companies);
    let mut compared = 0;
    for flow in flows {
        let twelve = if flow == "eps_diluted" {
            "ttm_eps_diluted_sum".to_owned()
        } else {
            format!("ttm_{flow}")
        };
        let pairs = home.rows(&format!(
            "select t.{twelve}::decimal(38, 6), f.{flow} from analytics.fact_financials_ttm as t \
             join analytics.fact_financials as f on f.symbol = t.symbol and f.fiscal_date = t.fiscal_date and f.period_type = 'FY' \
             where t.status = 'ok'"
        ));
        // Each company has five pairs: the first of its six years lacks quarters.
        assert_eq!(pairs.len(), 15, "{flow}");
        for pair in &pairs {
            assert!(pair[0].is_some() && pair[0] == pair[1], "{flow}: {pair:?}");
        }
        compared += pairs.len();
    }
    assert!(compared > 900, "{compared}");
}

/// Shuffles a list, the same way for the same seed.
fn shuffle<T>(list: &mut [T], seed: u64) {
    for n in (1..list.len()).rev() {
        list.swap(n, (pseudo_random(seed, n as u64) * (n + 1) as f64) as usize);
    }
}

#[test]
fn the_order_of_rows_and_symbols_and_the_split_into_runs_change_nothing() {
    let companies = companies(9, 130);
    let home = run(&companies);
    let mut other = companies.to_vec();
    for (n, company) in other.iter_mut().enumerate() {
        let seed = n as u64 * 10;
        shuffle(&mut company.quarters, seed);
        shuffle(&mut company.years, seed + 1);
        shuffle(&mut company.bars, seed + 2);
        shuffle(&mut company.dividends, seed + 3);
    }
    other.rotate_left(1);
    let differences = home.differences(&run(&other));
    assert!(differences.is_empty(), "{differences:?}");
    // Two runs give the same tables as one: first the last company alone, then the others.
    let (server, apart) = (replay(&companies).start(), Home::new());
    for part in [&companies[2..], &companies[..2]] {
        let summary = job(part, server.url()).run_ok(&apart);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    }
    let differences = home.differences(&apart);
    assert!(differences.is_empty(), "{differences:?}");
}
