//! Formats the newest figures of a company for one screen.

use std::{borrow::Cow, fmt::Write};

use chrono::NaiveDate;
use findata_explain::brief;
use findata_report::snapshot::{Close, Figure, Freshness, Group, NO_STATEMENTS, Price, Snapshot};
use textwrap::core::display_width;

use super::{
    escape::one_line,
    figure,
    table::{cut, fill},
};

/// Width of a column of figures, and the space between columns.
const COLUMN: usize = 38;
const GAP: usize = 4;
/// Most columns of figures, and most characters of the price line.
const COLUMNS: usize = 4;
const LINE: usize = 120;

/// Formats a company. No line is longer than `width`.
pub fn snapshot(company: &Snapshot, width: usize) -> String {
    let mut out = String::new();
    for line in title(company) {
        let _ = writeln!(out, "{}", cut(&line, width));
    }
    out.push('\n');
    match &company.price {
        Some(price) => self::price(&mut out, price, width),
        None => out.push_str("no prices\n"),
    }
    out.push('\n');
    figures(&mut out, &company.groups, width);
    out.push('\n');
    for suspicion in &company.suspicions {
        let text = format!("! {}: {}", suspicion.code, one_line(&suspicion.about));
        let _ = writeln!(out, "{}", fill(&text, width));
    }
    let _ = writeln!(out, "{}", fill(&freshness(&company.freshness), width));
    if let Some(score) = company.quality_score {
        let text = format!("{:.1} % of the quality checks passed (ops.quality)", score * 100.0);
        let _ = writeln!(out, "{}", cut(&text, width));
    }
    out
}

