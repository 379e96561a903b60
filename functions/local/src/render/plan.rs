//! The table of a plan.

use std::fmt::Write;

use findata_pipeline::plan::Plan;

use super::{bytes, count, of};

/// A plan as a person reads it: calls, bytes and reasons by dataset.
pub fn plan(plan: &Plan, fmp_plan: &str, minutes: Option<f64>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", of(plan.symbols.len() as u64, "symbol"));
    for note in &plan.notes {
        let _ = writeln!(out, "  {note}");
    }
    let _ = writeln!(out, "\n  {:<20} {:>8} {:>10}   why", "dataset", "calls", "bytes");
    let (mut calls, mut size) = (0, 0);
    for (name, dataset) in &plan.datasets {
        calls += dataset.calls;
        size += dataset.bytes;
        let fetch = dataset.due.iter().map(|(why, n)| format!("{} {why}", count(*n)));
        let skip = dataset.skipped.iter().map(|(why, n)| format!("{} skipped: {why}", count(*n)));
        let leave = dataset.unasked.iter().map(|(why, n)| format!("{} not asked for: {why}", count(*n)));
        let why = fetch.chain(skip).chain(leave).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "  {name:<20} {:>8} {:>10}   {why}", count(dataset.calls), bytes(dataset.bytes));
    }
    let pace = minutes.map_or("no limit of calls".into(), |m| format!("about {m} minutes"));
    let _ = writeln!(out, "  {:<20} {:>8} {:>10}   FMP plan {fmp_plan}: {pace}", "in all", count(calls), bytes(size));
    out
}
