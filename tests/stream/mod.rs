//! `findata stream`, from lines on standard input to bars. The bars are compared with those that
//! `ticks.rs` computes.

mod feeds;
mod killed;
pub(crate) mod ticks;

use findata_tests::{Command, Home, Job, Simulator, findata, today};

use ticks::{Rng, Tick, bars, input, ticks};

pub(crate) const SYMBOLS: [&str; 3] = ["AAPL", "KO", "MSFT"];

/// A home that knows [`SYMBOLS`].
fn home() -> Home {
    let (server, home) = (Simulator::with_symbols(3), Home::new());
    Job::new(server.url(), &SYMBOLS).days(5).run_ok(&home);
    home
}

fn stream(home: &Home, options: &[&str]) -> Command {
    let command = findata(&["stream", "--json"]).home(home);
    options.iter().fold(command, |command, option| command.arg(option))
}

/// The bars of a home, in the format of [`bars`].
fn stored_bars(home: &Home) -> Vec<String> {
    home.lines(
        "select symbol, bar_start, open_price, high_price, low_price, close_price, volume, round(vwap, 9)::decimal(18, 9), \
         tick_count from analytics.fact_intraday_prices order by all",
    )
}

/// Records that must be quarantined, with the beginnings of their reasons.
pub(crate) fn bad_records() -> Vec<(String, &'static str)> {
    let record = |symbol: &str, price: &str, time: &str| {
        format!(
            r#"{{"id": "bad", "symbol": "{symbol}", "price": {price}, "size": 1, "exchange_time": "{time}"}}"#
        )
    };
    let now = format!("{}T14:00:00Z", today());
    vec![
        (record("NOBODY", "1", &now), "unknown_symbol"),
        (record("AAPL", "-1", &now), "price_not_positive"),
        (record("AAPL", "NaN", &now), "not_json"),
        (record("AAPL", "1", "2030-01-01T00:00:00Z"), "future_time"),
        (record(&"X".repeat(1 << 20), "1", &now), "record_too_large"),
        ("hello \0".to_owned(), "not_json"),
        ("[1, 2]".to_owned(), "not_a_tick"),
    ]
}

#[test]
fn bars_equal_an_independent_calculation_whatever_the_order_of_the_ticks() {
    let ordered = home();
    let all = ticks(6_000, &SYMBOLS);
    let expected = bars(&all);
    assert!(
        expected.len() > 300 && expected.iter().any(|bar| bar.contains("|NULL|")),
        "{}",
        expected.len()
    );
    let summary = stream(&ordered, &[]).run_with_input(&input(&all)).json();
    assert_eq!((summary["ticks"].as_u64(), summary["lines"].as_u64()), (Some(6_000), Some(6_000)));
    assert_eq!(summary["loaded"]["ticks"], 6_000, "{summary}");
    assert_eq!(stored_bars(&ordered), expected);

    // Every tick twice, shuffled within five minutes, with bad records, in several sessions whose files
    // have other numbers of lines.
    let shuffled = home();
    let mut rng = Rng(7);
    let twice: Vec<Tick> = all.iter().chain(&all).cloned().collect();
    let mut lines: Vec<(i64, String)> = twice
        .iter()
        .map(|tick| (tick.time + rng.below(300_000_000) as i64, tick.json()))
        .collect();
    lines.sort();
    let bad = bad_records();
    for (i, (record, _)) in bad.iter().enumerate() {
        lines.insert(i * 1_500, (0, record.clone()));
    }
    let mut quarantined = 0;
    for (part, records) in lines.chunks(4_100).zip(["1", "40", "1000", "25000"]) {
        let text: String = part.iter().map(|(_, line)| format!("{line}\r\n\n")).collect();
        let summary = stream(&shuffled, &["--flush-records", records]).run_with_input(&text).json();
        assert_eq!(summary["lines"], 2 * part.len());
        quarantined += summary["loaded"]["quarantined"].as_u64().unwrap();
    }
    assert_eq!(stored_bars(&shuffled), expected);
    assert_eq!(shuffled.count("select count(*) from raw.price_ticks"), 6_000);
    assert_eq!(quarantined, bad.len() as u64);
    let mut reasons: Vec<&str> = bad.iter().map(|(_, reason)| *reason).collect();
    reasons.sort_unstable();
    let codes =
        "select split_part(reason, ':', 1) from ops.quarantine where dataset = 'price_ticks' order by all";
    assert_eq!(shuffled.lines(codes), reasons);

    // A late tick corrects its bar.
    let late = Tick { id: 999_999, price: 1, size: Some(7), ..all[0].clone() };
    stream(&shuffled, &[]).run_with_input(&input(std::slice::from_ref(&late))).json();
    let corrected = bars(&[all.clone(), vec![late]].concat());
    assert_ne!(corrected, expected);
    assert_eq!(stored_bars(&shuffled), corrected);

    assert_live_metrics(&shuffled);

    // A damaged file is skipped and loaded once it is restored.
    let server = Simulator::with_symbols(3);
    let other = Tick { id: 1_000_000, size: Some(9), ..all[5].clone() };
    let kept = shuffled.keys("landing/price_ticks/");
    stream(&shuffled, &[]).run_with_input(&input(std::slice::from_ref(&other))).json();
    let key = shuffled.keys("landing/price_ticks/").into_iter().find(|key| !kept.contains(key)).unwrap();
    let (path, fresh) = (shuffled.stage().join(&key), Home::copy_of(&ordered));
    let target = fresh.stage().join(&key);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::write(&target, "damaged").unwrap();
    let summary = stream(&fresh, &[]).run_with_input("").json();
    assert!(summary["loaded"]["damaged"][&key].is_string(), "{summary}");
    assert_eq!(stored_bars(&fresh), expected);
    std::fs::copy(path, target).unwrap();
    stream(&fresh, &[]).run_with_input("").json();
    let with_other = bars(&[all, vec![other]].concat());
    assert_eq!(stored_bars(&fresh), with_other);

    // An upgrade creates the table of bars again; the next load computes all of them. Daily runs leave
    // them alone.
    let outdated = "update ops.models set sha256 = 'other' where file = 'tables/fact_intraday_prices.sql'";
    duckdb::Connection::open(fresh.warehouse()).unwrap().execute_batch(outdated).unwrap();
    let done = Job::new(server.url(), &SYMBOLS).days(5).run_ok(&fresh);
    assert!(done.failures.is_empty(), "{:?}", done.failures);
    assert!(stored_bars(&fresh).is_empty());
    stream(&fresh, &[]).run_with_input("").json();
    assert_eq!(stored_bars(&fresh), with_other);
    Job::new(server.url(), &SYMBOLS).days(5).run_ok(&fresh);
    assert_eq!(stored_bars(&fresh), with_other);
}

