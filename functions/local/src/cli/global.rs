//! Global options. Each can also be set by a `FINDATA_` environment variable.

mod metrics;
mod resolve;
mod resolved;

use std::{env, path::PathBuf};

use clap::{ArgMatches, Args, parser::ValueSource};
use findata_domain::Error;
pub(crate) use resolved::ResolvedConfig;
use secrecy::SecretString;

use super::Failure;

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
    /// Largest number of calls made at once; further calls are spread evenly over the minute. Set it if
    /// FMP refuses larger bursts [default: the plan's calls per minute]
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
    /// Days after which the objects of a run are deleted, except those that a rebuild of the warehouse needs; 0 keeps
    /// all [default: 90]
    #[arg(long, global = true, env = "FINDATA_KEEP_DAYS", value_name = "N", help_heading = "Global")]
    pub keep_days: Option<String>,
    /// Index for beta and correlation, or `none` [default: ^GSPC]
    #[arg(long, global = true, env = "FINDATA_INDEX", value_name = "SYMBOL", help_heading = "Global")]
    pub index: Option<String>,
    /// File with your own metrics, in addition to the built-in ones [default: `metrics.toml` in --home, else
    /// `state/metrics.toml` on the stage, if they exist]
    #[arg(long, global = true, env = "FINDATA_METRICS", value_name = "FILE", help_heading = "Global")]
    pub metrics: Option<PathBuf>,
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
        "metrics",
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

impl Global {
    /// Whether results are printed as JSON.
    pub(crate) fn wants_json(&self) -> Result<bool, Failure> {
        let invalid = |text| Error::Config(format!("FINDATA_JSON: {text:?} is neither true nor false"));
        Ok(self.json || json_from_environment().map_err(invalid)?)
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
