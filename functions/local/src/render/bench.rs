//! Formats the results of a benchmark.

use std::fmt::Write;

use super::{bytes, count, counted};
use crate::bench::{Counts, Phase, Report, RunResult, StageUse};

/// Formats the whole report.
pub fn bench(report: &Report) -> String {
    let mut out = String::new();
    machine(&mut out, report);
    let _ = writeln!(
        out,
        "\n{:>7} {:>6} {:<10} {:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7} {:>11} {:>12} {:>9}",
        "symbols",
        "limit",
        "phase",
        "stage",
        "wall s",
        "CPU s",
        "peak",
        "calls",
        "received",
        "statements",
        "files",
        "rows staged",
        "rows loaded",
        "figures"
    );
    for run in &report.runs {
        result(&mut out, run);
    }
    let _ = writeln!(out, "\n{:<8} {:<18} {:>10} {:>12}", "step", "dataset", "MB/s", "rows/s");
    for step in &report.throughput {
        let _ = writeln!(
            out,
            "{:<8} {:<18} {:>10.1} {:>12}",
            step.step,
            step.dataset,
            step.bytes_per_second / 1e6,
            count(step.rows_per_second as u64)
        );
    }
    out
}

fn machine(out: &mut String, report: &Report) {
    let settings = &report.settings;
    let memory = report.machine.memory_bytes.map_or(String::new(), |n| format!(", {}", bytes(n)));
    let latency = match settings.jitter_ms {
        0 => settings.latency_ms.to_string(),
        jitter => format!("{} ± {jitter}", settings.latency_ms),
    };
    let _ = writeln!(
        out,
        "findata {} on {}{memory}; {} of prices, {}, {latency} ms latency, {}",
        report.version,
        counted(report.machine.processors as u64, "processor"),
        counted(settings.days.into(), "day"),
        counted(settings.quarters.into(), "quarter"),
        if settings.repeat == 1 {
            "one repetition".to_owned()
        } else {
            format!("medians of {} repetitions", settings.repeat)
        }
    );
    if report.debug_build {
        let _ = writeln!(out, "This is a debug build: a release is several times faster.");
    }
}

/// Writes a line for the whole run and one for each of its stages.
fn result(out: &mut String, run: &RunResult) {
    let limit = run.limit_per_minute.map_or("none".to_owned(), |n| count(n.into()));
    let _ = write!(out, "{:>7} {limit:>6} {:<10} ", count(run.symbols.into()), run.phase.name());
    let Some(measured) = &run.measured else {
        let _ = writeln!(out, "failed: {}", run.error.as_deref().unwrap_or_default());
        return;
    };
    let _ = writeln!(out, "{}{}", usage("all", measured.total), counts(&measured.counts));
    // The stages of a run with nothing to fetch are too short to list.
    if run.phase == Phase::Again {
        return;
    }
    for stage in &measured.stages {
        let _ = writeln!(out, "{:26}{}", "", usage(&stage.stage, stage.usage));
    }
}

fn usage(name: &str, stage: StageUse) -> String {
    let cpu = stage.cpu_seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.2}"));
    let peak = stage.peak_memory_bytes.map_or("-".to_owned(), bytes);
    format!("{name:<8} {:>9.2} {cpu:>9} {peak:>9}", stage.wall_seconds)
}

fn counts(counts: &Counts) -> String {
    format!(
        " {:>9} {:>9} {:>10} {:>7} {:>11} {:>12} {:>9}",
        count(counts.calls),
        bytes(counts.bytes),
        count(counts.statements),
        count(counts.landing_files),
        count(counts.rows_staged),
        count(counts.rows_loaded),
        count(counts.figures_changed),
    )
}