/// Asserts that the view has the figures of the fundamentals at the last price.
fn assert_live_metrics(home: &Home) {
    let wrong = "select l.symbol from analytics.v_market_metrics_live l \
         join analytics.fact_market_metrics m on m.company_key = l.company_key and m.metric_date = l.metric_date \
         join analytics.fact_financials_ttm t on t.company_key = l.company_key and t.fiscal_date = l.fundamentals_as_of \
         where abs(l.market_cap - l.last_price::double * m.shares_outstanding_used) > 1e-9 * l.market_cap \
         or abs(l.enterprise_value - (m.enterprise_value - m.market_cap + l.market_cap)) > 1e-9 * l.market_cap \
         or abs(l.ev_to_ebitda * t.ttm_ebitda - l.enterprise_value) > 1e-6 * l.market_cap \
         or abs(l.fcf_yield * l.market_cap - t.ttm_free_cash_flow) > 1e-6 * l.market_cap \
         or abs(l.pe_ratio_ttm / m.pe_ratio_ttm - l.last_price::double / m.close_price::double) > 1e-9 \
         or l.last_price <> (select max_by(close_price, bar_start) from analytics.fact_intraday_prices b where b.symbol = l.symbol) \
         or l.day_volume <> (select sum(size) from raw.price_ticks r where r.symbol = l.symbol) \
         or l.price_change is null or l.pe_ratio_ttm is null or l.day_vwap not between l.day_low and l.day_high";
    assert_eq!(home.lines(wrong), Vec::<String>::new());
    assert_eq!(home.count("select count(*) from v_market_metrics_live"), SYMBOLS.len() as i64);

    // The last price takes the enterprise value below zero.
    let copy = Home::copy_of(home);
    let fall = "update analytics.fact_market_metrics_history set enterprise_value = -market_cap";
    duckdb::Connection::open(copy.warehouse()).unwrap().execute_batch(fall).unwrap();
    let multiples = "select count(*) from v_market_metrics_live where enterprise_value >= 0 \
         or coalesce(ev_to_ebitda, ev_to_ebit, ev_to_revenue_ttm) is not null";
    assert_eq!(copy.count(multiples), 0);
}
