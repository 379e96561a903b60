//! Loads landed ticks into DuckDB or Snowflake, beside the stream.

use findata_domain::Error;
use findata_load::{
    refill::missing_runs,
    ticks::{LoadedTicks, load_ticks},
};
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    ports::{stage::Stage, warehouse::Warehouse},
};
use findata_snowflake::Snowflake;

use crate::{
    cli::{
        Failure,
        global::{Cloud, ResolvedConfig},
        note,
        request::new_run_id,
        run::{self, ATTEMPTS, Work, open_copy, open_warehouse, patience},
    },
    stage::DirectoryStage,
    tick_stream::Loader,
    working_copy::Published,
};

use super::KeepTicks;

/// Loads the landed files into one warehouse.
pub(super) trait Loading: Send + Sync {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static;
}

/// Adds up the loads of the stream.
pub(super) struct Loads<L> {
    pub loading: L,
    pub total: LoadedTicks,
}

impl<L: Loading> Loader for Loads<L> {
    type Loaded = Result<LoadedTicks, Error>;

    fn load(&self) -> impl Future<Output = Self::Loaded> + Send + 'static {
        self.loading.load()
    }

    fn loaded(&mut self, result: Self::Loaded) {
        match result {
            Ok(loaded) => self.total.add(loaded),
            Err(error) => note(&format!("findata: ticks are not loaded yet: {error}")),
        }
    }
}

pub(super) struct OnDuckDb {
    pub keep: KeepTicks,
    pub config: ResolvedConfig,
    pub stage: DirectoryStage,
}

impl Loading for OnDuckDb {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static {
        let (config, stage, keep) = (self.config.clone(), self.stage.clone(), self.keep);
        async move {
            load_on_duckdb(&config, &stage, keep).await.map_err(|failure| match failure {
                Failure::Run(error) => error,
                other => Error::Stop(other.text()),
            })
        }
    }
}

/// Loads into a working copy, and publishes it. If somebody changes the warehouse meanwhile, loads
/// into a copy of the changed one.
async fn load_on_duckdb(
    config: &ResolvedConfig,
    stage: &DirectoryStage,
    keep: KeepTicks,
) -> Result<LoadedTicks, Failure> {
    let models = config.models_with(stage).await?;
    for _ in 0..ATTEMPTS {
        let copy = open_copy(config, stage, Work::Run).await?;
        let mut warehouse = open_warehouse(config, stage, &copy, models).await?;
        let loaded = load_into(config, stage, &mut warehouse, keep).await?;
        drop(warehouse);
        match copy.publish(loaded.has_changes(), &patience(config)).await? {
            Published::Unchanged | Published::Replaced => return Ok(loaded),
            Published::Kept(reason) => {
                note(&format!("findata: {reason}"));
                return Ok(loaded);
            }
            Published::Outdated => {}
        }
    }
    Err(run::changed_too_often(config))
}

pub(super) struct OnSnowflake<S> {
    pub keep: KeepTicks,
    pub config: ResolvedConfig,
    pub cloud: Cloud,
    pub stage: S,
}

impl<S: Stage + Clone + 'static> Loading for OnSnowflake<S> {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static {
        let (config, cloud, stage) = (self.config.clone(), self.cloud.clone(), self.stage.clone());
        let keep = self.keep;
        async move {
            let mut warehouse = Snowflake::new(cloud.snowflake)?;
            load_into(&config, &stage, &mut warehouse, keep).await
        }
    }
}

/// Loads the files that the warehouse lacks, and closes the session.
async fn load_into(
    config: &ResolvedConfig,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    keep: KeepTicks,
) -> Result<LoadedTicks, Error> {
    let run = new_run_id();
    let loaded = async {
        bind_warehouse(stage, warehouse, &run).await?;
        let runs = ledger::runs_with("loaded.json", &stage.list("runs/").await?);
        // Otherwise the load would reject symbols of these runs as unknown.
        if !missing_runs(runs, warehouse).await?.is_empty() {
            return Err(Error::Config(
                "the warehouse lacks runs that are on the stage: load them with `findata replay`; landed ticks are loaded \
                 by the next `findata stream`"
                    .into(),
            ));
        }
        load_ticks(&run, stage, warehouse, &config.clock, keep.0).await
    };
    let loaded = loaded.await;
    // The first error is reported, and committed rows are safe.
    let closed = warehouse.close().await;
    let loaded = loaded?;
    closed?;
    Ok(loaded)
}
