//! `screen`: companies whose newest figures meet a condition.

use serde_json::Value;

use super::{at_all_widths, command, home};

/// The rows and the summary of a screen.
fn screen(condition: &str, more: &[&str]) -> (Vec<Value>, String) {
    let output = command(&[&["screen", "--json", condition], more].concat()).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    (output.json().as_array().unwrap().clone(), output.stderr.trim().to_owned())
}

fn symbols(condition: &str, more: &[&str]) -> Vec<String> {
    let (rows, _) = screen(condition, more);
    rows.iter().map(|row| row["symbol"].as_str().unwrap().to_owned()).collect()
}

/// The symbols of a query on the newest market metrics `m` and ratios `r`.
fn expected(only: &str) -> Vec<String> {
    home().lines(&format!(
        "with m as (select * from analytics.fact_market_metrics \
             qualify row_number() over (partition by symbol order by metric_date desc) = 1), \
         r as (select * from analytics.fact_financial_ratios where basis = 'TTM' \
             qualify row_number() over (partition by symbol order by fiscal_date desc) = 1) \
         select m.symbol from m left join r on r.symbol = m.symbol where {only} order by m.symbol"
    ))
}

#[test]
fn a_screen_finds_the_companies_of_the_newest_figures() {
    for (condition, only) in [
        ("pe_ratio_ttm < 30 and roic > 0.05", "m.pe_ratio_ttm < 30 and r.roic > 0.05"),
        (
            "\"P/E\" between 10 and 40 or roe is null",
            "m.pe_ratio_ttm between 10 and 40 or r.roe is null",
        ),
        ("not (net_margin > 0.1)", "not (r.net_margin > 0.1)"),
        (
            "abs(beta_252d - 1) < 0.3 and close_price > 20",
            "abs(m.beta_252d - 1) < 0.3 and m.close_price > 20",
        ),
        ("market.payout_ratio > ratios.payout_ratio", "m.payout_ratio > r.payout_ratio"),
    ] {
        let found = symbols(condition, &["--sort", "symbol", "--include-suspect"]);
        assert_eq!(found, expected(only), "{condition}");
    }
    assert!(!symbols("pe_ratio_ttm > 0", &[]).is_empty());
    assert_eq!(symbols("symbol in ('aapl', 'JPM') and name like '%apple%'", &[]), ["AAPL"]);
    assert_eq!(symbols("sector = 'FINANCIAL services' and symbol <> 'SPY'", &[]), ["JPM"]);
    let revenue = screen("revenue > 100000000000", &["--limit", "1"]).0;
    let stored = "select ttm_revenue from analytics.fact_financials_ttm where symbol = 'AAPL' order by fiscal_date desc limit 1";
    assert_eq!(
        (&revenue[0]["symbol"], revenue[0]["ttm_revenue"].as_f64()),
        (&"AAPL".into(), home().figure(stored))
    );
}

#[test]
fn columns_and_order_can_be_chosen() {
    let (rows, _) = screen("roic > -9", &["--columns", "industry,P/E,revenue_yoy", "--sort", "-net_margin"]);
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["industry", "pe_ratio_ttm", "revenue_yoy", "symbol"]);
    let sorted = |sort: &str| -> Vec<f64> {
        let rows = screen("roic > -9", &["--columns", "net_margin", "--sort", sort]).0;
        rows.iter().filter_map(|row| row["net_margin"].as_f64()).collect()
    };
    let (up, mut down) = (sorted("net_margin"), sorted("-net_margin"));
    assert!(up.len() > 2 && up.is_sorted() && up != down, "{up:?}");
    down.reverse();
    assert_eq!(up, down);
    // NULL is last in both directions.
    for sort in ["roe", "-roe"] {
        assert_ne!(symbols("close_price > 0", &["--sort", sort])[0], "SPY");
    }
    assert_eq!(symbols("close_price > 0", &[])[0], "AAPL", "the largest company is first");
}

