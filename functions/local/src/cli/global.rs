//! Global options. Each can also be set by a `FINDATA_` environment variable.

use std::{env, num::NonZeroU32, path::PathBuf};

use ::duckdb::Connection;
use chrono::{NaiveDate, TimeDelta};
use clap::{ArgMatches, Args, parser::ValueSource};
use findata_aws::s3_stage::{Location, S3Stage};
use findata_domain::{Error, Symbol, clock::AnyClock, day};
use findata_duckdb::{DuckDb, MemoryLimit, Reach, as_of};
use findata_fmp::{
    ClientSettings, DEFAULT_URL, Fmp, FmpPlan, LIMIT_PAUSE, MOST_IN_FLIGHT_ON_LAPTOP, SourceKind,
};

use findata_models::Models;
use findata_pipeline::{command_input::Defaults, ttl_overrides::TtlOverrides};
use findata_snowflake::Settings;
use secrecy::SecretString;

use super::{Failure, snowflake_env};
use crate::data_dir::DataDir;

/// Days for which the objects of old runs are kept by default.
const DEFAULT_KEEP_DAYS: u16 = 90;

/// Options that every command accepts.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Folder that holds the stage and the DuckDB warehouse [default: ./findata-home]
    #[arg(long, global = true, env = "FINDATA_HOME", value_name = "DIR", help_heading = "Global")]
    pub home: Option<PathBuf>,
    /// Base URL of the FMP API, including `/stable` [default: FMP's own]
    #[arg(long, global = true, env = "FINDATA_FMP_URL", value_name = "URL", help_heading = "Global")]
    pub fmp_url: Option<String>,
    /// FMP plan, which sets the rate limit: free, starter, premium, ultimate, unlimited, or a number of calls per minute
    /// [default: premium for FMP's own host, unlimited elsewhere]
    #[arg(
        long,
        global = true,
        env = "FINDATA_FMP_PLAN",
        value_name = "PLAN",
        help_heading = "Global"
    )]
    pub fmp_plan: Option<String>,
    /// Bandwidth limit of the API key in GB per 30 days, for all users of the key together
    /// [default: 20 on starter, else none]
    #[arg(
        long,
        global = true,
        env = "FINDATA_FMP_GIGABYTES",
        value_name = "N",
        help_heading = "Global"
    )]
    pub fmp_gigabytes: Option<String>,
    /// Maximum number of calls in a burst, if FMP refuses larger bursts; calls are then spread
    /// evenly over the minute [default: the plan's calls per minute]
    #[arg(long, global = true, env = "FINDATA_FMP_BURST", value_name = "N", help_heading = "Global")]
    pub fmp_burst: Option<String>,
    /// Where fetched files are stored: a folder, or s3://BUCKET/PREFIX for Snowflake [default: `stage` in --home]
    #[arg(
        long,
        global = true,
        env = "FINDATA_STAGE",
        value_name = "DIR|s3://",
        help_heading = "Global"
    )]
    pub stage: Option<String>,
    /// duckdb:FILE, or snowflake with SNOWFLAKE_ACCOUNT and SNOWFLAKE_PRIVATE_KEY_FILE set
    /// [default: `findata.duckdb` in --home]
    #[arg(
        long,
        global = true,
        env = "FINDATA_WAREHOUSE",
        value_name = "WAREHOUSE",
        help_heading = "Global"
    )]
    pub warehouse: Option<String>,
    /// Memory limit of DuckDB, such as 800MB or 4GB, beyond which it spills to disk [default: half
    /// of this machine's memory]
    #[arg(long, global = true, env = "FINDATA_MEMORY", value_name = "SIZE", help_heading = "Global")]
    pub memory: Option<String>,
    /// Days after which the objects of a run are deleted, except those that a rebuild needs; 0
    /// keeps all [default: 90]
    #[arg(long, global = true, env = "FINDATA_KEEP_DAYS", value_name = "N", help_heading = "Global")]
    pub keep_days: Option<String>,
    /// Index for beta and correlation, or `none` [default: ^GSPC]
    #[arg(long, global = true, env = "FINDATA_INDEX", value_name = "SYMBOL", help_heading = "Global")]
    pub index: Option<String>,
    /// Plan and compute as if it were 23:00 UTC on this day
    #[arg(long, global = true, env = "FINDATA_TODAY", value_name = "DATE", help_heading = "Global")]
    pub today: Option<String>,
    /// Read figures as they were known at 23:00 UTC on this day; for sql and explain [default: now]
    #[arg(long, global = true, env = "FINDATA_AS_OF", value_name = "DATE", help_heading = "Global")]
    pub as_of: Option<String>,
    /// Print results as JSON on stdout; everything else goes to stderr [env: FINDATA_JSON=]
    #[arg(long, global = true, help_heading = "Global")]
    pub json: bool,
    /// Log progress to stderr; repeat to log every statement and model
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global")]
    pub verbose: u8,
}

