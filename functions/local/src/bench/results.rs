//! The figures of a benchmark, and their medians.

use std::fs;

use clap::ValueEnum;
use findata_pipeline::summary::Summary;
use serde::Serialize;

use super::Settings;
use crate::render;

/// What a run has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Loads everything into an empty home.
    FirstDay,
    /// Runs again on the same day: nothing is due.
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

    /// Its name for people.
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
    /// This stage and a later one together.
    pub(super) fn then(self, later: StageUse) -> StageUse {
        StageUse {
            wall_seconds: rounded(self.wall_seconds + later.wall_seconds),
            cpu_seconds: self.cpu_seconds.zip(later.cpu_seconds).map(|(a, b)| rounded(a + b)),
            peak_memory_bytes: self.peak_memory_bytes.max(later.peak_memory_bytes),
        }
    }
}

/// Seconds, in whole milliseconds.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// A stage of a run: plan, fetch, load or compute. Plan includes the start of the process, compute
/// its end.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// Its usage.
    #[serde(flatten)]
    pub usage: StageUse,
}

/// What a run did. These counts do not depend on the machine.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Counts {
    /// Calls to FMP.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Statements that load and compute sent to the warehouse.
    pub statements: u64,
    /// Landing files.
    pub landing_files: u64,
    /// Their compressed bytes.
    pub landing_bytes: u64,
    /// Writes to the stage until compute starts.
    pub stage_writes: u64,
    /// Rows in the landing files.
    pub rows_staged: u64,
    /// New or changed rows in the warehouse.
    pub rows_loaded: u64,
    /// Rows of `analytics` inserted, changed or deleted.
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
    /// The whole process, with its start and end.
    pub total: StageUse,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// What it did.
    pub counts: Counts,
}

/// One measured run, or the medians of several.
#[derive(Debug, Clone, Serialize)]
pub struct RunResult {
    /// Symbols of the universe.
    pub symbols: u32,
    /// Calls per minute that FMP allows.
    pub limit_per_minute: Option<u32>,
    /// What it had to do.
    pub phase: Phase,
    /// Its figures; absent if it failed.
    pub measured: Option<Measured>,
    /// Why it failed.
    pub error: Option<String>,
}

impl RunResult {
    /// One line for a person who waits.
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
    /// The step.
    pub step: &'static str,
    /// The dataset of its rows.
    pub dataset: &'static str,
    /// Bytes of JSON as FMP sends them, per second.
    pub bytes_per_second: f64,
    /// Rows per second.
    pub rows_per_second: f64,
}

/// The machine that was measured on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub processors: usize,
    /// Its memory; absent without `/proc`.
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
    /// Whether this is a debug build, whose times say nothing about a release.
    pub debug_build: bool,
    /// The machine.
    pub machine: Machine,
    /// What was measured.
    pub settings: Settings,
    /// Runs, as medians over the repetitions.
    pub runs: Vec<RunResult>,
    /// Steps measured in this process.
    pub throughput: Vec<Throughput>,
}

impl Report {
    /// Whether a run failed.
    pub fn failed(&self) -> bool {
        self.runs.iter().any(|run| run.error.is_some())
    }
}

/// Turns repetitions of the same phases into one result per phase, with the median of each figure.
/// A phase that failed once has failed.
pub(super) fn median(repetitions: Vec<Vec<RunResult>>) -> Vec<RunResult> {
    Phase::all()
        .filter_map(|phase| {
            let same = || repetitions.iter().flatten().filter(|run| run.phase == phase);
            let first = same().find(|run| run.error.is_some()).or_else(|| same().next())?.clone();
            let measured: Vec<&Measured> = same().filter_map(|run| run.measured.as_ref()).collect();
            let medians = first.measured.as_ref().map(|first| median_of(first, &measured));
            Some(RunResult { measured: medians, ..first })
        })
        .collect()
}

fn median_of(first: &Measured, all: &[&Measured]) -> Measured {
    let stage = |Stage { stage, .. }: &Stage| {
        let same = all.iter().flat_map(|run| &run.stages).filter(|other| other.stage == *stage);
        let usage = median_use(&same.map(|other| other.usage).collect::<Vec<_>>());
        Stage { stage: stage.clone(), usage }
    };
    let count = |figure: fn(&Counts) -> u64| middle(all.iter().map(|run| figure(&run.counts)).collect());
    Measured {
        total: median_use(&all.iter().map(|run| run.total).collect::<Vec<_>>()),
        stages: first.stages.iter().map(stage).collect(),
        counts: Counts {
            calls: count(|c| c.calls),
            bytes: count(|c| c.bytes),
            statements: count(|c| c.statements),
            landing_files: count(|c| c.landing_files),
            landing_bytes: count(|c| c.landing_bytes),
            stage_writes: count(|c| c.stage_writes),
            rows_staged: count(|c| c.rows_staged),
            rows_loaded: count(|c| c.rows_loaded),
            figures_changed: count(|c| c.figures_changed),
        },
    }
}

fn median_use(all: &[StageUse]) -> StageUse {
    StageUse {
        wall_seconds: middle(all.iter().map(|stage| stage.wall_seconds).collect()),
        cpu_seconds: all.iter().map(|stage| stage.cpu_seconds).collect::<Option<_>>().map(middle),
        peak_memory_bytes: all.iter().map(|stage| stage.peak_memory_bytes).collect::<Option<_>>().map(middle),
    }
}

/// The median; of an even number, the lower one of the two in the middle.
fn middle<T: PartialOrd + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(phase: Phase, wall_seconds: f64, calls: u64) -> RunResult {
        let stage = StageUse {
            wall_seconds,
            cpu_seconds: Some(wall_seconds / 2.0),
            peak_memory_bytes: Some(calls),
        };
        let counts = Counts {
            calls,
            bytes: 0,
            statements: 0,
            landing_files: 0,
            landing_bytes: 0,
            stage_writes: 0,
            rows_staged: 0,
            rows_loaded: 0,
            figures_changed: 0,
        };
        RunResult {
            symbols: 1,
            limit_per_minute: None,
            phase,
            measured: Some(Measured {
                total: stage,
                stages: vec![Stage { stage: "fetch".into(), usage: stage }],
                counts,
            }),
            error: None,
        }
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let runs =
            [(3.0, 10), (1.0, 30), (2.0, 20)].map(|(wall, calls)| vec![result(Phase::FirstDay, wall, calls)]);
        let medians = median(runs.to_vec());
        assert_eq!(medians.len(), 1);
        let median = medians[0].measured.as_ref().unwrap();
        assert_eq!((median.total.wall_seconds, median.total.cpu_seconds), (2.0, Some(1.0)));
        assert_eq!((median.counts.calls, median.stages[0].usage.peak_memory_bytes), (20, Some(20)));
    }

    #[test]
    fn a_failed_repetition_fails_the_phase() {
        let failed = RunResult {
            measured: None,
            error: Some("full".into()),
            ..result(Phase::Again, 0.0, 0)
        };
        let runs = vec![
            vec![result(Phase::FirstDay, 1.0, 1), result(Phase::Again, 1.0, 1)],
            vec![result(Phase::FirstDay, 1.0, 1), failed],
        ];
        let medians = median(runs);
        assert!(medians[0].measured.is_some() && medians[0].error.is_none());
        assert_eq!((medians[1].error.as_deref(), medians[1].measured.is_none()), (Some("full"), true));
    }
}
