//! Validates the global options.

use std::{num::NonZeroU32, path::PathBuf};

use chrono::TimeDelta;
use findata_aws::s3_stage::Location;
use findata_domain::{Error, Symbol, clock::AnyClock, day};
use findata_duckdb::MemoryLimit;
use findata_fmp::{DEFAULT_URL, Fmp, FmpPlan, SourceKind};

use super::{
    Global, json_from_environment, option_name,
    resolved::{Cloud, ResolvedConfig},
    usage_errors,
};
use crate::{
    cli::{Failure, snowflake_env},
    data_dir::DataDir,
};

/// Days for which the objects of old runs are kept by default.
const DEFAULT_KEEP_DAYS: u16 = 90;

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
            metrics: self
                .metrics
                .clone()
                .filter(|path| !path.as_os_str().is_empty())
                .map(|path| (path, option_name("metrics", &from_environment))),
            clock,
            as_of,
            json,
        })
    }
}
