//! Global options. Each can also be set by a `FINDATA_` environment variable and in `findata.toml`.

mod metrics;
mod resolve;
mod resolved;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use findata_domain::Error;
pub(crate) use resolve::duration;
pub(crate) use resolved::{Cloud, ResolvedConfig};
use secrecy::SecretString;

use super::{Failure, color::Color, config::Config};

/// Options that every command accepts.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Folder that holds the stage and the DuckDB warehouse [default: ./findata-home; for commands that only read, the
    /// home of the last run in the current folder]
    #[arg(
        long,
        global = true,
        env = "FINDATA_HOME",
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Global"
    )]
    pub home: Option<PathBuf>,
    /// File with options; variables are read from `.env` in the same folder [default: findata.toml in the current
    /// folder, if it exists]
    #[arg(
        long,
        global = true,
        env = "FINDATA_CONFIG",
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Global"
    )]
    pub config: Option<PathBuf>,
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
        value_hint = ValueHint::AnyPath,
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
    /// How long to wait for another process that uses the warehouse, such as 30s, 10m or 1h
    /// [default: 10m]
    #[arg(
        long,
        global = true,
        env = "FINDATA_WAIT_LOCK",
        value_name = "TIME",
        help_heading = "Global"
    )]
    pub wait_lock: Option<String>,
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
    /// Read figures as they were known at 23:00 UTC on this day; for sql, explain, show, screen and export [default: now]
    #[arg(long, global = true, env = "FINDATA_AS_OF", value_name = "DATE", help_heading = "Global")]
    pub as_of: Option<String>,
    /// Print results as JSON on stdout; everything else goes to stderr [env: FINDATA_JSON=]
    #[arg(long, global = true, help_heading = "Global")]
    pub json: bool,
    /// Log progress to stderr; repeat to log every statement and model
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global")]
    pub verbose: u8,
    /// Print no progress, notes or warnings on stderr; errors and results remain [env: FINDATA_QUIET=]
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global")]
    pub quiet: bool,
    /// When to use colors: auto uses them on a terminal, unless NO_COLOR is set or TERM is `dumb`
    #[arg(
        long,
        global = true,
        env = "FINDATA_COLOR",
        value_name = "WHEN",
        value_enum,
        default_value_t,
        help_heading = "Global"
    )]
    pub color: Color,
    /// Where each value comes from, and the environment.
    #[arg(skip)]
    pub origin: Config,
}

impl Global {
    /// The API key.
    pub(crate) fn key(&self) -> Result<SecretString, Failure> {
        self.origin.variables.key()
    }
}

/// Joins the errors of all invalid values into one failure. Each error names the option, the
/// variable, or the line of the file.
fn usage_errors(errors: &[(&'static str, String)], origin: &Config) -> Failure {
    let text = errors
        .iter()
        .map(|(option, what)| format!("{}: {what}", origin.name(option)))
        .collect::<Vec<_>>()
        .join("; ");
    if errors.iter().any(|(option, _)| !origin.source(option).is_option()) {
        Failure::Run(Error::Config(text))
    } else {
        Failure::Usage(text)
    }
}
