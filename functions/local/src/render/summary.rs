//! Formats the summary of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use findata_models::metrics::Registry;
use findata_pipeline::{
    run::Status,
    summary::{BudgetUse, Failure, Highlight, Quality, Summary},
    usage::Usage,
};

use textwrap::core::display_width;

use super::{amount, bytes, count, counted, escape::one_line, table::fill_indented};

/// Maximum numbers of failure reasons shown, and of tasks named per reason. The others are only
/// counted.
const MAX_REASONS: usize = 8;
const MAX_TASKS: usize = 3;

/// The column of a line's text after its label, such as `note`.
const TEXT: usize = 12;

/// Formats the whole summary. `warehouse` is the name of the warehouse that has the figures.
pub fn summary(run: &Summary, warehouse: &str, registry: &Registry, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", headline(run));
    let stages = ["plan", "fetch", "load", "compute"];
    let times = stages
        .iter()
        .filter_map(|s| run.stages.get(*s).map(|t| format!("{s} {t:.2} s")))
        .collect::<Vec<_>>();
    let _ = writeln!(out, "  time      {}", times.join(", "));
    let _ = writeln!(
        out,
        "  calls     {} ({:.1} per symbol), {} received, {} of {} tasks still fresh",
        count(run.calls),
        run.calls_per_symbol,
        bytes(run.bytes),
        count(run.tasks.skipped_fresh),
        count(run.tasks.planned + run.tasks.skipped_fresh),
    );
    if let Some(limit) = run.budget.limit_per_minute
        && run.budget.waited_seconds >= 0.1
    {
        let _ = writeln!(
            out,
            "  budget    calls waited {:.1} s in total for the limit of {} per minute",
            run.budget.waited_seconds,
            count(limit.into()),
        );
    }
    waits(&mut out, &run.budget);
    // Only Snowflake measures the seconds of a warehouse; for DuckDB they are 0.
    if run.warehouse.seconds > 0.0 {
        let _ = writeln!(
            out,
            "  snowflake {}{} in {}, warehouse active for {:.0} s, plus a minute after each resume, about {:.4} credits",
            counted(run.warehouse.statements, "statement"),
            by_function(&run.warehouse),
            counted(run.warehouse.requests, "request"),
            run.warehouse.seconds,
            run.cost.snowflake_credits,
        );
    }
    datasets(&mut out, run);
    tables(&mut out, run);
    highlights(&mut out, &run.highlights, registry, width);
    for text in &run.unavailable {
        let _ = writeln!(out, "  NULL      {}", one_line(text));
    }
    quality(&mut out, &run.quality);
    for note in &run.notes {
        let _ = writeln!(out, "  note      {}", one_line(note));
    }
    failures(&mut out, run);
    let _ = writeln!(out, "\n  warehouse {warehouse}");
    out.lines().map(|line| fitted(line, width) + "\n").collect()
}

/// Wraps a line that is longer than the width, below its text if it begins with a label.
fn fitted(line: &str, width: usize) -> String {
    if display_width(line) <= width {
        return line.to_owned();
    }
    let text = line.trim_start();
    let has_label = line
        .split_at_checked(TEXT)
        .is_some_and(|(label, text)| label.ends_with(' ') && !text.starts_with(' '));
    fill_indented(text, width, line.len() - text.len(), if has_label && width >= 60 { TEXT } else { 4 })
}

fn headline(run: &Summary) -> String {
    let status = match run.status {
        Status::Complete => "complete",
        Status::Partial => "partial: some tasks failed; the next run retries them",
        Status::Budget => "stopped by the call limit; the next run continues",
        Status::Failed => "failed",
    };
    format!("run {} {status}: {} in {:.2} s", run.run_id, counted(run.symbols, "symbol"), run.seconds)
}

/// The statements of each function, in parentheses.
fn by_function(usage: &Usage) -> String {
    let functions = usage.by_function.iter().map(|(function, statements)| format!("{function} {statements}"));
    match functions.collect::<Vec<_>>().join(", ") {
        functions if functions.is_empty() => functions,
        functions => format!(" ({functions})"),
    }
}

/// Writes how long calls waited because of faults of FMP or the network, and the time limit of one
/// call.
fn waits(out: &mut String, waits: &BudgetUse) {
    let bound = format!("a call may take at most {:.0} s", waits.max_call_seconds);
    if waits.limit_answers > 0 {
        let answers = counted(waits.limit_answers, "answer");
        let seconds = waits.limit_seconds;
        let _ = writeln!(
            out,
            "  limit     {answers} \"call limit reached\": calls waited {seconds:.1} s in total; {bound}"
        );
    }
    if waits.retry_seconds >= 0.1 {
        let (total, longest) = (waits.retry_seconds, waits.longest_call_seconds);
        let _ = writeln!(
            out,
            "  retries   calls waited {total:.1} s in total between attempts; the longest call took {longest:.1} s; {bound}",
        );
    }
}

fn datasets(out: &mut String, run: &Summary) {
    if run.rows.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n  {:<20} {:>10} {:>10} {:>10} {:>12}",
        "dataset", "staged", "loaded", "unchanged", "quarantined"
    );
    for (name, rows) in &run.rows {
        let _ = writeln!(
            out,
            "  {name:<20} {:>10} {:>10} {:>10} {:>12}",
            count(rows.staged),
            count(rows.loaded),
            count(rows.unchanged),
            count(rows.quarantined)
        );
    }
}

