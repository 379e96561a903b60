//! The command line. Environment and clock are read here and nowhere else.

mod demo;
mod dictionary;
mod doctor;
mod explain;
mod global;
mod invoke;
mod plan;
mod progress;
mod request;
mod retry;
mod run;
mod serve;
mod setup_sql;
mod snowflake;
mod sql;

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use findata_domain::Error;
use tracing_subscriber::EnvFilter;

use global::Global;

/// Fundamentals and prices from Financial Modeling Prep, with TTM figures, ratios and market metrics computed from them.
#[derive(Debug, Parser)]
#[command(
    name = "findata",
    version,
    max_term_width = 110,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole job on a built-in synthetic FMP: no key, no account, no network
    Demo(demo::Args),
    /// The whole job: plan, fetch, load, compute, show
    Run(run::Args),
    /// What `run` would fetch and why, and what it would cost; calls nothing
    Plan(plan::Args),
    /// Do what failed in a run again, and nothing else
    Retry(retry::Args),
    /// Ask a bundle that is deployed on AWS for a run
    Invoke(invoke::Args),
    /// Query the warehouse
    Sql(sql::Args),
    /// Where a figure comes from: formula, inputs, rows and files, or why it is NULL
    Explain(explain::Args),
    /// What every column of every table is, as Markdown
    Dictionary(dictionary::Args),
    /// The script that sets a Snowflake account up, for Snowsight or snowsql
    SetupSql(setup_sql::Args),
    /// Check key, stage, warehouse and grants, and say the fix of what is wrong
    Doctor(doctor::Args),
    /// Serve the synthetic FMP on a port of this machine
    FmpServer(serve::Args),
}

impl Command {
    /// Whether it reads figures, so that they can be read as of a day.
    fn reads_figures(&self) -> bool {
        matches!(self, Command::Sql(_) | Command::Explain(_))
    }
}

/// What went wrong on the way to an exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller's words are off: exit code 2.
    Usage(String),
    /// An error of the run.
    Run(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Run(error)
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Run(Error::Reject(_) | Error::NotOffered(_)) => 2,
            Failure::Run(Error::Config(_)) => 5,
            Failure::Run(Error::Budget(_)) => 4,
            Failure::Run(Error::Retry { .. } | Error::Stop(_) | Error::NotInPlan(_)) => 1,
        }
    }

    fn text(&self) -> String {
        match self {
            Failure::Usage(text) => text.clone(),
            Failure::Run(error) => error.to_string(),
        }
    }
}

/// Writes to standard output. A reader that has gone, as `head` does, wants no more and is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Stop(format!("cannot write to standard output: {e}")).into())
        }
        _ => Ok(()),
    }
}

/// Parses the command line, does what it says and gives the exit code.
pub fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = Cli::from_arg_matches(&matches).map_err(|e| Failure::Usage(e.to_string())).and_then(|cli| {
        log(cli.global.verbose);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Stop(format!("cannot start: {e}")))?;
        let from_environment = global::from_environment(&matches);
        runtime.block_on(dispatch(cli, &from_environment))
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("findata: {}", failure.text());
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn dispatch(cli: Cli, from_environment: &[&'static str]) -> Result<u8, Failure> {
    if cli.global.as_of.is_some() && !from_environment.contains(&"as_of") && !cli.command.reads_figures() {
        return Err(Failure::Usage("--as-of is for commands that read figures: sql, explain".into()));
    }
    match cli.command {
        Command::Demo(args) => demo::demo(&cli.global, from_environment, &args).await,
        Command::Run(args) => run::run(&cli.global, from_environment, &args).await,
        Command::Plan(args) => plan::plan(&cli.global, from_environment, &args).await,
        Command::Retry(args) => retry::retry(&cli.global, from_environment, &args).await,
        Command::Invoke(args) => invoke::invoke(&cli.global, &args).await,
        Command::Sql(args) => sql::sql(&cli.global, from_environment, &args),
        Command::Explain(args) => explain::explain(&cli.global, from_environment, &args),
        Command::Dictionary(args) => dictionary::dictionary(&cli.global, from_environment, &args),
        Command::SetupSql(args) => setup_sql::setup_sql(&cli.global, from_environment, &args),
        Command::Doctor(args) => doctor::doctor(&cli.global, from_environment, &args).await,
        Command::FmpServer(args) => serve::serve(&cli.global, from_environment, &args).await,
    }
}

/// What is said on standard error: warnings, with `-v` what our functions do, with `-vv` every statement and model.
fn log(verbose: u8) {
    const OURS: [&str; 6] = ["shared", "fanout", "extract", "load", "analytics", "local"];
    let (ours, others) = match verbose {
        0 => ("warn", "warn"),
        1 => ("info", "warn"),
        _ => ("debug", "info"),
    };
    let ours: Vec<String> = OURS.iter().map(|name| format!("findata_{name}={ours}")).collect();
    let level = format!("{others},{}", ours.join(","));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{level},aws_config=error")))
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
