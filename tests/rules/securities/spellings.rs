//! FMP's spellings of symbols.

use findata_tests::findata;

use super::days;

#[test]
fn a_symbol_with_special_characters_has_figures() {
    let days = days();
    assert_eq!(days.keys("M&M.NS"), [days.md5("M&M.NS")]);
    assert!(
        days.calls.iter().any(|call| call.ends_with("/profile?symbol=M%26M.NS")),
        "{:?}",
        days.calls
    );
    let explained = findata(&["explain", "M&M.NS", "pe_ratio_ttm"]).home(&days.home).run();
    assert!(explained.code == Some(0) && explained.stdout.contains("= 10\n"), "{explained:#?}");
}

#[test]
fn a_share_class_with_a_dot_is_read_with_a_hyphen() {
    let days = days();
    let note = "BRK.B is read as BRK-B: FMP writes share classes with a hyphen";
    assert!(days.second.notes.iter().any(|n| n == note), "{:?}", days.second.notes);
    assert_eq!((days.keys("BRK.B"), days.keys("BRK-B")), (vec![], vec![days.md5("BRK-B")]));
    let explained = findata(&["explain", "brk.b", "pe_ratio_ttm"]).home(&days.home).run();
    assert_eq!(explained.code, Some(0), "{explained:#?}");
}
