//! Formats a plan as a table.

use std::fmt::Write;

use findata_pipeline::plan::Plan;

use super::{bytes, count, counted, escape::one_line, table::fill_indented};

/// The column in which the reasons begin.
const WHY: usize = 45;
/// The least width of the reasons beside the numbers. On a narrower terminal, they follow on their own lines.
const LEAST_WHY: usize = 30;

/// Formats the calls, bytes and reasons of each dataset, and the run's total, duration and cost.
pub fn plan(plan: &Plan, fmp_plan: &str, duration: &str, cost: &str, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", counted(plan.symbols.len() as u64, "symbol"));
    for note in &plan.notes {
        let _ = writeln!(out, "{}", fill_indented(&one_line(note), width, 2, 4));
    }
    let _ = writeln!(out, "\n  {:<20} {:>8} {:>10}   why", "dataset", "calls", "bytes");
    let (mut calls, mut size) = (0, 0);
    for (name, dataset) in &plan.datasets {
        calls += dataset.calls;
        size += dataset.bytes;
        let due = dataset.due.iter().map(|(why, n)| format!("{} {why}", count(*n)));
        let skipped = dataset.skipped.iter().map(|(why, n)| format!("{} skipped: {why}", count(*n)));
        let not_asked =
            dataset.not_requested.iter().map(|(why, n)| format!("{} not requested: {why}", count(*n)));
        let why = due.chain(skipped).chain(not_asked).collect::<Vec<_>>().join(", ");
        row(&mut out, name, dataset.calls, dataset.bytes, &why, width);
    }
    row(&mut out, "in all", calls, size, &format!("FMP plan {fmp_plan}: {duration}"), width);
    let _ = writeln!(out, "{}", fill_indented(&format!("cost: {cost}"), width, 2, 4));
    out
}

fn row(out: &mut String, name: &str, calls: u64, size: u64, why: &str, width: usize) {
    let numbers = format!("  {name:<20} {:>8} {:>10}", count(calls), bytes(size));
    if width < WHY + LEAST_WHY {
        let _ = writeln!(out, "{numbers}\n{}", fill_indented(why, width, 6, 6));
    } else {
        let why = fill_indented(why, width, WHY, WHY);
        let _ = writeln!(out, "{}", format!("{numbers:<WHY$}{}", why.trim_start()).trim_end());
    }
}
