//! `plan`, `explain`, `models` and `upgrade --plan`: a narrow terminal has the same words as a wide one.

use super::at_all_widths;

/// The words of a text, without the lines of trees.
fn words(text: &str) -> Vec<&str> {
    text.split([' ', '\n', '│', '├', '└', '─']).filter(|word| !word.is_empty()).collect()
}

#[test]
fn no_word_is_lost_on_a_narrow_terminal() {
    for arguments in [
        &["plan", "--symbols", "AAPL,BRK.B,TYPOX"][..],
        &["explain", "AAPL", "ev_to_ebitda"],
        &["upgrade", "--plan"],
    ] {
        let (narrow, wide) = at_all_widths(arguments);
        assert_eq!(words(&narrow), words(&wide), "{narrow}{wide}");
        let is_wrapped = narrow.lines().count() > wide.lines().count();
        assert!(is_wrapped || arguments[0] == "upgrade", "{narrow}");
    }
}
