//! Validates the global options.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use chrono::TimeDelta;
use findata_aws::s3_stage::Location;
use findata_domain::{Error, Symbol, clock::AnyClock, day};
use findata_duckdb::MemoryLimit;
use findata_fmp::{DEFAULT_URL, Fmp, FmpPlan, SourceKind};

use super::{
    Global,
    resolved::{Cloud, ResolvedConfig},
    usage_errors,
};
use crate::{
    cli::{
        Failure,
        last_home::{DEMO_HOME, DefaultHome, Found, HOME, LastHomes},
        output, snowflake_env,
    },
    data_dir::DataDir,
};

/// Days for which the objects of old runs are kept by default.
const DEFAULT_KEEP_DAYS: u16 = 90;

/// How long to wait for another process by default.
const DEFAULT_WAIT_LOCK: Duration = Duration::from_secs(600);

/// Parses a time such as `30s`, `10m`, `1h` or `0`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u32 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "" if number == 0 => 1,
        _ => return None,
    };
    Some(Duration::from_secs(seconds) * number)
}

impl Global {
    /// Validates all options and reports every invalid value at once: as a configuration error if
    /// any of them is from the environment, otherwise as a usage error.
    pub(crate) fn resolve(&self, default_home: DefaultHome) -> Result<ResolvedConfig, Failure> {
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
        let wait_lock = match self.wait_lock.as_deref().filter(|text| !text.is_empty()).map(duration) {
            None => DEFAULT_WAIT_LOCK,
            Some(Some(time)) => time,
            Some(None) => {
                errors.push(("wait_lock", "use a whole number with s, m or h, such as 30s".into()));
                DEFAULT_WAIT_LOCK
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
                let name = self.origin.name("fmp_url");
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
        if !errors.is_empty() {
            return Err(usage_errors(&errors, &self.origin));
        }
        let cloud = match s3_stage {
            Some(stage) => Some(Cloud {
                snowflake: snowflake_env::settings(&self.origin.variables, &stage)?,
                stage,
            }),
            None => None,
        };
        let last_homes = LastHomes::new(&self.origin.variables);
        let home = match &self.home {
            Some(home) => Found { home: home.clone(), reason: None },
            None => self.default_home(default_home, &last_homes),
        };
        let data_dir = DataDir::new(&home.home, stage.map(PathBuf::from), warehouse.map(PathBuf::from));
        if cloud.is_none() {
            data_dir.check()?;
        }
        let is_whole = self.stage.is_none() && self.warehouse.is_none();
        Ok(ResolvedConfig {
            home,
            last_homes: is_whole.then_some(last_homes),
            data_dir,
            cloud,
            fmp_url,
            fmp_plan,
            memory,
            wait_lock,
            keep: (keep_days > 0).then(|| TimeDelta::days(keep_days.into())),
            fmp_bytes,
            fmp_burst,
            index,
            metrics: self
                .metrics
                .clone()
                .filter(|path| !path.as_os_str().is_empty())
                .map(|path| (path, self.origin.name("metrics"))),
            clock,
            as_of,
            json: self.json,
            display: self.color.display(self.quiet, &self.origin.variables),
            variables: self.origin.variables.clone(),
        })
    }

    /// Returns the home of a command that is given none. If it is not the usual one, a note says so.
    fn default_home(&self, default_home: DefaultHome, last_homes: &LastHomes) -> Found {
        let usual = |home: &str| Found { home: home.into(), reason: None };
        // A home in which both parts are replaced is not read, except for the file of corrections.
        let is_replaced = self.warehouse.is_some() || self.stage.is_some();
        match default_home {
            DefaultHome::Demo => usual(DEMO_HOME),
            DefaultHome::LastRun if !is_replaced => {
                let found = last_homes.find();
                if let Some(reason) = found.reason {
                    output::note(&format!(
                        "using {}, {reason}; choose another one with --home",
                        found.home.display()
                    ));
                }
                found
            }
            DefaultHome::Own | DefaultHome::LastRun => usual(HOME),
        }
    }
}
