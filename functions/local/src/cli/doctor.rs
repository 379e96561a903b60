//! `findata doctor`: shows the configuration and checks the setup.

use findata_domain::clock::{Clock, SystemClock};
use findata_duckdb::MemoryLimit;
use serde::Serialize;

use super::{
    Failure,
    config::Source,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    print, print_json, terminal,
};
use crate::{
    doctor::{self, Check},
    render::table::fill_indented,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Call FMP once, to check the key and measure the latency
    #[arg(long)]
    probe: bool,
    /// Check this stack on AWS instead of the setup of this machine
    #[arg(long, value_name = "STACK", conflicts_with = "probe", value_parser = stack_name)]
    aws: Option<String>,
}

/// The name of a stack on AWS.
fn stack_name(text: &str) -> Result<String, String> {
    let is_valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match is_valid {
        true => Ok(text.to_owned()),
        false => Err("the name of a stack has only letters, digits and -, and begins with a letter".into()),
    }
}

/// A value of the configuration, and where it comes from.
#[derive(Debug, Serialize)]
struct Effective {
    name: String,
    value: String,
    source: String,
}

/// The output of `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    settings: &'a [Effective],
    checks: &'a [Check],
}

pub(crate) async fn doctor(global: &Global, args: &Args) -> Result<u8, Failure> {
    if let Some(stack) = &args.aws {
        let config = findata_aws::config().await?;
        let checks = doctor::aws(&config, stack, SystemClock.now()).await?;
        return report(&[], &checks, global.json);
    }
    let config = global.resolve(DefaultHome::LastRun)?;
    let key = global.key();
    let mut checks = vec![match &key {
        Ok(_) if args.probe => Check::ok("key", "FMP_API_KEY is set"),
        Ok(_) => Check::ok("key", "FMP_API_KEY is set; --probe asks FMP whether it is valid"),
        Err(error) => {
            Check::failed("key", error.text(), "set the variable FMP_API_KEY, in the environment or in .env")
        }
    }];
    if let (true, Ok(key)) = (args.probe, key) {
        checks.push(doctor::probe(&config.fmp(key)).await);
    }
    match &config.cloud {
        None => checks.extend(doctor::data_dir(&config.data_dir, config.memory)),
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            checks.push(doctor::stage(&stage, &cloud.stage.to_string()).await);
            checks.extend(doctor::snowflake(&cloud.snowflake, findata_models::Models::built_in()?).await?);
        }
    }
    report(&effective(global, &config), &checks, config.json)
}

fn report(settings: &[Effective], checks: &[Check], json: bool) -> Result<u8, Failure> {
    if json {
        print_json(&Report { settings, checks })?;
    } else {
        print(&text(settings, checks, terminal::width()))?;
    }
    Ok(if checks.iter().all(|check| check.fix.is_none()) { 0 } else { 5 })
}

/// Returns the values in use. The API key and the key of Snowflake are not shown.
fn effective(global: &Global, config: &ResolvedConfig) -> Vec<Effective> {
    let origin = &global.origin;
    let mut found = Vec::new();
    let mut add = |name: &str, value: String, source: String| {
        found.push(Effective { name: name.to_owned(), value, source });
    };
    let home = match (origin.source("home"), config.home.reason) {
        (Source::Default, Some(reason)) => reason.to_owned(),
        (source, _) => source.to_string(),
    };
    add("home", config.home.home.display().to_string(), home);
    let stage = match &config.cloud {
        Some(cloud) => cloud.stage.to_string(),
        None => config.data_dir.stage.display().to_string(),
    };
    let or = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
    let days = |keep: chrono::TimeDelta| format!("{} days", keep.num_days());
    let values = [
        ("stage", stage),
        ("warehouse", config.warehouse()),
        ("fmp_url", config.fmp_url.clone()),
        ("fmp_plan", config.fmp_plan.to_string()),
        (
            "fmp_gigabytes",
            or(config.fmp_bytes.map(|bytes| (bytes / 1_000_000_000).to_string()), "limit of the plan"),
        ),
        ("fmp_burst", or(config.fmp_burst.map(|burst| burst.to_string()), "limit of the plan")),
        ("memory", memory(config.memory)),
        ("wait_lock", format!("{} s", config.wait_lock.as_secs())),
        (
            "metrics",
            or(
                config.metrics.as_ref().map(|(path, _)| path.display().to_string()),
                "metrics.toml in the home or on the stage",
            ),
        ),
        ("keep_days", or(config.keep.map(days), "all")),
        ("index", or(config.index.as_ref().map(ToString::to_string), "none")),
        ("today", or(global.today.clone(), "the current day")),
        ("as_of", or(config.as_of.map(|day| day.to_string()), "now")),
    ];
    for (id, value) in values {
        add(&id.replace('_', "-"), value, origin.source(id).to_string());
    }
    if let Some((_, source)) = origin.variables.get("FMP_API_KEY") {
        add("FMP_API_KEY", "(set)".into(), source.to_string());
    }
    for (setting, source) in origin.command_settings() {
        let (name, value) = setting.split_once(" = ").unwrap_or((&setting, ""));
        add(name, value.to_owned(), source.to_string());
    }
    found
}

fn memory(limit: MemoryLimit) -> String {
    let text = limit.to_string();
    text.trim_end_matches('B').parse().map_or(text.clone(), crate::render::bytes)
}

/// Formats the settings and checks. No line is longer than `width`.
fn text(settings: &[Effective], checks: &[Check], width: usize) -> String {
    let widest = |of: fn(&Effective) -> &str, most: usize| {
        let widths = settings.iter().map(|s| of(s).chars().count());
        widths.filter(|width| *width <= most).max().unwrap_or(0)
    };
    let (names, values) = (widest(|s| &s.name, 30), widest(|s| &s.value, 44));
    let mut lines = Vec::new();
    for setting in settings {
        let Effective { name, value, source } = setting;
        let line = format!("{name:<names$}  {value:<values$}  {source}");
        if line.chars().count() <= width {
            lines.push(line);
        } else {
            lines.push(fill_indented(&format!("{name:<names$}  {value}"), width, 0, 4));
            lines.push(fill_indented(source, width, 4, 4));
        }
    }
    if !settings.is_empty() {
        lines.push(String::new());
    }
    for check in checks {
        let state = if check.fix.is_none() { "ok  " } else { "FAIL" };
        let found = format!("{state}  {}: {}", check.what, check.found);
        lines.push(fill_indented(&found, width, 0, 6));
        lines.extend(check.fix.iter().map(|fix| fill_indented(fix, width, 6, 6)));
    }
    lines.push(String::new());
    lines.join("\n")
}
