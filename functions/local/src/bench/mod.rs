//! `findata bench`: measures whole runs of this binary against the synthetic FMP.
//!
//! Each run is a child process in a temporary home. The synthetic FMP runs in the parent process,
//! so that its CPU time and memory are not measured. `child` runs one child, and `meter` reads its
//! usage from `/proc`. `results` has the types of the figures, and `medians` combines repetitions.
//! `throughput` measures decoding and landing in this process.

mod child;
mod medians;
mod meter;
mod results;
mod throughput;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use findata_domain::{Error, Result};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_fmp_simulator as simulator;
use findata_models::{Models, hashes::ALL_COMPANIES_ARE_DUE};
use findata_pipeline::ports::warehouse::Warehouse;
use serde::Serialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::working_copy::{Patience, WorkingCopy};
use medians::median;
use results::Machine;
pub use results::{Counts, Measured, Phase, Report, RunResult, Stage, StageUse, Throughput};

/// The first day of the benchmark, a Thursday.
const FIRST_DAY: &str = "2026-09-17";
/// The second day of the benchmark, a Friday. On this day, about 2 % of the companies restate a
/// quarter (the simulator's revision 1).
const NEXT_DAY: &str = "2026-09-18";
/// Calls per minute that no run reaches.
const NO_LIMIT: u32 = 1_000_000;
/// How long a call counts towards the limit per minute, plus a margin of one second.
const LIMIT_WINDOW: Duration = Duration::from_secs(61);

/// The settings of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// Sizes of the universes to measure, in symbols.
    pub symbols: Vec<u32>,
    /// Limits of the FMP plan in calls per minute; `None` for a plan without a limit.
    pub limits: Vec<Option<u32>>,
    /// Number of calendar days of prices.
    pub days: u32,
    /// Number of quarters of each statement.
    pub quarters: u32,
    /// Milliseconds that the synthetic FMP takes to answer a call.
    pub latency_ms: u64,
    /// Milliseconds by which the time of an answer may be shorter or longer.
    pub jitter_ms: u64,
    /// Number of times that each run is measured.
    pub repeat: u32,
    /// The phases to measure. The first day is always measured, because the other phases need its
    /// data.
    pub phases: Vec<Phase>,
}

/// Returns the error for a benchmark that the user stopped.
fn stopped() -> Error {
    Error::Interrupted("the benchmark was stopped".into())
}

/// Measures everything. `progress` receives one line per measured run.
///
/// # Errors
/// `Interrupted` after `stop` was cancelled; the child has then ended and its folder is deleted.
/// `Stop` if a server, a folder or a child cannot be created. A failed child is not an error: the
/// report lists it.
pub async fn measure(
    settings: &Settings,
    stop: &CancellationToken,
    progress: &dyn Fn(&str),
) -> Result<Report> {
    let mut runs = Vec::new();
    for &symbols in &settings.symbols {
        for &limit in &settings.limits {
            let mut measured: Vec<Vec<RunResult>> = Vec::new();
            for _ in 0..settings.repeat {
                let home = BenchHome::create(symbols)?;
                measured.push(home.measure(settings, limit, stop, progress).await?);
            }
            runs.extend(median(measured));
        }
    }
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        debug_build: cfg!(debug_assertions),
        machine: Machine::read(),
        settings: settings.clone(),
        runs,
        throughput: throughput::measure(date(FIRST_DAY)?).await?,
    })
}

/// A temporary home with its list of symbols; deleted when dropped.
struct BenchHome {
    folder: TempDir,
    symbols: u32,
}

impl BenchHome {
    fn create(symbols: u32) -> Result<Self> {
        let failed = |e: std::io::Error| Error::Stop(format!("cannot create a temporary folder: {e}"));
        let folder = tempfile::Builder::new().prefix("findata-bench-").tempdir().map_err(failed)?;
        let home = BenchHome { folder, symbols };
        fs::write(home.universe(), simulator::symbols(symbols as usize).join("\n")).map_err(failed)?;
        Ok(home)
    }