fn tables(out: &mut String, run: &Summary) {
    let changed: Vec<_> = run.analytics.iter().filter(|(_, t)| t.written + t.removed > 0).collect();
    if changed.is_empty() {
        if !run.analytics.is_empty() {
            let _ = writeln!(out, "\n  analytics  no rows changed");
        }
        return;
    }
    let _ = writeln!(out, "\n  {:<22} {:>10} {:>10} {:>10}", "analytics", "rows", "written", "removed");
    for (name, table) in changed {
        let _ = writeln!(
            out,
            "  {name:<22} {:>10} {:>10} {:>10}",
            count(table.rows),
            count(table.written),
            count(table.removed)
        );
    }
}

/// Writes the newest figures of some companies: as many as fit into the width.
fn highlights(out: &mut String, companies: &[Highlight], registry: &Registry, width: usize) {
    if companies.is_empty() {
        return;
    }
    let fit = width.saturating_sub(21) / 11;
    let headings = registry.headlines().take(fit).map(|h| format!(" {:>10}", h.heading));
    let _ = writeln!(out, "\n  {:<8} {:>10}{}", "newest", "close", headings.collect::<String>());
    for company in companies {
        let close = figure(&company.figures, "close_price", |x| format!("{x:.2}"));
        let cells = registry.headlines().take(fit).map(|h| {
            let text = figure(&company.figures, h.name, |x| match h.is_amount {
                true => amount(x),
                false if h.percent => format!("{:.1} %", x * 100.0),
                false => format!("{x:.2}"),
            });
            format!(" {text:>10}")
        });
        let _ = writeln!(out, "  {:<8} {close:>10}{}", company.symbol, cells.collect::<String>());
    }
    let _ = writeln!(out, "  (- is NULL; see analytics.metric_nulls for the reason)");
}

fn quality(out: &mut String, found: &Quality) {
    if found.flagged > 0 {
        let companies = if found.flagged_companies == 1 {
            "1 company".into()
        } else {
            format!("{} companies", count(found.flagged_companies))
        };
        let checks = counted(found.flagged, "check");
        let query = "select * from ops.quality where status = 'flag'";
        let _ = writeln!(out, "  quality   {checks} flagged in {companies}: {query}");
    }
    if found.corrections > 0 {
        let companies = match found.corrected_companies {
            1 => "1 company".to_owned(),
            n => format!("{} companies", count(n)),
        };
        let entries = counted(found.corrections, "correction");
        let query = "select * from ops.quality where status = 'corrected'";
        let _ = writeln!(out, "  corrected {entries} by the user for {companies}: {query}");
    }
    if found.suspicions > 0 {
        let companies = if found.suspect_companies == 1 {
            "1 company has".into()
        } else {
            format!("{} companies have", count(found.suspect_companies))
        };
        let _ = writeln!(
            out,
            "  suspects  {companies} statements that contradict each other: see is_suspect and suspect_reason"
        );
    }
}

fn figure(figures: &BTreeMap<String, f64>, name: &str, format: impl Fn(f64) -> String) -> String {
    figures.get(name).map_or("-".into(), |x| format(*x))
}

/// Writes the symbols that FMP does not have, and the other failures.
fn failures(out: &mut String, run: &Summary) {
    let (missing, failed): (Vec<_>, Vec<_>) = run.failures.iter().partition(|failure| failure.no_such_symbol);
    if !missing.is_empty() {
        let symbols: BTreeSet<&str> = missing.iter().map(|failure| failure.symbol.as_str()).collect();
        let _ = writeln!(out, "\n  {} without data", counted(symbols.len() as u64, "symbol"));
        by_reason(out, &missing, |failure| failure.symbol.clone());
    }
    if !failed.is_empty() {
        let _ = writeln!(out, "\n  {} failed", counted(failed.len() as u64, "task"));
        by_reason(out, &failed, |failure| format!("{} {}", failure.symbol, failure.dataset));
    }
}

/// Writes failures grouped by reason, so that a reason that affects every task takes one line.
fn by_reason(out: &mut String, failures: &[&Failure], name: impl Fn(&Failure) -> String) {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for failure in failures {
        let names = by_reason.entry(&failure.reason).or_default();
        let name = name(failure).trim().to_owned();
        // A company that has left the market has several failures.
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    for (reason, tasks) in by_reason.iter().take(MAX_REASONS) {
        let more = if tasks.len() > MAX_TASKS {
            format!(" and {} more", count((tasks.len() - MAX_TASKS) as u64))
        } else {
            String::new()
        };
        let named = tasks.iter().take(MAX_TASKS).cloned().collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "  {named}{more}: {}", one_line(reason));
    }
    if by_reason.len() > MAX_REASONS {
        let more = count((by_reason.len() - MAX_REASONS) as u64);
        let _ = writeln!(
            out,
            "  and {more} other reasons: select * from ops.tasks where outcome in ('failed', 'unexpectedly_empty')"
        );
    }
}
