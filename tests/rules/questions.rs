//! The queries of `infra/models/QUESTIONS.md`: each returns what follows from the companies' invented figures.

use std::{collections::BTreeMap, fs, sync::OnceLock};

use chrono::{Datelike, NaiveDate};
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};
use serde_json::json;

use super::company::{Company, INCOME, day, dividend};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");
/// The day of the first load. On the next one, AAPL has restated a quarter.
const FIRST: &str = "2026-09-17";
const SECOND: &str = "2026-09-18";
/// The companies' last closes. Earnings per share are 6 in twelve months, EBIT is 160 million, there are 20 million
/// shares, and debt less cash is 70 million.
const CLOSES: [(&str, f64); 6] =
    [("AAPL", 30.0), ("BB", 60.0), ("CC", 75.0), ("DD", 90.0), ("EE", 120.0), ("FF", 150.0)];
/// The close of AAPL before this day.
const OLD_CLOSE: f64 = 20.0;
const RISE: &str = "2026-03-02";
/// The regular dividends of AAPL.
const DIVIDENDS: [(&str, f64); 11] = [
    ("2024-02-15", 0.1),
    ("2024-05-15", 0.1),
    ("2024-08-15", 0.1),
    ("2024-11-15", 0.1),
    ("2025-02-14", 0.2),
    ("2025-05-15", 0.2),
    ("2025-08-15", 0.2),
    ("2025-11-14", 0.2),
    ("2026-02-13", 0.3),
    ("2026-05-15", 0.3),
    ("2026-08-14", 0.3),
];

fn companies() -> Vec<Company> {
    let mut all: Vec<Company> = CLOSES
        .iter()
        .map(|(symbol, close)| {
            let mut company = Company::new(symbol);
            (company.profile["price"], company.profile["marketCap"]) =
                ((*close).into(), (close * 20e6).into());
            company.closes = vec![("2024-06-03", *close)];
            company
        })
        .collect();
    let paid = |payments: &[(&str, f64)]| {
        payments.iter().map(|(on, amount)| dividend(on, *amount, "Quarterly")).collect()
    };
    let mut of_apple: Vec<_> = paid(&DIVIDENDS);
    of_apple.insert(6, dividend("2025-06-16", 2.0, "Special"));
    let apple = all.remove(0).paying(of_apple);
    all.insert(0, apple);
    all[0].closes = vec![("2024-06-03", OLD_CLOSE), (RISE, 30.0)];
    let flat: Vec<(&str, f64)> = DIVIDENDS.iter().map(|(on, _)| (*on, 0.5)).collect();
    let falling: Vec<(&str, f64)> = DIVIDENDS.iter().map(|(on, amount)| (*on, 0.6 - amount)).collect();
    let dd = all.remove(3).paying(paid(&flat));
    all.insert(3, dd);
    let ee = all.remove(4).paying(paid(&falling));
    all.insert(4, ee);
    // FMP's margin of AAPL equals ours, 80 of 200; that of BB does not.
    for (company, margin) in [(0, 0.4), (1, 0.5)] {
        let symbol = all[company].symbol;
        all[company].ratios_ttm = vec![json!({"symbol": symbol, "grossProfitMarginTTM": margin})];
    }
    // Its return on capital is low.
    let mut low = Company::new("LOW");
    for label in ["Q", "FY"] {
        let quarters = if label == "Q" { 1 } else { 4 };
        low = low.set(INCOME, label, EVER, "operatingIncome", 10_000_000 * quarters).set(
            INCOME,
            label,
            EVER,
            "ebit",
            10_000_000 * quarters,
        );
    }
    all.push(low);
    // Its EPS contradicts net income.
    all.push(Company::new("SUSPECT").set(INCOME, "Q2", EVER, "eps", 9.0).set(
        INCOME,
        "Q2",
        EVER,
        "epsDiluted",
        9.0,
    ));
    all
}

