//! Formats a plan as a table.

use std::fmt::Write;

use findata_pipeline::plan::Plan;

use super::{bytes, count, counted, escape::one_line};

/// Formats the calls, bytes and reasons of each dataset, and the run's total, duration and cost.
pub fn plan(plan: &Plan, fmp_plan: &str, duration: &str, cost: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", counted(plan.symbols.len() as u64, "symbol"));
    for note in &plan.notes {
        let _ = writeln!(out, "  {}", one_line(note));
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
        let _ =
            writeln!(out, "  {name:<20} {:>8} {:>10}   {why}", count(dataset.calls), bytes(dataset.bytes));
    }
    let _ = writeln!(
        out,
        "  {:<20} {:>8} {:>10}   FMP plan {fmp_plan}: {duration}",
        "in all",
        count(calls),
        bytes(size)
    );
    let _ = writeln!(out, "  cost: {cost}");
    out
}
