//! Symbols that FMP renames.

use findata_tests::findata;

use super::{calls_of, days};

#[test]
fn a_renamed_symbol_is_loaded_under_its_new_name_and_keeps_its_history() {
    let days = days();
    let note = "OLD became NEW on 2026-09-17 and is loaded as NEW: use the new symbol";
    assert!(days.second.notes.iter().any(|n| n == note), "{:?}", days.second.notes);
    assert_eq!((days.keys("OLD"), days.keys("NEW")), (vec![], vec![days.md5("OLD")]));
    // FMP sends the same statements under the new symbol: neither new versions nor restatements.
    let of_new = "from analytics.fact_financials_history where symbol = 'NEW'";
    assert_eq!(days.home.count(&format!("select count(*) {of_new}")), days.old_versions);
    assert_eq!(days.home.count(&format!("select count(*) {of_new} and known_from > '2026-09-15'")), 0);
    assert_eq!(days.home.count("select count(*) from ops.restatements where symbol in ('OLD', 'NEW')"), 0);
    assert_eq!(days.home.count("select count(*) from staging.income_statement where symbol = 'OLD'"), 0);
    let dimension = days.home.lines(
        "select symbol, is_current, valid_from, valid_to from analytics.dim_company \
         where company_key = md5('OLD') order by valid_from",
    );
    assert_eq!(dimension, ["OLD|false|2026-09-16|2026-09-18", "NEW|true|2026-09-18|NULL"]);
    let explained = |symbol| findata(&["explain", symbol, "net_margin"]).home(&days.home).run();
    assert_eq!(explained("NEW").code, Some(0));
    assert!(
        explained("OLD").failed(2).contains("OLD has another symbol now"),
        "{:?}",
        explained("OLD")
    );
}

#[test]
fn a_universe_that_has_the_new_symbol_continues_the_history_of_the_old_one() {
    let days = days();
    assert_eq!((days.keys("LEFT"), days.keys("JOINED")), (vec![], vec![days.md5("LEFT")]));
    let note = "LEFT became JOINED on 2026-09-17: its history continues as JOINED";
    assert!(days.second.notes.iter().any(|n| n == note), "{:?}", days.second.notes);
}

#[test]
fn a_new_symbol_that_was_loaded_on_its_own_is_merged_with_the_old_one() {
    let days = days();
    assert_eq!((days.keys("SOLO"), days.keys("MERGED")), (vec![], vec![days.md5("SOLO")]));
    let query = "select count(*) from analytics.dim_company where company_key = md5('MERGED')";
    assert_eq!(days.home.count(query), 0);
}

#[test]
fn an_old_symbol_that_another_company_uses_is_another_security() {
    let days = days();
    let note = "another company uses REUSED now: its history continues as MOVED";
    assert!(days.second.notes.iter().any(|n| n.ends_with(note)), "{:?}", days.second.notes);
    assert_eq!(days.keys("MOVED"), [days.md5("REUSED")]);
    assert_eq!(days.keys("REUSED"), [days.md5("REUSED@2026-09-17")]);
    let revenue = |symbol| days.text("ttm_revenue::bigint", "fact_financials_ttm", symbol);
    assert_eq!(
        (revenue("MOVED"), revenue("REUSED")),
        (vec!["800000000".into()], vec!["2400000000".into()])
    );
}

#[test]
fn the_list_is_read_once_a_day_and_other_symbols_keep_their_keys() {
    let days = days();
    assert_eq!(calls_of(&days.calls, "symbol-change"), 1);
    assert_eq!(
        days.calls.len() as u64,
        days.second.calls + days.third.calls,
        "the summary counts every call"
    );
    for symbol in ["PEER", "HOLDS"] {
        assert_eq!(days.keys(symbol), [days.md5(symbol)], "{symbol}");
    }
    assert!(
        !days.third.notes.iter().any(|n| n.contains("history continues")),
        "{:?}",
        days.third.notes
    );
}