/// The companies after AAPL has restated its quarter of March: its EBIT and operating income were twice as high.
fn restated() -> Vec<Company> {
    let mut all = companies();
    let quarter = ("2026-03-31", "2026-03-31");
    let apple = all.remove(0).set(INCOME, "Q1", quarter, "operatingIncome", 80_000_000);
    all.insert(0, apple.set(INCOME, "Q1", quarter, "ebit", 80_000_000));
    all
}

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = Home::new();
        for (on, companies) in [(FIRST, companies()), (SECOND, restated())] {
            let symbols: Vec<&str> = companies.iter().map(|company| company.symbol).collect();
            let answer = |replay, company: Company| company.answer_until(on, replay);
            let server = companies.into_iter().fold(Replay::new(), answer).start();
            let job = Job::new(server.url(), &symbols).on(day(on)).with(|o| {
                (o.quarters, o.years, o.prices_from) = (14, 3, Some(day("2025-06-02")));
                (o.full, o.index, o.reconcile) = (true, None, true);
            });
            let summary = job.run_ok(&home);
            assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
        }
        home
    })
}

/// The query of a numbered section of the page.
fn query(number: usize) -> String {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/models/QUESTIONS.md")).unwrap();
    let section = page
        .split(&format!("\n## {number}. "))
        .nth(1)
        .unwrap_or_else(|| panic!("no section {number}"));
    let (_, after) = section.split_once("```sql\n").unwrap();
    let query = after.split_once("```").unwrap().0.trim().to_owned();
    assert!(query.lines().count() <= 9, "{query}");
    query
}

/// The result of a query of the page, restricted by an outer query.
fn answer(number: usize, outer: &str) -> Vec<String> {
    home().lines(&outer.replace("question", &format!("({})", query(number))))
}

fn ev_to_ebit(close: f64, ebit: f64) -> f64 {
    (close * 20e6 + 70e6) / ebit
}

/// The days of all sessions at the end of a month, and the newest session.
fn month_ends() -> Vec<NaiveDate> {
    let mut last = BTreeMap::new();
    for date in day("2025-06-02").iter_days().take_while(|date| *date <= day(SECOND)) {
        if findata_domain::nyse_calendar::is_trading_day(date) {
            last.insert((date.year(), date.month()), date);
        }
    }
    last.into_values().collect()
}

fn close_of_apple(date: NaiveDate) -> f64 {
    if date < day(RISE) { OLD_CLOSE } else { 30.0 }
}

#[test]
fn the_page_has_eight_questions() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/models/QUESTIONS.md")).unwrap();
    assert_eq!(page.matches("\n## ").count(), 8);
    assert_eq!(page.matches("```sql").count(), 8);
}

#[test]
fn cheap_companies_with_a_high_return_on_capital_are_ordered_by_ev_to_ebit() {
    // The restatement is known now: EBIT of AAPL is 200 million.
    let wanted: Vec<String> = CLOSES
        .iter()
        .map(|(symbol, close)| {
            let ebit = if *symbol == "AAPL" { 200e6 } else { 160e6 };
            format!("{symbol}|{:.9}|{SECOND}", ev_to_ebit(*close, ebit))
        })
        .collect();
    let columns = "symbol, printf('%.9f', ev_to_ebit), price_date";
    assert_eq!(answer(1, &format!("select {columns} from question order by ev_to_ebit")), wanted);
    let left_out = "select symbol from analytics.latest where symbol in ('LOW', 'SUSPECT') and (roic < 0.15 or is_suspect)";
    assert_eq!(home().lines(&format!("{left_out} order by all")), ["LOW", "SUSPECT"]);
}