#[test]
fn companies_with_null_or_suspect_figures_are_counted() {
    let (rows, summary) = screen("roe > -9", &[]);
    let null = expected("r.roe is null").len();
    let text = format!(
        "{} of 8 companies match; {null} left out because of NULL (roe {null}); 1 left out because of suspect figures \
         (see --include-suspect)",
        rows.len()
    );
    assert_eq!(summary, text);
    assert!(!rows.iter().any(|row| row["symbol"] == "KO"));
    let (all, summary) = screen("roe > -9", &["--include-suspect"]);
    let coke = all.iter().find(|row| row["symbol"] == "KO").unwrap();
    assert_eq!((all.len(), &coke["suspect"]), (rows.len() + 1, &"unbalanced".into()));
    assert!(summary.ends_with("; 1 of them with suspect figures"), "{summary}");
    // Contradictions in statements do not affect figures of prices.
    assert!(symbols("beta_252d > -9", &[]).contains(&"KO".to_owned()));
}

#[test]
fn screens_fit_and_have_the_formats_of_sql() {
    let arguments = ["screen", "close_price > 0", "--columns", "name,P/E,roic,market_cap,industry"];
    let (narrow, wide) = at_all_widths(&arguments);
    assert!(narrow.contains(" tn") && narrow.contains(" %") && narrow.contains("NULL"), "{narrow}");
    assert!(narrow.contains("8 of 8 companies match") && narrow.contains('…'), "{narrow}");
    assert!(
        wide.contains("industry") && wide.contains("too long for one column of any table"),
        "{wide}"
    );
    let csv = command(&["screen", "symbol = 'AAPL'", "--columns", "roic", "--format", "csv"]).run();
    let stored = home().text(
        "select roic from analytics.fact_financial_ratios where symbol = 'AAPL' and basis = 'TTM' \
         order by fiscal_date desc limit 1",
    );
    assert_eq!(csv.stdout, format!("symbol,roic\nAAPL,{stored}\n"));
    assert_eq!(csv.stderr, "1 of 8 companies match\n");
    let path = home().path().join("screen.md");
    let file = command(&["screen", "symbol = 'AAPL'"]).option("-o", &path).run();
    assert!(file.stdout.starts_with("wrote "), "{file:#?}");
    assert!(std::fs::read_to_string(path).unwrap().starts_with("| symbol | company_name |"));
    let limited = command(&["screen", "close_price > 0", "--limit", "2"]).run_on_terminal(80);
    assert!(
        limited.stdout.contains("… 6 more rows") && limited.stdout.contains("2 rows shown"),
        "{limited:#?}"
    );
}

#[test]
fn wrong_conditions_are_explained() {
    let refused = |arguments: &[&str]| command(&[&["screen"], arguments].concat()).run().failed(2).to_owned();
    assert!(refused(&["roicc > 1"]).contains("similar names are roic"));
    assert!(refused(&["P/E < 15"]).contains("needs double quotes: \"p/e\""));
    assert!(refused(&["roic"]).contains("is a number, not a condition"));
    assert!(refused(&["sector = Technology"]).contains("single quotes"));
    assert!(refused(&["roic > (select 1)"]).contains("not allowed"));
    assert!(refused(&["1 = 1); drop table x; --"]).contains("condition"));
    assert!(refused(&["roic > 0", "--columns", "nothing"]).contains("similar names"));
    assert!(refused(&["roic > 0", "--sort", "-nothing"]).contains("similar names"));
    assert!(refused(&["growth.roic > 0"]).contains("growth"));
    assert_eq!(command(&["screen"]).run().code, Some(2));
    let quoted = "sector = 'x'' or 1=1 --'";
    assert!(symbols(quoted, &[]).is_empty(), "text stays text");
}

#[test]
fn a_past_day_is_screened_with_the_figures_known_then() {
    let close = |more: &[&str]| {
        screen("symbol = 'AAPL'", &[&["--columns", "close_price"], more].concat()).0[0].clone()
    };
    let past = home().figure(
        "select close_price from analytics.fact_market_metrics where symbol = 'AAPL' and metric_date <= '2026-06-01' \
         order by metric_date desc limit 1",
    );
    assert_eq!(close(&["--as-of", "2026-06-01"])["close_price"].as_f64(), past);
    assert_ne!(close(&[])["close_price"].as_f64(), past);
}
