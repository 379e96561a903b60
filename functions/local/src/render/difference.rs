//! Formats the difference of two runs.

use std::fmt::Write;

use super::{
    count, counted,
    table::{cut, fill},
};
use crate::diff::{Change, Difference};

/// Formats the summary, then the changes. No line is longer than `width`.
pub fn difference(difference: &Difference, width: usize) -> String {
    let mut text = String::new();
    for (name, run) in [("from", &difference.old), ("to  ", &difference.new)] {
        let _ =
            writeln!(text, "{}", fill(&format!("{name} {} ({} UTC)", run.run_id, run.published_at), width));
    }
    text.push('\n');
    if difference.summary.is_empty() {
        text.push_str("no figure changed\n");
        return text;
    }
    for line in &difference.summary {
        let companies = match line.companies {
            1 => "1 company".to_owned(),
            n => format!("{} companies", count(n)),
        };
        // A company that is new has no older figures to compare.
        let figures = match line.reason.as_str() {
            "new company" => String::new(),
            _ => format!(", {}", counted(line.figures, "figure")),
        };
        let _ = writeln!(text, "{:<20}{companies}{figures}", line.reason);
    }
    let most = difference.companies.iter().map(|(symbol, n)| format!("{symbol} {}", count(*n)));
    let most = format!("most changes: {}", most.collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "\n{}", fill(&most, width));
    if difference.changes.is_empty() {
        return text;
    }
    text.push_str(&changes(&difference.changes, width));
    let listed = difference.changes.len() as u64;
    if listed < difference.total {
        let rest = format!(
            "{} of {} listed: select with --symbol and --metric, or raise --limit",
            count(listed),
            counted(difference.total, "change")
        );
        let _ = writeln!(text, "\n{}", fill(&rest, width));
    }
    text
}

/// Formats the changes, with a heading for each company, table and day. Names of figures are cut if the line would
/// be too long.
fn changes(changes: &[Change], width: usize) -> String {
    let longest = |of: &dyn Fn(&Change) -> usize| changes.iter().map(of).max().unwrap_or(0);
    let old = longest(&|change| number(change.old).len());
    let new = longest(&|change| number(change.new).len());
    let reason = longest(&|change| change.reason.len());
    let others = "    ".len() + old + " -> ".len() + new + "  ".len() + reason;
    let metric = longest(&|change| change.metric.len()).min(width.saturating_sub(others)).max(1);
    let mut text = String::new();
    let mut last = None;
    for change in changes {
        let heading = (&change.symbol, &change.table, &change.date, &change.basis);
        if last != Some(heading) {
            let line = format!("{}  {} {}  {}", change.symbol, change.date, change.basis, change.table);
            let _ = writeln!(text, "\n{}", fill(&line, width));
            last = Some(heading);
        }
        let _ = writeln!(
            text,
            "  {:<metric$}  {:>old$} -> {:>new$}  {}",
            cut(&change.metric, metric),
            number(change.old),
            number(change.new),
            change.reason
        );
    }
    text
}

/// Formats a figure with six significant digits.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".into() };
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-6.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = (5.0 - magnitude).clamp(0.0, 10.0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_have_six_digits() {
        let shown =
            [Some(0.123_456_78), Some(12.5), Some(-391_035_000_000.0), Some(0.0), None].map(super::number);
        assert_eq!(shown, ["0.123457", "12.5", "-391035000000", "0", "-"]);
    }
}
