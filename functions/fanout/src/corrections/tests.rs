use findata_pipeline::corrections::FILE;

use super::*;

const EXAMPLE: &str = include_str!("../../../../corrections.example.toml");

fn faults(text: &str) -> Vec<String> {
    let error = parse(text, FILE).unwrap_err().to_string();
    error.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

fn entry(lines: &str) -> String {
    format!("[[correction]]\nsymbol = 'AAPL'\nreason = 'see the filing'\ndecided_on = 2026-11-20\n{lines}\n")
}

#[test]
fn the_example_has_an_entry_of_every_kind() {
    let entries = parse(EXAMPLE, FILE).unwrap();
    for kind in Kind::ALL {
        assert!(entries.iter().any(|entry| entry.kind == kind), "{kind:?}");
    }
    // The example documents the numbers exactly as it writes them.
    let value = entries.iter().find(|entry| entry.column.as_deref() == Some("eps_diluted")).unwrap();
    assert_eq!((value.value.as_str(), value.period.as_deref()), ("1.42", Some("Q2")));
    let stored = serde_json::to_string(&entries).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Correction>>(&stored).unwrap(), entries);
}

#[test]
fn numbers_keep_all_their_digits() {
    let value = |number: &str| {
        let text = entry(&format!(
            "kind = 'value'\ndate = '2025-06-30'\nperiod = 'fy'\ncolumn = 'totalAssets'\nvalue = {number}"
        ));
        let entry = parse(&text, FILE).unwrap().remove(0);
        assert_eq!((entry.column.as_deref(), entry.period.as_deref()), (Some("total_assets"), Some("FY")));
        entry.value
    };
    assert_eq!(value("123_456_789_012_345_678.900001"), "123456789012345678.900001");
    assert_eq!(value("'-98765432109876543210.5'"), "-98765432109876543210.5");
    assert_eq!(value("+1e3"), "1000");
}

#[test]
fn every_fault_has_a_message_with_its_line() {
    let text = "[[correction]]\nsymbol = 'NOT A SYMBOL'\nkind = 'value'\ndate = 2025-06-31\ncolumn = 'revenu'\nvalue = 'much'\n\
                reason = ''\nyear = 3\n\n[[correction]]\nsymbol = 'KO'\nkind = 'splits'\n\n[other]\nx = 1\n";
    let found = faults(text);
    for (line, part) in [
        (1, "add decided_on"),
        (2, "NOT A SYMBOL"),
        (5, "no column revenu to correct"),
        (7, "reason must be a text"),
        (8, "remove year"),
        (10, "add reason"),
        (12, "kind must be one of value, period_label, share_count, share_ratio, split"),
        (14, "unknown key other"),
    ] {
        let message = format!("line {line}: ");
        assert!(
            found.iter().any(|f| f.starts_with(&message) && f.contains(part)),
            "{line} {part}: {found:#?}"
        );
    }
}

#[test]
fn wrong_values_are_faults() {
    for (lines, part) in [
        ("kind = 'share_count'\ndate = 2025-06-30\nvalue = 0", "line 7: value must be above 0"),
        (
            "kind = 'value'\ncolumn = 'currency'\nvalue = 'Dollars'",
            "line 7: value must be the three letters of a currency",
        ),
        ("kind = 'share_ratio'\nvalue = 'five'", "line 6: value must be a number"),
        ("kind = 'share_ratio'\nvalue = 5\ndate = 2025-06-30", "line 7: remove date"),
        (
            "kind = 'split'\ndate = 2025-06-30\nvalue = 'merger'",
            "line 7: value must be one of split, spin_off",
        ),
        (
            "kind = 'period_label'\ndate = 2025-06-30\nvalue = 'FY'",
            "line 7: value must be one of Q1, Q2, Q3, Q4",
        ),
        ("kind = 'period_label'\nvalue = 'Q1'", "line 1: add date"),
        ("kind = 'value'\ncolumn = 'sector'\nvalue = 3", "line 7: value must be a text"),
        (
            "kind = 'value'\ncolumn = 'sector'\nvalue = 'Energy'\ndate = 2025-06-30",
            "line 8: remove date",
        ),
        ("kind = 'value'\ncolumn = 'eps'\nvalue = 3\ndate = 2025-06-30", "line 1: add period"),
        (
            "kind = 'value'\ncolumn = 'eps'\nvalue = nan\ndate = 2025-06-30\nperiod = 'Q1'",
            "line 7: value must be a number",
        ),
    ] {
        let found = faults(&entry(lines));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].starts_with(part), "{lines}: {found:?}");
    }
    let twice = [entry("kind = 'share_ratio'\nvalue = 5"), entry("kind = 'share_ratio'\nvalue = 6")].concat();
    assert_eq!(faults(&twice), ["line 7: repeats the entry in line 1: keep one of them"]);
    assert!(faults("[[correction]\nsymbol = ")[0].starts_with("line 1: "));
}
