//! Runs in this process, through the same host that the command uses.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use chrono::{DateTime, Days, NaiveDate, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{
    Result,
    clock::{Clock, DayClock},
};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_fmp::{ClientSettings, Fmp, FmpPlan, claim_source};
use findata_local::{
    host::{Host, Progress},
    journal::Journals,
    stage::DirectoryStage,
};
use findata_models::Models;
use findata_pipeline::{
    plan::Plan,
    ports::{bus::Bus, stage::Stage, warehouse::Warehouse},
    run::{Options, Request, RunId, Universe},
    summary::Summary,
};
use secrecy::SecretString;

use super::{
    home::{Home, today},
    wait,
};

/// Discards all progress reports.
pub struct NoProgress;

impl Progress for NoProgress {
    fn planned(&self, _: &Plan) {}
    fn stage_started(&self, _: &'static str) {}
}

/// A run to make: against which server, for which symbols, on which day and with which options.
#[derive(Debug, Clone)]
pub struct Job {
    /// The URL of the FMP server.
    pub url: String,
    /// The API key.
    pub key: String,
    /// The symbols to run.
    pub symbols: Vec<String>,
    /// The date on the run's clock.
    pub today: NaiveDate,
    /// The options of the run.
    pub options: Options,
    /// The models that compute the figures.
    pub models: &'static Models,
}

impl Job {
    /// A run of these symbols on [`today`] with less history than by default: 30 days of prices, 8
    /// quarters and 6 years.
    pub fn new(url: impl Into<String>, symbols: &[&str]) -> Self {
        let symbols = symbols.iter().map(ToString::to_string).collect();
        Job {
            url: url.into(),
            key: "test-key".into(),
            symbols,
            today: today(),
            options: Options { quarters: 8, years: 6, ..Options::default() },
            models: models(),
        }
        .days(30)
    }

    /// Sets the number of calendar days of prices, including today, like `--days`.
    pub fn days(mut self, days: u64) -> Self {
        self.options.prices_from = Some(self.today - Days::new(days - 1));
        self
    }

    /// Moves the clock to another day. The start of the price range stays.
    pub fn on(mut self, today: NaiveDate) -> Self {
        self.today = today;
        self
    }

    /// Changes the options.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Makes the run in a home.
    ///
    /// # Errors
    /// The error that ended the run before it had a summary.
    pub fn run(&self, home: &Home) -> Result<Summary> {
        wait(async {
            let fmp = client(&self.url, &self.key);
            let mut host = host_with(home, fmp, DayClock(self.today), self.models)?;
            claim_source(&host.stage, &self.url).await?;
            host.run(&self.request(), &NoProgress).await
        })
    }

    /// Makes the run in a home. Panics if it ends without a summary.
    pub fn run_ok(&self, home: &Home) -> Summary {
        self.run(home).unwrap_or_else(|e| panic!("the run ended without a summary: {e}"))
    }

    fn request(&self) -> Request {
        request(&self.symbols.iter().map(String::as_str).collect::<Vec<_>>(), self.options.clone())
    }
}

/// A request for a run of these symbols.
pub fn request(symbols: &[&str], options: Options) -> Request {
    let symbols = symbols.iter().map(|s| s.parse().expect("a symbol")).collect();
    Request {
        run_id: run_id(),
        universe: Universe::Symbols(symbols),
        options,
        retry_of: None,
        corrections: None,
        traceparent: None,
    }
}

/// A run id that is unique in this process. Later ids sort after earlier ones.
pub fn run_id() -> RunId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let n = NEXT.fetch_add(1, Relaxed);
    RunId::new(DateTime::<Utc>::default() + chrono::Duration::seconds(n.into()), n)
}

/// A client without a rate limit.
pub fn client(url: &str, key: &str) -> Fmp {
    let settings = ClientSettings {
        url: url.into(),
        key: SecretString::from(key),
        plan: FmpPlan::Unlimited,
        bytes: None,
        burst: None,
        in_flight: 64,
        limit_pause: std::time::Duration::from_millis(2),
        bulk_pause: std::time::Duration::ZERO,
        time_scale: Default::default(),
    };
    Fmp::new(&settings).expect("a client")
}

/// Replaces the warehouse of a host with one made from it.
pub fn with_warehouse<S, V, W, C>(host: Host<S, V, C>, make: impl FnOnce(V) -> W) -> Host<S, W, C> {
    Host {
        fmp: host.fmp,
        stage: host.stage,
        journals: host.journals,
        warehouse: make(host.warehouse),
        models: host.models,
        clock: host.clock,
        receipt_clock: host.receipt_clock,
        started_at: host.started_at,
        prune_before: host.prune_before,
        stop: host.stop,
        tracer: host.tracer,
        continued_earlier_runs: false,
    }
}

/// The models that are built into findata.
pub fn models() -> &'static Models {
    Models::built_in().expect("the built-in models are sound")
}

/// The models with the metrics of a user's file.
pub fn models_with(file: &str) -> &'static Models {
    let registry = models().registry.with_custom(file.as_bytes(), "metrics.toml").expect("a sound file");
    Box::leak(Box::new(Models::of(registry).expect("sound models")))
}

/// Calls the handler of analytics with the built-in models and without measurements of the host.
///
/// # Errors
/// The error of the handler.
pub async fn analyze(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    bus: &impl Bus,
    clock: &impl Clock,
) -> Result<Summary> {
    findata_analytics::handle(run, stage, warehouse, models(), bus, clock, &HostMetrics::default()).await
}

/// The stage, warehouse and client of a run in a home, with the built-in models.
///
/// # Errors
/// The stage or the warehouse cannot be opened.
pub fn host<C: Clock + 'static>(home: &Home, fmp: Fmp, clock: C) -> Result<Host<DirectoryStage, DuckDb, C>> {
    host_with(home, fmp, clock, models())
}

fn host_with<C: Clock + 'static>(
    home: &Home,
    fmp: Fmp,
    clock: C,
    models: &'static Models,
) -> Result<Host<DirectoryStage, DuckDb, C>> {
    let stage = DirectoryStage::open(&home.stage())?;
    let warehouse = DuckDb::open(&home.warehouse(), stage.root(), MemoryLimit::of_machine(), models)?;
    let clock = Arc::new(clock);
    Ok(Host {
        fmp: Arc::new(fmp),
        journals: Some(Journals::beside(stage.root())),
        stage,
        warehouse,
        models,
        receipt_clock: Arc::clone(&clock),
        clock,
        started_at: DateTime::default(),
        prune_before: None,
        stop: Default::default(),
        tracer: Default::default(),
        continued_earlier_runs: false,
    })
}
