//! The command line, one file per command. Only this module and its submodules read the environment
//! and the real clock.

mod bench;
mod color;
mod completions;
mod config;
#[cfg(test)]
mod coverage;
mod demo;
mod dictionary;
mod diff;
mod doctor;
mod explain;
mod export;
mod fmp_server;
mod global;
mod invoke;
mod last_home;
mod models;
mod nearest;
mod outlook;
mod output;
mod plan;
mod progress;
mod prune;
mod replay;
mod report;
mod request;
mod retry;
mod run;
mod screen;
mod setup_sql;
mod show;
mod signals;
mod snowflake_env;
mod sql;
mod status;
mod stream;
mod symbol_file;
mod terminal;
mod universe;
mod upgrade;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use findata_domain::Error;
use tracing_subscriber::EnvFilter;

use color::Color;
use config::{Refused, Source, Variables};
use global::Global;
use output::{Report, note, print, print_json};
use signals::{Signal, Signals};

/// Load fundamentals and prices from Financial Modeling Prep and compute TTM figures, ratios and market metrics
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
    /// Try a complete run against a built-in synthetic FMP; needs no key, account or network
    Demo(demo::Args),
    /// Plan, fetch, load and compute, then print a summary
    Run(run::Args),
    /// Show what `run` would fetch, why, and how many calls it takes; calls FMP only with --probe
    Plan(plan::Args),
    /// Repeat only the failed tasks of an earlier run
    Retry(retry::Args),
    /// Load runs from the stage that are missing in the warehouse and compute their figures,
    /// without calling FMP
    Replay(replay::Args),
    /// Delete the objects of old runs from the stage, except those that a rebuild of the warehouse
    /// needs
    Prune(prune::Args),
    /// Land market prices from standard input or FMP, and load them into one-minute bars
    Stream(stream::Args),
    /// Start a run in a deployment on AWS
    Invoke(invoke::Args),
    /// Store named lists of symbols on the stage, for the schedule of a deployment and for `invoke`
    Universe(universe::Args),
    /// Show past runs, a run in progress, the call budget, and what is due
    Status(status::Args),
    /// Query the DuckDB warehouse
    Sql(sql::Args),
    /// Trace a figure to its formula, inputs, rows and files, or explain why it is NULL
    Explain(explain::Args),
    /// Show the newest figures of a company on one screen
    Show(show::Args),
    /// List the companies whose newest figures meet a condition
    Screen(screen::Args),
    /// Show which figures changed between two runs, and why
    Diff(diff::Args),
    /// Write tables or the result of a query as Parquet, CSV or Excel files
    Export(export::Args),
    /// Write a report as one HTML file: the runs, all companies and their figures, or a few companies
    /// in detail
    Report(report::Args),
    /// Describe every table and column, as Markdown
    Dictionary(dictionary::Args),
    /// List the SQL models that compute the figures, or print one as it is executed
    Models(models::Args),
    /// Bring the tables of the warehouse to the version of this build, or go back
    Upgrade(upgrade::Args),
    /// Print the SQL script that sets up a Snowflake account, for Snowsight or snowsql
    SetupSql(setup_sql::Args),
    /// Show the configuration; check the API key, stage, warehouse and grants, and suggest fixes; creates nothing
    Doctor(doctor::Args),
    /// Print the script that completes commands and options in a shell
    Completions(completions::Args),
    /// Print the manual page, or write the pages of all commands
    Man(completions::ManArgs),
    /// Serve the synthetic FMP on a local port
    FmpServer(fmp_server::Args),
    /// Measure time, memory and calls of whole runs against the synthetic FMP
    Bench(bench::Args),
}

impl Command {
    /// Whether the command reads figures and therefore accepts `--as-of`.
    fn reads_figures(&self) -> bool {
        matches!(
            self,
            Command::Sql(_)
                | Command::Explain(_)
                | Command::Show(_)
                | Command::Screen(_)
                | Command::Export(_)
        )
    }
}

/// Why a command failed. The variant determines the exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Invalid arguments: exit code 2.
    Usage(String),
    /// An error while the command ran.
    Run(Error),
    /// A signal stopped the command. The text says which results are kept.
    Signal(Signal, String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Run(error)
    }
}

impl Failure {
    /// The class of the failure, and what the caller can do about it.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Failure::Usage(_) => ("usage", "correct the arguments; `findata COMMAND --help` describes them"),
            Failure::Signal(..) | Failure::Run(Error::Interrupted(_)) => {
                ("interrupted", "run again: the next run continues")
            }
            Failure::Run(Error::Retry { .. } | Error::OutOfTime(_)) => {
                ("temporary", "run again: the same command may succeed")
            }
            Failure::Run(Error::Reject(_)) => ("rejected", "change the request: the same one fails again"),
            Failure::Run(Error::NotOffered(_)) => ("not_offered", "leave out what FMP does not offer"),
            Failure::Run(Error::NotInPlan(_)) => ("not_in_plan", "leave it out, or use a larger FMP plan"),
            Failure::Run(Error::Unreachable(_)) => {
                ("stopped", "check the network and --fmp-url, then run again")
            }
            Failure::Run(Error::Stop(_)) => ("stopped", "fix what the message names, then run again"),
            Failure::Run(Error::Damaged(_)) => ("damaged", "repair what the message names, then run again"),
            Failure::Run(Error::Budget(_)) => {
                ("budget", "run again when calls are left; see `findata status`")
            }
            Failure::Run(Error::CallLimit(_)) => ("call_limit", "run again when FMP accepts calls again"),
            Failure::Run(Error::Resource(_)) => {
                ("resource", "free what this machine lacks, then run again; the data is intact")
            }
            Failure::Run(Error::Config(_)) => {
                ("configuration", "correct what the message names, then run again; nothing was changed")
            }
        }
    }

    fn report(&self) {
        let (kind, hint) = self.kind();
        output::failure(&Report {
            kind,
            message: &self.text(),
            hint,
            exit_code: self.exit_code(),
        });
    }

    fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Run(Error::Reject(_) | Error::NotOffered(_)) => 2,
            Failure::Signal(signal, _) => signal.exit_code(),
            Failure::Run(Error::Config(_)) => 5,
            Failure::Run(Error::Budget(_) | Error::CallLimit(_)) => 4,
            Failure::Run(
                Error::Retry { .. }
                | Error::Stop(_)
                | Error::Unreachable(_)
                | Error::NotInPlan(_)
                | Error::Resource(_)
                | Error::Damaged(_)
                | Error::Interrupted(_)
                | Error::OutOfTime(_),
            ) => 1,
        }
    }

    fn text(&self) -> String {
        match self {
            Failure::Usage(text) => text.clone(),
            Failure::Signal(signal, text) => format!("stopped by {} {text}", signal.name()),
            Failure::Run(error) => error.to_string(),
        }
    }
}

