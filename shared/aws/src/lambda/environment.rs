//! Reads the environment variables of a function. All problems are reported together, so that one deployment
//! can fix all of them.

use std::{env, fmt::Display, str::FromStr};

use aws_config::SdkConfig;
use chrono::NaiveDate;
use findata_domain::{Error, Result, Symbol, clock::AnyClock};
use findata_pipeline::telemetry::{Telemetry, trace::Tracer};

use crate::{otlp, s3_stage::Location};

/// The trimmed value of a variable; `None` if it is unset or empty.
#[expect(clippy::disallowed_methods, reason = "the edge reads the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The name of the stack.
pub(super) fn stack() -> Option<String> {
    variable("FINDATA_STACK")
}

/// Reads a function's environment variables and collects the problems with them.
#[derive(Debug, Default)]
pub struct Environment {
    problems: Vec<String>,
}

impl Environment {
    /// Reads a required variable. If it is not set, records a problem and returns an empty text.
    pub fn text(&mut self, name: &str) -> String {
        variable(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// Reads and parses an optional variable. Returns `None` if the variable is not set. If it is malformed, records a
    /// problem and returns `None`.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = variable(name)?;
        text.parse().map_err(|e| self.problems.push(format!("{name}: {text:?}: {e}"))).ok()
    }

    /// Reads settings with `read`, a function of another crate. `read` receives a function that reads variables, and
    /// the list to which it appends problems.
    pub fn read<T>(
        &mut self,
        read: impl FnOnce(&dyn Fn(&str) -> Option<String>, &mut Vec<String>) -> T,
    ) -> T {
        read(&variable, &mut self.problems)
    }

    fn stage(&mut self) -> Option<Location> {
        if variable("FINDATA_STAGE").is_none() {
            self.problems.push("FINDATA_STAGE is not set: set it to s3://BUCKET/PREFIX".into());
        }
        self.parsed("FINDATA_STAGE")
    }

    /// The market index for beta and correlation, from `FINDATA_INDEX`. The value `none` disables both.
    pub fn index(&mut self) -> Option<Symbol> {
        match variable("FINDATA_INDEX").as_deref() {
            None => Symbol::default_index(),
            Some("none") => None,
            Some(_) => self.parsed("FINDATA_INDEX"),
        }
    }

    /// The planning clock: the day in `FINDATA_TODAY`, or the system clock.
    pub fn clock(&mut self) -> AnyClock {
        AnyClock::of(self.parsed::<NaiveDate>("FINDATA_TODAY"))
    }

    /// The function's metrics, published under the stack name in `FINDATA_STACK`, and its traces.
    pub fn telemetry(&self) -> Telemetry {
        let tracer = if variable(otlp::ENDPOINT).is_some() {
            Tracer::on()
        } else {
            Tracer::default()
        };
        Telemetry::of(stack(), tracer)
    }

    /// The function's memory in GB; 0 outside Lambda.
    pub fn memory(&mut self) -> f64 {
        self.parsed::<f64>("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
            .map_or(0.0, |megabytes| megabytes / 1024.0)
    }

    /// Loads the SDK's configuration and returns it with the stage's location.
    ///
    /// # Errors
    /// `Config` that names all problems with the variables read so far.
    pub async fn open(mut self) -> Result<(SdkConfig, Location)> {
        let location = self.stage();
        match location {
            Some(location) if self.problems.is_empty() => Ok((crate::config().await?, location)),
            _ => Err(Error::Config(self.problems.join("; "))),
        }
    }
}