#[test]
fn the_margin_of_a_year_ago_is_compared() {
    let newest = answer(
        2,
        "select fiscal_date, gross_margin, round(operating_margin, 9), net_margin, round(change_in_a_year, 9) \
         from question order by fiscal_date desc limit 3",
    );
    // 200 million of 800 since the restated quarter, 160 before.
    let wanted = [
        "2026-06-30|0.4|0.25|0.15|0.05",
        "2026-03-31|0.4|0.25|0.15|0.05",
        "2025-12-31|0.4|0.2|0.15|0.0",
    ];
    assert_eq!(newest, wanted);
}

#[test]
fn a_backtest_sees_what_was_known_and_earns_the_next_month() {
    let rows = answer(
        3,
        "select metric_date, printf('%.9f', ev_to_ebit), printf('%.5f', next_month_return) from question \
         where symbol = 'AAPL' order by metric_date",
    );
    let ends = month_ends();
    let wanted: Vec<String> = ends
        .windows(2)
        .map(|pair| {
            let [from, to] = [pair[0], pair[1]].map(close_of_apple);
            let payments = DIVIDENDS.iter().chain(&[("2025-06-16", 2.0)]);
            let paid = payments.filter(|(on, _)| pair[0] < day(on) && day(on) <= pair[1]);
            let factor: f64 = paid
                .map(|(on, amount)| 1.0 - amount / close_of_apple(day(on).pred_opt().unwrap()))
                .product();
            let (ratio, ends_with) = (to / from / factor - 1.0, pair[0]);
            // No session before the second load knows the restatement.
            format!("{ends_with}|{:.9}|{ratio:.5}", ev_to_ebit(from, 160e6))
        })
        .collect();
    assert_eq!(rows, wanted);
    assert!(rows.len() == 15 && rows.iter().any(|row| row.ends_with("|0.50000")), "{rows:?}");
    assert!(answer(3, "select * from question where symbol = 'SUSPECT'").is_empty());
}

#[test]
fn a_dividend_grower_raises_every_year() {
    let rows = answer(4, "select symbol, raises, round(lowest, 9), round(highest, 9) from question");
    assert_eq!(rows, ["AAPL|2|0.5|1.0"], "the special dividend, flat and falling dividends are no raises");
    let payments = home().lines(
        "select dividend_type, frequency, dividend, adjusted_dividend, round(payment_yield, 9), payments \
         from analytics.fact_dividends where symbol = 'AAPL' and ex_date between '2025-06-16' and '2025-08-15' \
         order by ex_date",
    );
    let wanted = ["special|NULL|2.000000|2.0|0.1|1", "regular|quarterly|0.200000|0.2|0.01|1"];
    assert_eq!(payments, wanted);
}

#[test]
fn a_restatement_shows_both_values() {
    let rows = answer(
        5,
        "select symbol, fiscal_date, period_type, item, old_value, new_value, observed_at::date, change from question",
    );
    let row = |item: &str| format!("AAPL|2026-03-31|Q1|{item}|40000000.000000|80000000.000000|{SECOND}|1.0");
    assert_eq!(rows, [row("ebit"), row("operating_income")]);
}

#[test]
fn a_pe_is_compared_with_the_median_of_the_months_before() {
    let rows = answer(
        6,
        "select month_start, close_price::double, eps_diluted_ttm, printf('%.9f', pe_ratio_ttm), \
         printf('%.9f', pe_median_5y), printf('%.6f', premium) from question order by month_start",
    );
    let mut before = Vec::new();
    let wanted: Vec<String> = month_ends()
        .iter()
        .map(|end| {
            let close = close_of_apple(*end);
            before.push(close / 6.0);
            before.sort_by(f64::total_cmp);
            let middle = before.len() / 2;
            let median = if before.len() % 2 == 1 {
                before[middle]
            } else {
                (before[middle - 1] + before[middle]) / 2.0
            };
            let first = end.with_day(1).unwrap();
            format!("{first}|{close:?}|6.0|{:.9}|{median:.9}|{:.6}", close / 6.0, close / 6.0 / median - 1.0)
        })
        .collect();
    assert_eq!(rows, wanted);
    let extremes = "select round(pe_min_5y, 9), round(pe_max_5y, 9), pe_months_5y from analytics.monthly_pe \
                    where symbol = 'AAPL' order by month_start desc limit 1";
    assert_eq!(home().lines(extremes), ["3.333333333|5.0|16"]);
}