/// Parses the command line, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let variables = Variables::of_process();
    output::set_json(
        arguments
            .iter()
            .take_while(|argument| *argument != "--")
            .any(|argument| argument == "--json"),
    );
    let command = Cli::command().color(Color::for_help(&arguments, &variables));
    let result = match config::parse(command, &arguments, variables) {
        Ok((matches, origin)) => Cli::from_arg_matches(&matches)
            .map_err(|e| Failure::Usage(e.to_string()))
            .and_then(|mut cli| {
                cli.global.origin = origin;
                start(cli)
            }),
        Err(Refused::Arguments(error)) => return show_clap(&error),
        Err(Refused::Configuration(failure)) => Err(failure),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.exit_code())
        }
    }
}

fn start(cli: Cli) -> Result<u8, Failure> {
    output::set_quiet(cli.global.quiet);
    output::set_json(cli.global.json);
    init_logging(cli.global.verbose, cli.global.quiet);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::Stop(format!("cannot start the async runtime: {e}")))?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    signals::survive_file_limit();
    let signals = Signals::listen().map_err(|e| Error::Stop(format!("cannot handle signals: {e}")))?;
    if *cli.global.origin.source("as_of") == Source::Option && !cli.command.reads_figures() {
        return Err(Failure::Usage(
            "--as-of works only with the commands that read figures: sql, explain, show, screen and export"
                .into(),
        ));
    }
    match cli.command {
        Command::Demo(args) => demo::demo(&cli.global, &args, &signals).await,
        Command::Run(args) => run::run(&cli.global, &args, &signals).await,
        Command::Plan(args) => plan::plan(&cli.global, &args).await,
        Command::Retry(args) => retry::retry(&cli.global, &args, &signals).await,
        Command::Replay(args) => replay::replay(&cli.global, &args, &signals).await,
        Command::Universe(args) => universe::universe(&cli.global, &args).await,
        Command::Prune(args) => prune::prune(&cli.global, &args).await,
        Command::Stream(args) => stream::stream(&cli.global, &args, &signals).await,
        Command::Invoke(args) => invoke::invoke(&cli.global, &args, &signals).await,
        Command::Status(args) => status::status(&cli.global, &args).await,
        Command::Sql(args) => sql::sql(&cli.global, &args),
        Command::Explain(args) => explain::explain(&cli.global, &args),
        Command::Show(args) => show::show(&cli.global, &args),
        Command::Screen(args) => screen::screen(&cli.global, &args),
        Command::Diff(args) => diff::diff(&cli.global, &args),
        Command::Export(args) => export::export(&cli.global, &args, &signals).await,
        Command::Report(args) => report::report(&cli.global, &args).await,
        Command::Dictionary(args) => dictionary::dictionary(&cli.global, &args),
        Command::Models(args) => models::models(&cli.global, &args),
        Command::Upgrade(args) => upgrade::upgrade(&cli.global, &args, &signals).await,
        Command::SetupSql(args) => setup_sql::setup_sql(&cli.global, &args),
        Command::Doctor(args) => doctor::doctor(&cli.global, &args).await,
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Bench(args) => bench::bench(&cli.global, &args, &signals).await,
        Command::FmpServer(args) => fmp_server::serve(&cli.global, &args, &signals).await,
    }
}

/// Prints clap's help, version or error, and returns the exit code. An error repeats arguments of the
/// user, so it is escaped and loses its colours.
fn show_clap(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let exit_code = u8::try_from(error.exit_code()).unwrap_or(2);
        if output::is_json() {
            let text = match error.kind() {
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                    "a command is missing".to_owned()
                }
                _ => config::message(error),
            };
            Failure::Usage(text).report();
        } else {
            output::error(error.to_string().trim_end());
        }
        return ExitCode::from(exit_code);
    }
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            let failure = Failure::from(Error::Resource(format!("cannot write to standard output: {e}")));
            failure.report();
            ExitCode::from(failure.exit_code())
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Logs to standard error: warnings by default, only errors with `-q`, the progress of findata's own
/// crates with `-v`, every statement and model with `-vv`.
fn init_logging(verbose: u8, quiet: bool) {
    let (ours, others) = match verbose {
        _ if quiet => ("error", "error"),
        0 => ("warn", "warn"),
        1 => ("info", "warn"),
        _ => ("debug", "info"),
    };
    // A directive matches every target that starts with its name, so `findata` covers all of
    // findata's crates.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{others},findata={ours},aws_config=error")))
        .with_writer(|| output::Log)
        .without_time()
        .with_target(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_definitions_are_valid() {
        Cli::command().debug_assert();
    }
}