/// The name and what kind of company it is.
fn title(company: &Snapshot) -> Vec<String> {
    let name = company.name.as_deref().map(one_line).unwrap_or_default();
    let joined = |parts: &[&Option<String>], separator: &str| {
        let parts: Vec<Cow<'_, str>> = parts
            .iter()
            .filter_map(|part| part.as_deref())
            .filter(|part| !part.is_empty())
            .map(one_line)
            .collect();
        parts.join(separator)
    };
    let kind = joined(&[&company.sector, &company.industry], ", ");
    let place = joined(&[&company.exchange, &company.country], ", ");
    let currency = match (&company.currency, &company.reported_currency) {
        (Some(price), Some(reported)) if price != reported => format!("{price}, statements in {reported}"),
        (Some(currency), _) | (None, Some(currency)) => currency.clone(),
        (None, None) => String::new(),
    };
    let second: Vec<String> = [kind, place, one_line(&currency).into_owned()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    vec![format!("{}  {name}", company.symbol).trim_end().to_owned(), second.join(" | ")]
}

fn price(out: &mut String, price: &Price, width: usize) {
    let percent = |change: Option<f64>| change.map(|change| format!("{:+.1} %", change * 100.0));
    let mut first = format!("{}  on {}", close(price.newest.close), price.newest.date);
    if let Some(change) = percent(price.change_1d) {
        let _ = write!(first, "  {change} in a session");
    }
    if let Some(change) = percent(price.change) {
        let _ = write!(first, "  {change} since {}", price.first.date);
    }
    let _ = writeln!(out, "{}", fill(&first, width));
    let _ = writeln!(out, "{}", sparkline(&price.closes, width.min(LINE)));
    let end = |name: &str, end: &Close| format!("{name} {} on {}", close(end.close), end.date);
    let ends = format!("{}, {}", end("low", &price.low), end("high", &price.high));
    let _ = writeln!(out, "{}", fill(&ends, width));
}

fn close(price: f64) -> String {
    if price.abs() < 1.0 {
        format!("{price:.4}")
    } else {
        format!("{price:.2}")
    }
}

/// Draws the closes with at most `width` characters. A character stands for the mean of its closes.
fn sparkline(closes: &[f64], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let points = closes.len().min(width).max(1);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let means: Vec<f64> = (0..points)
        .filter_map(|n| closes.get(n * closes.len() / points..(n + 1) * closes.len() / points))
        .filter(|part| !part.is_empty())
        .map(mean)
        .collect();
    let (low, high) = means.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    let level = |x: &f64| {
        let share = if high > low { (x - low) / (high - low) } else { 0.0 };
        LEVELS[((share * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1)]
    };
    means.iter().map(level).collect()
}

/// Writes the groups in columns of about the same height.
fn figures(out: &mut String, groups: &[Group], width: usize) {
    let columns = ((width + GAP) / (COLUMN + GAP)).clamp(1, COLUMNS);
    let each = ((width + GAP) / columns).saturating_sub(GAP).min(COLUMN + GAP);
    // A fund has no statements; its groups would say so for each figure.
    let is_shown =
        |group: &&Group| group.figures.iter().any(|of| of.reason.as_deref() != Some(NO_STATEMENTS));
    let blocks: Vec<Vec<String>> = groups.iter().filter(is_shown).map(|group| block(group, each)).collect();
    let columns = balanced(&blocks, columns);
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    for n in 0..height {
        let mut line = String::new();
        for (position, column) in columns.iter().enumerate() {
            let start = position * (each + GAP);
            let text = column.get(n).map(String::as_str).unwrap_or_default();
            if !text.is_empty() {
                line.push_str(&" ".repeat(start.saturating_sub(display_width(&line))));
                line.push_str(text);
            }
        }
        let _ = writeln!(out, "{line}");
    }
}

/// Formats a group: its name and a line for each figure.
fn block(group: &Group, width: usize) -> Vec<String> {
    let mut lines = vec![group.name.to_uppercase()];
    lines.extend(group.figures.iter().map(|figure| line(figure, width)));
    lines
}

fn line(of: &Figure, width: usize) -> String {
    let (value, mark) = match of.value {
        Some(value) => (figure(of.format, value), if of.suspect.is_empty() { "" } else { " !" }),
        None => (format!("- {}", of.reason.as_deref().map(brief).unwrap_or_default()), ""),
    };
    // The mark has its own place, so that numbers with and without it are aligned.
    let space = width.saturating_sub(display_width(of.title) + display_width(&value) + 2).max(1);
    cut(&format!("{}{}{value}{mark}", of.title, " ".repeat(space)), width).into_owned()
}

/// Distributes blocks over columns in order, so that the highest column is as low as possible.
fn balanced(blocks: &[Vec<String>], columns: usize) -> Vec<Vec<String>> {
    let fits = |height: usize| {
        let mut found: Vec<Vec<String>> = vec![Vec::new()];
        for block in blocks {
            let last = found.last_mut()?;
            if !last.is_empty() && last.len() + block.len() > height {
                found.push(block.clone());
            } else {
                last.extend(block.iter().cloned());
            }
        }
        let highest = found.iter().map(Vec::len).max()?;
        (found.len() <= columns && highest <= height).then_some(found)
    };
    let all = blocks.iter().map(Vec::len).sum::<usize>();
    (0..=all).find_map(fits).unwrap_or_default()
}

fn freshness(of: &Freshness) -> String {
    let age = |day: NaiveDate| match (of.today - day).num_days() {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    let mut parts = Vec::new();
    if let Some(day) = of.session {
        parts.push(format!("newest session {day} ({})", age(day)));
    }
    match (of.fiscal_date, &of.period) {
        (Some(end), Some(period)) => {
            let filed = of.filing_date.or(of.known_on).map(|day| format!(", filed {day} ({})", age(day)));
            parts.push(format!("newest statement {period} to {end}{}", filed.unwrap_or_default()));
        }
        _ => parts.push("no statements".into()),
    }
    if let (Some(day), Some(basis)) = (of.basis_date, &of.basis) {
        let basis = if basis == "TTM" { "twelve months" } else { "the fiscal year" };
        parts.push(format!("ratios and growth of {basis} to {day}"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_fits_and_shows_lowest_and_highest() {
        assert_eq!(sparkline(&[1.0, 2.0, 3.0], 10), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.0], 10), "▁▁");
        assert_eq!(sparkline(&[], 10), "");
        let long: Vec<f64> = (0..252).map(f64::from).collect();
        let line = sparkline(&long, 80);
        assert_eq!(line.chars().count(), 80);
        assert!(line.starts_with('▁') && line.ends_with('█'));
    }

    #[test]
    fn columns_have_similar_heights() {
        let block = |n: usize| vec!["x".to_owned(); n];
        let blocks = [block(8), block(14), block(5), block(8), block(7), block(6), block(5), block(6)];
        for (columns, highest) in [(1, 59), (2, 32), (3, 22), (4, 20)] {
            let found = balanced(&blocks, columns);
            assert!(found.len() <= columns, "{columns}");
            let height = found.iter().map(Vec::len).max().unwrap();
            assert!(height <= highest, "{columns} {height}");
        }
    }
}