    fn universe(&self) -> PathBuf {
        self.folder.path().join("symbols.txt")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Measures the phases in order. Stops after a failed phase, because the next phases need its
    /// data.
    async fn measure(
        &self,
        settings: &Settings,
        limit: Option<u32>,
        stop: &CancellationToken,
        progress: &dyn Fn(&str),
    ) -> Result<Vec<RunResult>> {
        let mut results: Vec<RunResult> = Vec::new();
        let mut last_calls: Option<Instant> = None;
        for phase in Phase::all().filter(|p| *p == Phase::FirstDay || settings.phases.contains(p)) {
            // In reality a day passes between these two runs. The benchmark only waits until the
            // earlier calls no longer count against the limit.
            if let Some(ended) = last_calls.filter(|_| limit.is_some() && phase == Phase::NextDay) {
                let day = tokio::time::sleep(LIMIT_WINDOW.saturating_sub(ended.elapsed()));
                stop.run_until_cancelled(day).await.ok_or_else(stopped)?;
            }
            if phase == Phase::Models {
                self.make_all_companies_due().await?;
            }
            let is_next_day =
                phase == Phase::NextDay || results.iter().any(|result| result.phase == Phase::NextDay);
            let result = self.measure_phase(phase, is_next_day, settings, limit, stop).await?;
            progress(&result.progress());
            let failed = result.error.is_some();
            results.push(result);
            if failed {
                break;
            }
            last_calls = Some(Instant::now());
        }
        Ok(results)
    }

    async fn measure_phase(
        &self,
        phase: Phase,
        is_next_day: bool,
        settings: &Settings,
        limit: Option<u32>,
        stop: &CancellationToken,
    ) -> Result<RunResult> {
        let (today, revision) = if is_next_day { (NEXT_DAY, 1) } else { (FIRST_DAY, 0) };
        let options = simulator::Options {
            symbols: self.symbols as usize,
            today: date(today)?,
            revision,
            latency: Duration::from_millis(settings.latency_ms),
            jitter: Duration::from_millis(settings.jitter_ms),
            calls_per_minute: limit,
            ..simulator::Options::default()
        };
        let server = simulator::start(options)
            .await
            .map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
        // Not `unlimited`, with which a run fetches all symbols every day instead of following FMP's feeds.
        let plan = limit.unwrap_or(NO_LIMIT).to_string();
        let universe = self.universe();
        let (days, quarters) = (settings.days.to_string(), settings.quarters.to_string());
        let arguments: Vec<&std::ffi::OsStr> = vec![
            "run".as_ref(),
            "--json".as_ref(),
            "--home".as_ref(),
            self.path().as_ref(),
            "--today".as_ref(),
            today.as_ref(),
            "--fmp-plan".as_ref(),
            plan.as_ref(),
            "--universe".as_ref(),
            universe.as_ref(),
            "--days".as_ref(),
            days.as_ref(),
            "--quarters".as_ref(),
            quarters.as_ref(),
        ];
        let ended = child::run(&arguments, &server.url(), stop).await?;
        server.shutdown().await;
        let (measured, error) = match ended.summary {
            Ok(summary) => {
                let landing = landing_files(&self.path().join("stage/landing"), summary.run_id.as_str());
                let counts = Counts::of(&summary, landing);
                (Some(Measured { total: ended.total, stages: ended.stages, counts }), None)
            }
            Err(reason) => (None, Some(reason)),
        };
        Ok(RunResult {
            symbols: self.symbols,
            limit_per_minute: limit,
            phase,
            measured,
            error,
        })
    }

    /// Marks every company for recomputation by the next run, as after a change of the models.
    async fn make_all_companies_due(&self) -> Result<()> {
        let memory = MemoryLimit::of_machine();
        let patience = Patience { limit: Duration::ZERO, tell: &|_| {} };
        let copy = WorkingCopy::open(&self.path().join("findata.duckdb"), memory, &patience).await?;
        let mut warehouse =
            DuckDb::open(copy.path(), &self.path().join("stage"), memory, Models::built_in()?)?;
        warehouse.execute(ALL_COMPANIES_ARE_DUE).await?;
        warehouse.close().await
    }
}

fn date(text: &str) -> Result<NaiveDate> {
    text.parse().map_err(|e| Error::Stop(format!("{text} is not a date: {e}")))
}

/// Returns the number of a run's landing files (`landing/DATASET/RUN/BATCH.ndjson.gz`) and their
/// total size in bytes.
fn landing_files(landing: &Path, run: &str) -> (u64, u64) {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries(landing).flat_map(|dataset| entries(&dataset.path().join(run)).collect::<Vec<_>>());
    files
        .filter_map(|file| file.metadata().ok())
        .fold((0, 0), |(files, bytes), file| (files + 1, bytes + file.len()))
}
