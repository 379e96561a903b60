//! Options that select the symbols and the amount of history. Several commands share these options.

use std::path::Path;

use chrono::{NaiveDate, Utc};
use clap::{Args, ValueHint};
use findata_domain::{clock::Clock, day};
use findata_pipeline::{
    command_input::{CommandInput, MAX_DAYS, MAX_QUARTERS, MAX_YEARS},
    run::{QUARTERS, Request, RunId, Universe, YEARS},
    ttl_overrides::TtlOverrides,
};

use super::{Failure, global::ResolvedConfig, symbol_file};

/// The symbols and the amount of history that a run fetches.
#[derive(Debug, Clone, Args)]
pub(crate) struct RequestArgs {
    /// Symbols, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "universe")]
    pub symbols: Vec<String>,
    /// sp500, nasdaq (the Nasdaq-100) or dowjones, or a file with one symbol per line, or a CSV file with a column
    /// `symbol` or `ticker` or symbols in the first column
    #[arg(long, value_name = "sp500|FILE", value_hint = ValueHint::FilePath)]
    pub universe: Option<String>,
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// The amount of history that a run fetches.
#[derive(Debug, Clone, Args)]
pub(crate) struct HistoryArgs {
    /// Number of quarters of each statement; fewer if the FMP plan limits them
    #[arg(long, default_value_t = QUARTERS, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_QUARTERS)))]
    pub quarters: u32,
    /// Number of fiscal years of each statement; fewer if the FMP plan limits them
    #[arg(long, default_value_t = YEARS, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_YEARS)))]
    pub years: u32,
    /// First day of prices [default: the first missing day, or five years back for a new symbol]
    #[arg(long, value_name = "DATE", value_parser = day::parse, conflicts_with = "days")]
    pub from: Option<NaiveDate>,
    /// Last day of prices [default: the newest closed session]
    #[arg(long, value_name = "DATE", value_parser = day::parse)]
    pub to: Option<NaiveDate>,
    /// Fetch the last N calendar days of prices
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    pub days: Option<u32>,
    /// Refetch data that is still fresh
    #[arg(long)]
    pub full: bool,
    /// Fetch only these datasets
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub datasets: Vec<String>,
    /// Fetch FMP's own ratios for every symbol and compare them with ours [default: each symbol once in 90 days]
    #[arg(long)]
    pub reconcile: bool,
    /// How long data stays fresh, such as profile=7d,income_statement=12h [default: profile and events 1 day, statements 6 h]
    #[arg(long, value_name = "DATASET=TIME,..", default_value_t, hide_default_value = true)]
    pub ttl: TtlOverrides,
    /// Stop after this many calls to FMP, retries included
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
}

impl RequestArgs {
    pub(crate) fn request(&self, config: &ResolvedConfig, skip_analytics: bool) -> Result<Request, Failure> {
        let universe = match &self.universe {
            None if self.symbols.is_empty() => {
                return Err(Failure::Usage(
                    "no symbols: add --symbols A,B or --universe sp500|FILE, or set universe in [run] of findata.toml"
                        .into(),
                ));
            }
            None => Universe::Symbols(symbol_file::parse(self.symbols.iter().map(String::as_str))?),
            Some(name) => match Universe::of_index(&name.to_ascii_lowercase()) {
                Some(index) => index,
                None => Universe::Symbols(symbol_file::read(Path::new(name))?),
            },
        };
        Ok(self.history.request(universe, config, skip_analytics))
    }
}

impl HistoryArgs {
    pub(crate) fn request(
        &self,
        universe: Universe,
        config: &ResolvedConfig,
        skip_analytics: bool,
    ) -> Request {
        new_request(universe, CommandInput { skip_analytics, ..self.into() }, config)
    }
}

impl From<&HistoryArgs> for CommandInput {
    fn from(args: &HistoryArgs) -> Self {
        CommandInput {
            quarters: Some(args.quarters),
            years: Some(args.years),
            days: args.days,
            from: args.from,
            to: args.to,
            full: args.full,
            datasets: args.datasets.clone(),
            reconcile: args.reconcile,
            max_calls: args.max_calls,
            ttl: Some(args.ttl.clone()).filter(|ttl| !ttl.is_empty()),
            ..CommandInput::default()
        }
    }
}

/// Creates the request for a new run with the options of `input`.
pub(crate) fn new_request(universe: Universe, input: CommandInput, config: &ResolvedConfig) -> Request {
    let options = input.options(&config.defaults(), config.clock.now());
    Request {
        run_id: new_run_id(),
        universe,
        options,
        retry_of: None,
        corrections: None,
        traceparent: None,
    }
}

/// Creates a run id from the real clock, not from `--today`, so that ids sort in the order of the
/// runs.
#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
pub(crate) fn new_run_id() -> RunId {
    let now = Utc::now();
    RunId::new(now, now.timestamp_subsec_nanos() ^ std::process::id().rotate_left(16))
}