#[test]
fn a_company_is_compared_with_the_median_of_its_sector() {
    // The P/E of LOW is 10. That of SUSPECT does not count.
    let mut values: Vec<f64> = CLOSES.iter().map(|(_, close)| close / 6.0).chain([10.0]).collect();
    values.sort_by(f64::total_cmp);
    let median = values[3];
    let rows = answer(
        7,
        "select printf('%.9f', pe_ratio_ttm), median_value, printf('%.9f', premium) from question order by premium",
    );
    let wanted: Vec<String> =
        values.iter().map(|pe| format!("{pe:.9}|{median:?}|{:.9}", pe / median - 1.0)).collect();
    assert_eq!(rows, wanted);
    let members = "select members from analytics.sector_medians where metric = 'pe_ratio_ttm' and group_type = 'sector'";
    assert_eq!(home().lines(members), ["7"]);
}

#[test]
fn differences_from_fmp_are_counted() {
    let rows = answer(
        8,
        "select equal_figures, other_figures, not_checked, largest_difference from question \
         where check_name = 'fmp_gross_margin'",
    );
    // FMP's figures of AAPL are older than its restated statement.
    assert_eq!(rows, ["0|1|1|0.19999999999999996"]);
}

#[test]
fn the_newest_figures_have_one_row_per_company_and_say_how_fresh_they_are() {
    let columns = "symbol, price_date, fiscal_date, known_on, basis, is_stale, quality_flags > 0";
    let rows = home().lines(&format!("select {columns} from analytics.latest order by symbol"));
    assert_eq!(rows.len(), CLOSES.len() + 2);
    assert_eq!(rows[0], format!("AAPL|{SECOND}|2026-06-30|2026-08-04|TTM|false|false"));
    // Every figure equals that of its own table.
    for (table, date, latest_date, only) in [
        ("fact_market_metrics", "metric_date", "price_date", "true"),
        ("fact_financial_ratios", "fiscal_date", "fiscal_date", "t.basis = 'TTM'"),
        ("fact_growth_rates", "fiscal_date", "fiscal_date", "t.basis = 'TTM'"),
        ("fact_financials_ttm", "fiscal_date", "fiscal_date", "true"),
    ] {
        let shared: Vec<String> = home().lines(&format!(
            "select l.column_name from duckdb_columns() as l join duckdb_columns() as t using (column_name) \
             where l.table_name = 'latest' and t.table_name = '{table}' and l.data_type in ('DOUBLE', 'DECIMAL(38,6)') \
             and (t.table_name <> 'fact_financial_ratios' or t.column_name <> 'payout_ratio')"
        ));
        assert!(shared.len() > 40, "{table}: {}", shared.len());
        let differ: Vec<String> =
            shared.iter().map(|column| format!("l.{column} is distinct from t.{column}")).collect();
        let query = format!(
            "select count(*) from analytics.latest as l left join analytics.{table} as t \
             on t.symbol = l.symbol and t.{date} = l.{latest_date} and {only} where t.symbol is null or {}",
            differ.join(" or ")
        );
        assert_eq!(home().count(&query), 0, "{table}");
    }
    let reasons = "select suspect_reason from analytics.latest where symbol = 'SUSPECT'";
    assert_eq!(home().lines(reasons), ["eps_disputed"]);
    // The day before, the restatement was not known.
    let known = "select printf('%.9f', ev_to_ebit) from analytics.latest where symbol = 'AAPL'";
    assert_eq!(home().lines_as_of(day(FIRST), known), [format!("{:.9}", ev_to_ebit(30.0, 160e6))]);
}