/// Names of the global options whose value comes from the environment.
pub(crate) fn from_environment(matches: &ArgMatches) -> Vec<&'static str> {
    let subcommand = matches.subcommand().map(|(_, m)| m);
    let names = [
        "home",
        "fmp_url",
        "fmp_plan",
        "fmp_gigabytes",
        "fmp_burst",
        "stage",
        "warehouse",
        "memory",
        "keep_days",
        "index",
        "today",
        "as_of",
    ];
    let is_set = |name: &&str| {
        [Some(matches), subcommand]
            .into_iter()
            .flatten()
            .any(|m| m.value_source(name) == Some(ValueSource::EnvVariable))
    };
    names.into_iter().filter(is_set).collect()
}

/// The global options, validated and with defaults applied.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedConfig {
    pub data_dir: DataDir,
    /// Replaces the data directory when the run uses S3 and Snowflake.
    pub cloud: Option<Cloud>,
    pub fmp_url: String,
    pub fmp_plan: FmpPlan,
    /// How long a run's objects are kept if a rebuild does not need them; `None` keeps all objects
    /// for ever.
    pub keep: Option<TimeDelta>,
    /// Memory limit of DuckDB.
    pub memory: MemoryLimit,
    /// Maximum bytes received in 30 days, if set by the user; otherwise the FMP plan's limit
    /// applies.
    pub fmp_bytes: Option<u64>,
    /// Maximum number of calls in a burst, if set by the user; otherwise the calls of a minute.
    pub fmp_burst: Option<NonZeroU32>,
    pub index: Option<Symbol>,
    pub clock: AnyClock,
    pub as_of: Option<NaiveDate>,
    pub json: bool,
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

impl Global {
    /// Validates all options and reports every invalid value at once: as a configuration error if
    /// any of them is from the environment, otherwise as a usage error.
    pub(crate) fn resolve(
        &self,
        from_environment: &[&'static str],
        default_home: &str,
    ) -> Result<ResolvedConfig, Failure> {
        let mut errors: Vec<(&'static str, String)> = Vec::new();
        let fmp_url = self.fmp_url.clone().unwrap_or_else(|| DEFAULT_URL.into());
        let fmp_plan = match self.fmp_plan.as_deref().map(str::parse) {
            None => SourceKind::of(&fmp_url).default_plan(),
            Some(Ok(plan)) => plan,
            Some(Err(error)) => {
                errors.push(("fmp_plan", error.to_string()));
                FmpPlan::Free
            }
        };
        let fmp_bytes = self.fmp_gigabytes.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
            let gigabytes = text.parse::<u64>().ok().filter(|gigabytes| *gigabytes > 0);
            if gigabytes.is_none() {
                errors.push((
                    "fmp_gigabytes",
                    format!("{text:?} is not a number of gigabytes: use a whole number above 0"),
                ));
            }
            gigabytes.map(|gigabytes| gigabytes.saturating_mul(1_000_000_000))
        });
        let fmp_burst = self.fmp_burst.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
            let burst = text.parse::<NonZeroU32>().ok();
            if burst.is_none() {
                errors.push((
                    "fmp_burst",
                    format!("{text:?} is not a number of calls: use a whole number above 0"),
                ));
            }
            burst
        });
        let memory = match self.memory.as_deref().filter(|text| !text.is_empty()).map(str::parse) {
            None => MemoryLimit::of_machine(),
            Some(Ok(memory)) => memory,
            Some(Err(error)) => {
                let error: Error = error;
                errors.push(("memory", error.to_string()));
                MemoryLimit::of_machine()
            }
        };
        let keep_days = match self.keep_days.as_deref().filter(|text| !text.is_empty()).map(str::parse::<u16>)
        {
            None => DEFAULT_KEEP_DAYS,
            Some(Ok(days)) => days,
            Some(Err(_)) => {
                errors.push(("keep_days", "use a whole number of days, up to 65535".into()));
                DEFAULT_KEEP_DAYS
            }
        };
        let index = match self.index.as_deref() {
            None => Symbol::default_index(),
            Some("none" | "") => None,
            Some(text) => text.parse().map_err(|e: Error| errors.push(("index", e.to_string()))).ok(),
        };
        let mut day = |option, text: Option<&str>| {
            text.and_then(|text| day::parse(text).map_err(|e| errors.push((option, e.to_string()))).ok())
        };
        let clock = AnyClock::of(day("today", self.today.as_deref()));
        let as_of = day("as_of", self.as_of.as_deref());
        match Fmp::check_url(&fmp_url) {
            Ok(()) => {}
            // An address that contains a secret, or that would send the key unencrypted, is a
            // configuration error.
            Err(Error::Config(why)) => {
                let name = option_name("fmp_url", from_environment);
                return Err(Error::Config(format!("{name}: {why}")).into());
            }
            Err(error) => errors.push(("fmp_url", error.to_string())),
        }
        let mut s3_stage: Option<Location> = None;
        let stage = self.stage.as_deref().filter(|stage| {
            if stage.starts_with("s3://") {
                s3_stage = stage.parse().map_err(|e: Error| errors.push(("stage", e.to_string()))).ok();
            } else if stage.contains("://") {
                errors
                    .push(("stage", format!("{stage:?} is not a stage: use a folder or s3://BUCKET/PREFIX")));
            }
            !stage.contains("://")
        });
        let on_snowflake = self.warehouse.as_deref() == Some("snowflake");
        let warehouse = self.warehouse.as_deref().filter(|_| !on_snowflake).and_then(|text| {
            let file = text.strip_prefix("duckdb:").filter(|file| !file.is_empty());
            if file.is_none() {
                errors.push((
                    "warehouse",
                    format!("{text:?} is not a warehouse: use duckdb:FILE or snowflake"),
                ));
            }
            file
        });
        let is_s3 = self.stage.as_deref().is_some_and(|stage| stage.starts_with("s3://"));
        if on_snowflake && !is_s3 {
            errors.push(("warehouse", "Snowflake loads from S3: add --stage s3://BUCKET/PREFIX".into()));
        } else if is_s3 && !on_snowflake {
            errors.push((
                "stage",
                "DuckDB loads from a folder: use a folder, or add --warehouse snowflake".into(),
            ));
        }
        let mut from_environment = from_environment.to_vec();
        let json = json_from_environment().unwrap_or_else(|text| {
            from_environment.push("json");
            errors.push(("json", format!("{text:?} is neither true nor false")));
            false
        });
        if !errors.is_empty() {
            return Err(usage_errors(&errors, &from_environment));
        }
        let cloud = match s3_stage {
            Some(stage) => Some(Cloud { snowflake: snowflake_env::settings(&stage)?, stage }),
            None => None,
        };
        let folder = self.home.clone().unwrap_or_else(|| default_home.into());
        let data_dir = DataDir::new(&folder, stage.map(PathBuf::from), warehouse.map(PathBuf::from));
        if cloud.is_none() {
            data_dir.check()?;
        }
        let json = self.json || json;
        Ok(ResolvedConfig {
            data_dir,
            cloud,
            fmp_url,
            fmp_plan,
            memory,
            keep: (keep_days > 0).then(|| TimeDelta::days(keep_days.into())),
            fmp_bytes,
            fmp_burst,
            index,
            clock,
            as_of,
            json,
        })
    }
}

