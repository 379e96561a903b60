//! Securities that change their symbol or filer, and symbols that change their security.

mod engines;
mod filers;
mod list;
mod renames;
mod spellings;

use std::sync::OnceLock;

use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay};
use serde_json::{Value, json};

use super::company::{BALANCE, CASH, Company, INCOME, PRICE, TODAY, day};

const YESTERDAY: &str = "2026-09-16";
/// FMP's list on the second day: date, old and new symbol.
const LIST: [(&str, &str, &str); 6] = [
    ("2026-09-17", "OLD", "NEW"),
    ("2026-09-17", "LEFT", "JOINED"),
    ("2026-09-15", "SOLO", "MERGED"),
    ("2026-09-17", "REUSED", "MOVED"),
    ("2020-01-02", "PEER", "ELSE"),
    ("2026-09-30", "HOLDS", "LATER"),
];

/// The answer of `symbol-change`.
fn changes(rows: &[(&str, &str, &str)]) -> String {
    let row = |(date, old, new): &(&str, &str, &str)| json!({"date": date, "companyName": "A company", "oldSymbol": old, "newSymbol": new});
    Value::Array(rows.iter().map(row).collect()).to_string()
}

fn server(companies: impl IntoIterator<Item = Company>, list: &[(&str, &str, &str)]) -> Replay {
    let replay = companies.into_iter().fold(Replay::new(), |replay, company| company.answer(replay));
    replay.answer("symbol-change", "", "", changes(list))
}

fn calls_of(calls: &[String], endpoint: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(&format!("/stable/{endpoint}?"))).count()
}

fn priced(mut company: Company, price: f64) -> Company {
    company.closes = vec![("2024-06-03", price)];
    let shares = company.profile["marketCap"].as_f64().unwrap() / company.profile["price"].as_f64().unwrap();
    company.profile["marketCap"] = (price * shares).into();
    company.profile["price"] = price.into();
    company
}

/// Three runs: on the first day, on the second day after several changes, and again on that day.
struct Days {
    home: Home,
    first: Summary,
    second: Summary,
    third: Summary,
    /// The calls of the second and the third run.
    calls: Vec<String>,
    /// Rows of `fact_financials_history` of the company OLD on the first day.
    old_versions: i64,
}

fn days() -> &'static Days {
    static DAYS: OnceLock<Days> = OnceLock::new();
    DAYS.get_or_init(|| {
        let home = Home::new();
        let run = |url: &str, on: &str, symbols: &[&str]| {
            let summary = Job::new(url, symbols).on(day(on)).run_ok(&home);
            assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
            summary
        };
        let newest = ("2026-04-01", "2026-12-31");
        let grows = [INCOME, BALANCE, CASH]
            .iter()
            .fold(Company::new("GROWS").cik("11"), |company, endpoint| company.without(endpoint, newest));
        let of_eleven = |symbol| Company::new(symbol).cik("0000000011");
        let first = ["OLD", "LEFT", "SOLO", "MERGED", "PEER", "M&M.NS", "BRK-B"]
            .map(Company::new)
            .into_iter()
            .chain([grows, Company::new("REUSED").cik("1")])
            .chain(["HOLDS", "JUMPS", "FALLS", "TAKEN"].map(of_eleven));
        let server_of_first = server(first, &[]).start();
        let symbols = [
            "OLD", "LEFT", "SOLO", "MERGED", "PEER", "M&M.NS", "BRK.B", "GROWS", "REUSED", "HOLDS", "JUMPS",
            "FALLS", "TAKEN",
        ];
        let first = run(server_of_first.url(), YESTERDAY, &symbols);
        let old_versions =
            home.count("select count(*) from analytics.fact_financials_history where symbol = 'OLD'");

        let of_another = |symbol| Company::new(symbol).cik("0000000033");
        let earlier = ("2000-01-01", "2026-03-31");
        let grows = [INCOME, BALANCE, CASH]
            .iter()
            .fold(of_another("GROWS"), |company, endpoint| company.set(endpoint, "", earlier, "cik", "11"));
        let second = ["NEW", "JOINED", "MERGED", "PEER", "M&M.NS", "BRK-B"]
            .map(Company::new)
            .into_iter()
            .chain([Company::new("MOVED").cik("1"), Company::new("REUSED").cik("2").scaled(3)])
            .chain([priced(grows, 1.4 * PRICE), of_another("HOLDS"), of_another("JUMPS").scaled(2)])
            .chain([priced(of_another("FALLS").scaled(2), 20.0)])
            .chain([priced(of_another("TAKEN").scaled(3), 9.0 * PRICE)]);
        let server_of_second = server(second, &LIST).start();
        let symbols = [
            "OLD", "JOINED", "SOLO", "MERGED", "PEER", "M&M.NS", "BRK.B", "GROWS", "REUSED", "MOVED",
            "HOLDS", "JUMPS", "FALLS", "TAKEN",
        ];
        let second = run(server_of_second.url(), TODAY, &symbols);
        let third = run(server_of_second.url(), TODAY, &symbols);
        Days {
            home,
            first,
            second,
            third,
            calls: server_of_second.calls(),
            old_versions,
        }
    })
}

impl Days {
    fn md5(&self, text: &str) -> String {
        self.home.text(&format!("select md5('{text}')"))
    }

    /// The keys of all figures of a symbol.
    fn keys(&self, symbol: &str) -> Vec<String> {
        let tables = [
            "fact_financials_history",
            "fact_financials_ttm_history",
            "fact_financial_ratios_history",
            "fact_growth_rates_history",
            "fact_market_metrics_history",
            "fact_daily_prices",
        ];
        let keys = tables
            .map(|table| format!("select company_key from analytics.{table} where symbol = '{symbol}'"));
        self.home
            .lines(&format!("select distinct company_key from ({})", keys.join(" union all ")))
    }

    fn text(&self, column: &str, table: &str, symbol: &str) -> Vec<String> {
        self.home.lines(&format!(
            "select distinct {column} from analytics.{table} where symbol = '{symbol}' and {column} is not null"
        ))
    }
}
