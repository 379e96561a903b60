//! Formats the difference of two runs.

use std::fmt::Write;

use super::{count, counted};
use crate::diff::{Change, Difference};

/// Formats the summary, then the changes.
pub fn difference(difference: &Difference) -> String {
    let mut text = format!(
        "from {} ({} UTC)\nto   {} ({} UTC)\n\n",
        difference.old.run_id,
        difference.old.published_at,
        difference.new.run_id,
        difference.new.published_at
    );
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
    let _ = writeln!(text, "\nmost changes: {}", most.collect::<Vec<_>>().join(", "));
    if difference.changes.is_empty() {
        return text;
    }
    let metric = width(&difference.changes, |change| change.metric.len());
    let symbol = width(&difference.changes, |change| change.symbol.len());
    text.push('\n');
    for change in &difference.changes {
        let _ = writeln!(
            text,
            "{:<symbol$}  {} {:<6}  {:<metric$}  {:>14} -> {:>14}  {}",
            change.symbol,
            change.date,
            change.basis,
            change.metric,
            number(change.old),
            number(change.new),
            change.reason
        );
    }
    let listed = difference.changes.len() as u64;
    if listed < difference.total {
        let _ = writeln!(
            text,
            "\n{} of {} listed: select with --symbol and --metric, or raise --limit",
            count(listed),
            counted(difference.total, "change")
        );
    }
    text
}

fn width(changes: &[Change], of: fn(&Change) -> usize) -> usize {
    changes.iter().map(of).max().unwrap_or(0)
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
