//! The figures of a benchmark.

use std::fs;

use clap::ValueEnum;
use findata_pipeline::summary::Summary;
use serde::Serialize;

use super::Settings;
use crate::render;

/// A phase of the benchmark, which consists of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Loads everything into an empty home.
    FirstDay,
    /// Runs again on the same day, when nothing needs to be fetched.
    Again,
    /// Runs on the next day, on which 2 % of the companies restated a quarter.
    NextDay,
    /// Recomputes every company from the stored rows, as after a change of the models.
    Models,
}

impl Phase {
    /// All phases, in the order in which they run.
    pub(super) fn all() -> impl Iterator<Item = Phase> {
        [Phase::FirstDay, Phase::Again, Phase::NextDay, Phase::Models].into_iter()
    }

    /// The phase's name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Phase::FirstDay => "first day",
            Phase::Again => "again",
            Phase::NextDay => "next day",
            Phase::Models => "models",
        }
    }
}

/// Usage of a process during a stage, or in total.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct StageUse {
    /// Elapsed seconds.
    pub wall_seconds: f64,
    /// Seconds of CPU time; absent without `/proc`.
    pub cpu_seconds: Option<f64>,
    /// Peak resident memory; absent without `/proc`.
    pub peak_memory_bytes: Option<u64>,
}

impl StageUse {
    /// Adds the usage of a later stage to this one.
    pub(super) fn then(self, later: StageUse) -> StageUse {
        StageUse {
            wall_seconds: rounded(self.wall_seconds + later.wall_seconds),
            cpu_seconds: self.cpu_seconds.zip(later.cpu_seconds).map(|(a, b)| rounded(a + b)),
            peak_memory_bytes: self.peak_memory_bytes.max(later.peak_memory_bytes),
        }
    }
}

/// Rounds seconds to whole milliseconds.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// A stage of a run: plan, fetch, load or compute. The plan stage includes the start of the
/// process, and the compute stage includes its end.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// The stage's name.
    pub stage: String,
    /// The stage's usage.
    #[serde(flatten)]
    pub usage: StageUse,
}

/// Counts of a run's work, which do not depend on the machine.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Counts {
    /// Number of calls to FMP.
    pub calls: u64,
    /// Number of bytes received.
    pub bytes: u64,
    /// Number of SQL statements that load and compute sent to the warehouse.
    pub statements: u64,
    /// Number of landing files.
    pub landing_files: u64,
    /// Total size of the landing files in bytes, compressed.
    pub landing_bytes: u64,
    /// Number of writes to the stage before compute starts.
    pub stage_writes: u64,
    /// Number of rows in the landing files.
    pub rows_staged: u64,
    /// Number of new or changed rows in the warehouse.
    pub rows_loaded: u64,
    /// Number of rows of `analytics` that were inserted, changed or deleted.
    pub figures_changed: u64,
}

impl Counts {
    pub(super) fn of(summary: &Summary, (landing_files, landing_bytes): (u64, u64)) -> Self {
        Counts {
            calls: summary.calls,
            bytes: summary.bytes,
            statements: summary.warehouse.statements,
            landing_files,
            landing_bytes,
            stage_writes: summary.cost.s3_puts,
            rows_staged: summary.rows.values().map(|rows| rows.staged).sum(),
            rows_loaded: summary.rows.values().map(|rows| rows.loaded).sum(),
            figures_changed: summary.analytics.values().map(|table| table.written + table.removed).sum(),
        }
    }
}

/// The figures of a run that completed.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Usage of the whole process, including its start and end.
    pub total: StageUse,
    /// Usage by stage, in order.
    pub stages: Vec<Stage>,
    /// Counts of the run's work.
    pub counts: Counts,
}

/// One measured run, or the medians of several.
#[derive(Debug, Clone, Serialize)]
pub struct RunResult {
    /// Number of symbols in the universe.
    pub symbols: u32,
    /// Calls per minute that FMP allows; `None` without a limit.
    pub limit_per_minute: Option<u32>,
    /// The phase that the run belongs to.
    pub phase: Phase,
    /// The run's figures; absent if the run failed.
    pub measured: Option<Measured>,
    /// Why the run failed, if it did.
    pub error: Option<String>,
}

impl RunResult {
    /// Returns one line about the run, which is printed as progress.
    pub(super) fn progress(&self) -> String {
        let symbols = render::counted(self.symbols.into(), "symbol");
        let limit = self.limit_per_minute.map_or(String::new(), |n| format!(", {n} calls a minute"));
        let ended = match (&self.measured, &self.error) {
            (Some(measured), _) => format!("{:.2} s", measured.total.wall_seconds),
            (None, error) => error.clone().unwrap_or_default(),
        };
        format!("{symbols}{limit}, {}: {ended}", self.phase.name())
    }
}

/// Speed of a step that runs in this process.
#[derive(Debug, Clone, Serialize)]
pub struct Throughput {
    /// The step's name.
    pub step: &'static str,
    /// The dataset whose rows the step processes.
    pub dataset: &'static str,
    /// Bytes of JSON as FMP sends them, per second.
    pub bytes_per_second: f64,
    /// Rows per second.
    pub rows_per_second: f64,
}

/// The machine on which the benchmark ran.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub processors: usize,
    /// The machine's memory; absent without `/proc`.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    pub(super) fn read() -> Self {
        let total = |text: String| {
            let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        Machine {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: fs::read_to_string("/proc/meminfo").ok().and_then(total).map(|n| n * 1_024),
        }
    }
}

/// The result of a benchmark; `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of findata.
    pub version: &'static str,
    /// Whether this is a debug build, whose times are not comparable with those of a release build.
    pub debug_build: bool,
    /// The machine on which the benchmark ran.
    pub machine: Machine,
    /// The settings of the benchmark.
    pub settings: Settings,
    /// Runs, as medians over the repetitions.
    pub runs: Vec<RunResult>,
    /// Speed of the steps that are measured in this process.
    pub throughput: Vec<Throughput>,
}

impl Report {
    /// Whether a run failed.
    pub fn failed(&self) -> bool {
        self.runs.iter().any(|run| run.error.is_some())
    }
}
