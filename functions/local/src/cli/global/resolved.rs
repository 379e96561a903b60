//! The resolved configuration, and what commands open with it.

use std::{num::NonZeroU32, path::PathBuf, sync::Once, time::Duration};

use ::duckdb::Connection;
use chrono::{NaiveDate, TimeDelta};
use findata_aws::{
    otlp::Exporter,
    s3_stage::{Location, S3Stage},
};
use findata_domain::{Error, Symbol, clock::AnyClock, schema_version::SCHEMA_VERSION};
use findata_duckdb::{DuckDb, MemoryLimit, Reach, as_of};
use findata_fmp::{ClientSettings, FmpPlan, LIMIT_PAUSE, MOST_IN_FLIGHT_ON_LAPTOP, SourceKind};
use findata_models::Models;
use findata_pipeline::{command_input::Defaults, ttl_overrides::TtlOverrides};
use findata_snowflake::Settings;
use secrecy::SecretString;

use crate::{
    cli::{
        Failure,
        color::Display,
        config::Variables,
        last_home::{Found, LastHomes},
        note,
    },
    data_dir::DataDir,
    working_copy,
};

/// The global options, validated and with defaults applied.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedConfig {
    pub home: Found,
    /// Where to record the home of the last run; `None` if a stage or a warehouse outside of the
    /// home was given.
    pub last_homes: Option<LastHomes>,
    pub data_dir: DataDir,
    /// The stage and warehouse to use instead of the data directory, if they are on S3 and
    /// Snowflake.
    pub cloud: Option<Cloud>,
    pub fmp_url: String,
    pub fmp_plan: FmpPlan,
    /// How long a run's objects are kept if a rebuild does not need them; `None` keeps all objects
    /// for ever.
    pub keep: Option<TimeDelta>,
    /// Memory limit of DuckDB.
    pub memory: MemoryLimit,
    /// Maximum time to wait for another process that uses the DuckDB file.
    pub wait_lock: Duration,
    /// Maximum bytes received in 30 days, if set by the user; otherwise the FMP plan's limit
    /// applies.
    pub fmp_bytes: Option<u64>,
    /// Maximum number of calls in a burst, if set by the user; otherwise the plan's calls per
    /// minute apply.
    pub fmp_burst: Option<NonZeroU32>,
    pub index: Option<Symbol>,
    /// The user's metrics file, if an option or a variable names one, and the name of that option or
    /// variable.
    pub metrics: Option<(PathBuf, String)>,
    pub clock: AnyClock,
    pub as_of: Option<NaiveDate>,
    pub json: bool,
    /// What standard error can show.
    pub display: Display,
    /// The environment variables.
    pub variables: Variables,
}

/// The stage on S3 and the warehouse on Snowflake.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub stage: Location,
    pub snowflake: Settings,
}

impl Cloud {
    pub(crate) async fn open_stage(&self) -> Result<S3Stage, Error> {
        Ok(S3Stage::new(&findata_aws::config().await?, self.stage.clone()))
    }
}

impl ResolvedConfig {
    /// Opens the DuckDB warehouse for reading. With `--as-of`, the tables show what was known on
    /// that day.
    pub(crate) fn open_read_only(&self, reach: Reach<'_>) -> Result<Connection, Failure> {
        if self.cloud.is_none() {
            working_copy::publish_pending(&self.data_dir.warehouse);
        }
        match (&self.cloud, self.as_of) {
            (Some(_), _) => Err(Failure::Usage(
                "this command reads DuckDB only: query Snowflake with its own clients; the tables have the same names"
                    .into(),
            )),
            (None, Some(day)) => {
                Ok(as_of::open(&self.data_dir.warehouse, day, reach, self.memory, Models::built_in()?)?)
            }
            (None, None) => {
                let (connection, version) =
                    DuckDb::open_version(&self.data_dir.warehouse, reach, self.memory)?;
                if version.is_some_and(|version| version < SCHEMA_VERSION) {
                    // A command may open the file several times.
                    static NOTE: Once = Once::new();
                    NOTE.call_once(|| {
                        note(
                            "the warehouse has the tables of an earlier findata: `findata upgrade`, or the next run, brings \
                             them to the version of this one",
                        );
                    });
                }
                Ok(connection)
            }
        }
    }

    /// The exporter of traces, if a collector is set; a malformed address turns traces off with a warning.
    pub(crate) fn exporter(&self) -> Option<Exporter> {
        let variable = |name: &str| self.variables.text(name).map(str::to_owned);
        Exporter::from_variables(variable, "findata", None).unwrap_or_else(|error| {
            tracing::warn!(%error, "traces are off");
            None
        })
    }

    /// The warehouse's name in messages.
    pub(crate) fn warehouse(&self) -> String {
        match &self.cloud {
            Some(cloud) => format!("{} on Snowflake {}", cloud.snowflake.database, cloud.snowflake.account),
            None => self.data_dir.warehouse.display().to_string(),
        }
    }

    /// The defaults for options that a request does not set.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults {
            index: self.index.clone(),
            plan_limits: self.fmp_plan.plan_limits(SourceKind::of(&self.fmp_url)),
            ttl: TtlOverrides::default(),
        }
    }

    /// Settings of the FMP client. The key is separate because it comes only from the environment.
    pub(crate) fn fmp(&self, key: SecretString) -> ClientSettings {
        ClientSettings {
            url: self.fmp_url.clone(),
            key,
            plan: self.fmp_plan,
            bytes: self.fmp_bytes,
            burst: self.fmp_burst,
            in_flight: MOST_IN_FLIGHT_ON_LAPTOP,
            limit_pause: LIMIT_PAUSE,
            bulk_pause: SourceKind::of(&self.fmp_url).bulk_pause(),
            time_scale: Default::default(),
        }
    }
}
