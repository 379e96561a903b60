//! Options of every command, each also a `FINDATA_` variable.

use std::{env, path::PathBuf};

use ::duckdb::Connection;
use chrono::NaiveDate;
use clap::{ArgMatches, Args, parser::ValueSource};
use findata_aws::s3_stage::{Location, S3Stage};
use findata_domain::{Error, Symbol, clock::AnyClock};
use findata_fmp::{ClientSettings, DEFAULT_URL, Fmp, FmpPlan, LIMIT_PAUSE, SourceKind};

use secrecy::SecretString;

use super::{Failure, snowflake as variables};
use crate::data_dir::DataDir;
use findata_duckdb::{DuckDb, as_of};

/// Most calls in flight at once. Without a limit of calls more would only queue on two cores; at 3,000 calls a minute
/// and a second's answer 50 are in flight.
const IN_FLIGHT: usize = 512;

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Folder of the warehouse, the stage and the report [default: ./findata-home]
    #[arg(long, global = true, env = "FINDATA_HOME", value_name = "DIR", help_heading = "Global")]
    pub home: Option<PathBuf>,
    /// Base address of the FMP API, `/stable` included [default: FMP's own]
    #[arg(long, global = true, env = "FINDATA_FMP_URL", value_name = "URL", help_heading = "Global")]
    pub fmp_url: Option<String>,
    /// free, starter, premium, ultimate, unlimited or calls a minute [default: premium for FMP's own host, unlimited elsewhere]
    #[arg(long, global = true, env = "FINDATA_FMP_PLAN", value_name = "PLAN", help_heading = "Global")]
    pub fmp_plan: Option<String>,
    /// GB that FMP may send in 30 days to all who have the key [default: 20 on starter, no limit on others]
    #[arg(long, global = true, env = "FINDATA_FMP_GIGABYTES", value_name = "N", help_heading = "Global")]
    pub fmp_gigabytes: Option<String>,
    /// Where files land, if not in the home: a folder, or s3://BUCKET/PREFIX for Snowflake
    #[arg(long, global = true, env = "FINDATA_STAGE", value_name = "DIR|s3://", help_heading = "Global")]
    pub stage: Option<String>,
    /// duckdb:FILE, if not in the home; or snowflake, with SNOWFLAKE_ACCOUNT and SNOWFLAKE_PRIVATE_KEY_FILE
    #[arg(long, global = true, env = "FINDATA_WAREHOUSE", value_name = "WAREHOUSE", help_heading = "Global")]
    pub warehouse: Option<String>,
    /// Index for beta and correlation; `none` for no index [default: ^GSPC]
    #[arg(long, global = true, env = "FINDATA_INDEX", value_name = "SYMBOL", help_heading = "Global")]
    pub index: Option<String>,
    /// Plan and compute as if it were 23:00 UTC of that day
    #[arg(long, global = true, env = "FINDATA_TODAY", value_name = "DATE", help_heading = "Global")]
    pub today: Option<String>,
    /// Read figures as they were known on that day, 23:00 UTC (sql, explain) [default: now]
    #[arg(long, global = true, env = "FINDATA_AS_OF", value_name = "DATE", help_heading = "Global")]
    pub as_of: Option<String>,
    /// Results as JSON on stdout, everything else on stderr [env: FINDATA_JSON=]
    #[arg(long, global = true, help_heading = "Global")]
    pub json: bool,
    /// Say more; twice for every statement and model
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global")]
    pub verbose: u8,
}

/// Names of the global options whose value came from the environment.
pub(crate) fn from_environment(matches: &ArgMatches) -> Vec<&'static str> {
    let inner = matches.subcommand().map(|(_, m)| m);
    let names = ["home", "fmp_url", "fmp_plan", "fmp_gigabytes", "stage", "warehouse", "index", "today", "as_of"];
    let set = |name: &&str| {
        [Some(matches), inner].into_iter().flatten().any(|m| m.value_source(name) == Some(ValueSource::EnvVariable))
    };
    names.into_iter().filter(set).collect()
}