impl Global {
    /// Whether results are printed as JSON.
    pub(crate) fn wants_json(&self) -> Result<bool, Failure> {
        let invalid = |text| Error::Config(format!("FINDATA_JSON: {text:?} is neither true nor false"));
        Ok(self.json || json_from_environment().map_err(invalid)?)
    }
}

impl ResolvedConfig {
    /// Opens the DuckDB warehouse for reading. With `--as-of`, the tables show what was known on
    /// that day.
    pub(crate) fn open_read_only(&self, reach: Reach) -> Result<Connection, Failure> {
        match (&self.cloud, self.as_of) {
            (Some(_), _) => Err(Failure::Usage(
                "this command reads DuckDB only: query Snowflake with its own clients; the tables have the same names"
                    .into(),
            )),
            (None, Some(day)) => {
                Ok(as_of::open(&self.data_dir.warehouse, day, reach, self.memory, Models::built_in()?)?)
            }
            (None, None) => Ok(DuckDb::open_to_read(&self.data_dir.warehouse, reach, self.memory)?),
        }
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
        }
    }
}

/// Whether `FINDATA_JSON` is true. The error is the variable's value if it is neither true nor
/// false.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn json_from_environment() -> Result<bool, String> {
    let text = env::var("FINDATA_JSON").unwrap_or_default();
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(text),
    }
}

/// Reads the API key from `FMP_API_KEY`.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(crate) fn key() -> Result<SecretString, Failure> {
    match env::var("FMP_API_KEY") {
        Ok(key) if !key.trim().is_empty() => Ok(SecretString::from(key)),
        Err(env::VarError::NotUnicode(_)) => Err(Error::Config(
            "FMP_API_KEY is not UTF-8 text: copy the key again, it consists of letters and digits".into(),
        )
        .into()),
        _ => Err(Error::Config(
            "no FMP API key: set FMP_API_KEY (get a key at financialmodelingprep.com; `findata demo` needs none)"
                .into(),
        )
        .into()),
    }
}

/// Joins the errors of all invalid values into one failure. Each error names the option or the
/// variable.
fn usage_errors(errors: &[(&'static str, String)], from_environment: &[&'static str]) -> Failure {
    let name = |option: &str| option_name(option, from_environment);
    let text = errors
        .iter()
        .map(|(option, what)| format!("{}: {what}", name(option)))
        .collect::<Vec<_>>()
        .join("; ");
    if errors.iter().any(|(option, _)| from_environment.contains(option)) {
        Failure::Run(Error::Config(text))
    } else {
        Failure::Usage(text)
    }
}

/// Returns the option's name, or the variable's name if the value is from the environment.
fn option_name(option: &str, from_environment: &[&'static str]) -> String {
    if from_environment.contains(&option) {
        format!("FINDATA_{}", option.to_uppercase())
    } else {
        format!("--{}", option.replace('_', "-"))
    }
}
