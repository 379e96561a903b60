//! `show`: one screen per company.

use serde_json::Value;

use super::{at_all_widths, command, home};

fn shown(symbol: &str) -> Value {
    command(&["show", symbol, "--json"]).run().json()[0].clone()
}

fn figure<'a>(company: &'a Value, name: &str) -> &'a Value {
    let groups = company["groups"].as_array().unwrap().iter();
    let figures: Vec<&Value> = groups.flat_map(|group| group["figures"].as_array().unwrap()).collect();
    figures
        .into_iter()
        .find(|figure| figure["name"] == name)
        .unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn a_company_fits_one_screen() {
    for symbol in ["SPY", "HOSTL", "KO"] {
        let (narrow, wide) = at_all_widths(&["show", symbol]);
        assert!(narrow.lines().count() <= 44, "{} lines\n{narrow}", narrow.lines().count());
        assert!(wide.lines().count() <= narrow.lines().count(), "{wide}");
        assert!(
            narrow.starts_with(symbol) && narrow.contains("newest session 2026-09-18 (today)"),
            "{narrow}"
        );
        assert!(narrow.contains("low ") && narrow.contains('█') && narrow.contains('▁'), "{narrow}");
    }
    let (narrow, _) = at_all_widths(&["show", "AAPL"]);
    for part in ["Apple Inc.", "VALUATION", "P/E  ", "GROWTH", "Altman Z", "Piotroski F", "filed 2026-"] {
        assert!(narrow.replace('\n', " ").contains(part), "{part} is missing in\n{narrow}");
    }
    let (fund, _) = at_all_widths(&["show", "SPY"]);
    assert!(fund.contains("no statements") && !fund.contains("GROWTH"), "{fund}");
}

#[test]
fn figures_equal_the_tables_and_nulls_have_reasons() {
    let apple = shown("AAPL");
    for (name, table, order) in [
        ("pe_ratio_ttm", "fact_market_metrics", "metric_date"),
        ("roic", "fact_financial_ratios where basis = 'TTM'", "fiscal_date"),
        ("piotroski_f_score", "fact_financial_ratios where basis = 'TTM'", "fiscal_date"),
        ("revenue_yoy", "fact_growth_rates where basis = 'TTM'", "fiscal_date"),
        ("ttm_revenue", "fact_financials_ttm", "fiscal_date"),
    ] {
        let only = if table.contains("where") { "and" } else { "where" };
        let stored = home().figure(&format!(
            "select {name} from analytics.{table} {only} symbol = 'AAPL' order by {order} desc limit 1"
        ));
        assert_eq!(figure(&apple, name)["value"].as_f64(), stored, "{name}");
    }
    let closes = apple["price"]["closes"].as_array().unwrap();
    assert_eq!(closes.len(), 252);
    let high = home().figure(
        "select max(close_price) from (select close_price from analytics.fact_daily_prices \
         where symbol = 'AAPL' order by price_date desc limit 252) p",
    );
    assert_eq!(apple["price"]["high"]["close"].as_f64(), high);
    let negative = shown("NEGEQ");
    assert_eq!(figure(&negative, "roe")["reason"], "negative_equity");
    assert!(figure(&negative, "roe")["value"].is_null());
    let text = command(&["show", "NEGEQ"]).variable("COLUMNS", "80").run().stdout;
    assert!(text.contains("- negative equity"), "{text}");
    assert_eq!(figure(&shown("SPY"), "pe_ratio_ttm")["reason"], "no_statements");
    let mut compared = 0;
    for symbol in ["NEGEQ", "JPM", "IPOED", "AAPL"] {
        let company = shown(symbol);
        let stored = home().lines(&format!(
            "select metric || ' ' || reason from analytics.metric_nulls where symbol = '{symbol}' and (basis, subject_date) in \
             (select ('TTM', max(fiscal_date)) from analytics.fact_financial_ratios where symbol = '{symbol}' and basis = 'TTM' \
              union all select ('MARKET', max(metric_date)) from analytics.fact_market_metrics where symbol = '{symbol}')"
        ));
        for group in company["groups"].as_array().unwrap() {
            for figure in
                group["figures"].as_array().unwrap().iter().filter(|figure| figure["value"].is_null())
            {
                let (name, reason) = (figure["name"].as_str().unwrap(), figure["reason"].as_str().unwrap());
                assert!(stored.contains(&format!("{name} {reason}")), "{symbol} {name} {reason}: {stored:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn suspect_figures_are_marked_and_explained() {
    let company = shown("KO");
    assert_eq!(figure(&company, "pe_ratio_ttm")["suspect"][0], "unbalanced");
    assert!(figure(&company, "beta_252d")["suspect"].as_array().unwrap().is_empty());
    assert_eq!(company["suspicions"][0]["code"], "unbalanced");
    let (text, _) = at_all_widths(&["show", "KO"]);
    // The first column has 38 characters.
    let marked = |title: &str| {
        text.lines()
            .any(|line| line.starts_with(title) && line.chars().take(38).any(|c| c == '!'))
    };
    assert!(marked("P/E  ") && !marked("Beta"), "{text}");
    assert!(text.contains("\n! unbalanced: "), "{text}");
    assert!(shown("AAPL")["suspicions"].as_array().unwrap().is_empty());
}

#[test]
fn several_companies_follow_each_other_and_unknown_ones_get_suggestions() {
    let (text, _) = at_all_widths(&["show", "aapl,KO", "JPM"]);
    let titles: Vec<usize> = ["AAPL  ", "\nKO  ", "\nJPM  "].iter().map(|t| text.find(t).unwrap()).collect();
    assert!(titles.is_sorted(), "{text}");
    let unknown = |symbol: &str| command(&["show", symbol]).run();
    let line = unknown("APPL");
    assert!(line.failed(2).contains("similar symbols are AAPL (Apple Inc.)"), "{line:#?}");
    assert!(unknown("apple").failed(2).contains("AAPL (Apple Inc.)"));
    assert!(!unknown("QQQQQQ").failed(2).contains("similar"));
    assert!(!command(&["show", "HOSTX"]).run().failed(2).contains('\u{1b}'));
    assert_eq!(command(&["show"]).run().code, Some(2));
    assert_eq!(command(&["show", "A/B"]).run().code, Some(2));
    let explained = command(&["explain", "APPL", "roe"]).run();
    assert!(explained.failed(2).contains("AAPL (Apple Inc.)"), "{explained:#?}");
}

#[test]
fn a_past_day_shows_the_figures_known_then() {
    let now = shown("AAPL");
    let past = command(&["show", "AAPL", "--as-of", "2026-06-01", "--json"]).run().json()[0].clone();
    assert_eq!(past["freshness"]["today"], "2026-06-01");
    assert!(past["freshness"]["session"].as_str() <= Some("2026-06-01"), "{}", past["freshness"]);
    assert!(past["freshness"]["session"] != now["freshness"]["session"]);
}