/// The global options, checked.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedConfig {
    pub home: DataDir,
    /// Instead of the home.
    pub cloud: Option<Cloud>,
    pub fmp_url: String,
    pub fmp_plan: FmpPlan,
    /// Bytes that may be received in 30 days, where the plan does not say it.
    pub fmp_bytes: Option<u64>,
    pub index: Option<Symbol>,
    pub clock: AnyClock,
    pub as_of: Option<NaiveDate>,
    pub json: bool,
}

/// S3 and Snowflake.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub stage: Location,
    pub snowflake: findata_snowflake::Settings,
}

impl Cloud {
    pub(crate) async fn open_stage(&self) -> Result<S3Stage, Error> {
        Ok(S3Stage::new(&findata_aws::config().await?, self.stage.clone()))
    }
}

impl Global {
    /// Checks everything and names all that is wrong at once: usage for an option, configuration for a variable.
    pub(crate) fn settle(&self, from_environment: &[&'static str], home: &str) -> Result<ResolvedConfig, Failure> {
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        let fmp_url = self.fmp_url.clone().unwrap_or_else(|| DEFAULT_URL.into());
        let fmp_plan = match self.fmp_plan.as_deref().map(str::parse) {
            None => SourceKind::of(&fmp_url).default_plan(),
            Some(Ok(plan)) => plan,
            Some(Err(error)) => {
                wrong.push(("fmp_plan", error.to_string()));
                FmpPlan::Free
            }
        };
        let fmp_bytes = self.fmp_gigabytes.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
            let gigabytes = text.parse::<u64>().ok().filter(|gigabytes| *gigabytes > 0);
            if gigabytes.is_none() {
                wrong.push(("fmp_gigabytes", format!("{text:?} is no number of gigabytes")));
            }
            gigabytes.map(|gigabytes| gigabytes.saturating_mul(1_000_000_000))
        });
        let index = match self.index.as_deref() {
            None => Symbol::default_index(),
            Some("none" | "") => None,
            Some(text) => text.parse().map_err(|e: Error| wrong.push(("index", e.to_string()))).ok(),
        };
        let mut day = |option, text: Option<&str>| {
            let no_date = |text| format!("{text:?} is no date: write it as 2026-11-20");
            text.and_then(|text| text.parse::<NaiveDate>().map_err(|_| wrong.push((option, no_date(text)))).ok())
        };
        let clock = AnyClock::of(day("today", self.today.as_deref()));
        let as_of = day("as_of", self.as_of.as_deref());
        if let Err(error) = Fmp::check_url(&fmp_url) {
            wrong.push(("fmp_url", error.to_string()));
        }
        let mut place: Option<Location> = None;
        let stage = self.stage.as_deref().filter(|stage| {
            if stage.starts_with("s3://") {
                place = stage.parse().map_err(|e: Error| wrong.push(("stage", e.to_string()))).ok();
            } else if stage.contains("://") {
                wrong.push(("stage", format!("{stage:?} is no stage: use a folder or s3://BUCKET/PREFIX")));
            }
            !stage.contains("://")
        });
        let on_snowflake = self.warehouse.as_deref() == Some("snowflake");
        let warehouse = self.warehouse.as_deref().filter(|_| !on_snowflake).and_then(|text| {
            let file = text.strip_prefix("duckdb:").filter(|file| !file.is_empty());
            if file.is_none() {
                wrong.push(("warehouse", format!("{text:?} is no warehouse: use duckdb:FILE or snowflake")));
            }
            file
        });
        let is_s3 = self.stage.as_deref().is_some_and(|stage| stage.starts_with("s3://"));
        if on_snowflake && !is_s3 {
            wrong.push(("warehouse", "Snowflake reads from S3: give --stage s3://BUCKET/PREFIX too".into()));
        } else if is_s3 && !on_snowflake {
            wrong.push(("stage", "DuckDB reads from a folder: s3:// goes with --warehouse snowflake".into()));
        }
        let mut from_environment = from_environment.to_vec();
        let json = json_variable().unwrap_or_else(|text| {
            from_environment.push("json");
            wrong.push(("json", format!("{text:?} is neither true nor false")));
            false
        });
        if !wrong.is_empty() {
            return Err(usage_errors(&wrong, &from_environment));
        }
        let cloud = match place {
            Some(place) => Some(Cloud { snowflake: variables::settings(&place)?, stage: place }),
            None => None,
        };
        let folder = self.home.clone().unwrap_or_else(|| home.into());
        let home = DataDir::new(&folder, stage.map(PathBuf::from), warehouse.map(PathBuf::from));
        Ok(ResolvedConfig { home, cloud, fmp_url, fmp_plan, fmp_bytes, index, clock, as_of, json: self.json || json })
    }
}

impl Global {
    /// Whether results are to be JSON.
    pub(crate) fn wants_json(&self) -> Result<bool, Failure> {
        let wrong = |text| Error::Config(format!("FINDATA_JSON: {text:?} is neither true nor false"));
        Ok(self.json || json_variable().map_err(wrong)?)
    }
}

impl ResolvedConfig {
    /// The warehouse to read from, as it was known on the day of `--as-of` where one is given.
    pub(crate) fn open_to_read(&self) -> Result<Connection, Failure> {
        match (&self.cloud, self.as_of) {
            (Some(_), _) => Err(Failure::Usage(
                "this reads DuckDB: on Snowflake ask with its own clients, the tables have the same names".into(),
            )),
            (None, Some(day)) => Ok(as_of::open(&self.home.warehouse, day)?),
            (None, None) => Ok(DuckDb::open_to_read(&self.home.warehouse)?),
        }
    }

    /// The warehouse, as a person knows it.
    pub(crate) fn warehouse(&self) -> String {
        match &self.cloud {
            Some(cloud) => format!("{} on Snowflake {}", cloud.snowflake.database, cloud.snowflake.account),
            None => self.home.warehouse.display().to_string(),
        }
    }

    /// What the client is built from; the key comes from the environment alone.
    pub(crate) fn fmp(&self, key: SecretString) -> ClientSettings {
        ClientSettings {
            url: self.fmp_url.clone(),
            key,
            plan: self.fmp_plan,
            bytes: self.fmp_bytes,
            in_flight: IN_FLIGHT,
            limit_pause: LIMIT_PAUSE,
            bulk_pause: SourceKind::of(&self.fmp_url).bulk_pause(),
        }
    }
}

/// Whether `FINDATA_JSON` asks for JSON; its text where it says neither.
#[expect(clippy::disallowed_methods, reason = "the edge reads the environment")]
fn json_variable() -> Result<bool, String> {
    let text = env::var("FINDATA_JSON").unwrap_or_default();
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(text),
    }
}

/// The key, from `FMP_API_KEY`.
#[expect(clippy::disallowed_methods, reason = "the edge reads the environment")]
pub(crate) fn key() -> Result<SecretString, Failure> {
    match env::var("FMP_API_KEY") {
        Ok(key) if !key.trim().is_empty() => Ok(SecretString::from(key)),
        _ => Err(Error::Config(
            "no FMP key: put it in the variable FMP_API_KEY (keys come from financialmodelingprep.com; `findata demo` needs none)".into(),
        )
        .into()),
    }
}

/// All that is wrong, each with its option or its variable.
fn usage_errors(wrong: &[(&'static str, String)], from_environment: &[&'static str]) -> Failure {
    let name = |option: &str| {
        if from_environment.contains(&option) {
            format!("FINDATA_{}", option.to_uppercase())
        } else {
            format!("--{}", option.replace('_', "-"))
        }
    };
    let text = wrong.iter().map(|(option, what)| format!("{}: {what}", name(option))).collect::<Vec<_>>().join("; ");
    if wrong.iter().any(|(option, _)| from_environment.contains(option)) {
        Failure::Run(Error::Config(text))
    } else {
        Failure::Usage(text)
    }
}
