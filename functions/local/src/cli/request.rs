//! Options that say whose figures and how many; `run` and `plan` share them.

use std::path::Path;

use chrono::{Days, NaiveDate, Utc};
use clap::Args;
use findata_domain::{Error, Symbol, clock::Clock, nyse_calendar};
use findata_fmp::SourceKind;
use findata_pipeline::{
    run::{Options, Request, RunId, Universe},
    ttl_overrides::TtlOverrides,
};

use super::{Failure, global::ResolvedConfig};

/// Whose figures, and how many.
#[derive(Debug, Clone, Args)]
pub(crate) struct RequestArgs {
    /// Symbols, separated by commas
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        conflicts_with = "universe",
        required_unless_present = "universe"
    )]
    pub symbols: Vec<String>,
    /// sp500, or a file with a symbol a line (or in the first column)
    #[arg(long, value_name = "sp500|FILE")]
    pub universe: Option<String>,
    #[command(flatten)]
    pub extent: HistoryArgs,
}

/// How many figures.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HistoryArgs {
    /// Quarters of each statement
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=400))]
    pub quarters: u32,
    /// Fiscal years of each statement
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub years: u32,
    /// First day of prices [default: what is missing, and five years for a new symbol]
    #[arg(long, value_name = "DATE", conflicts_with = "days")]
    pub from: Option<NaiveDate>,
    /// Last day of prices [default: the newest closed session]
    #[arg(long, value_name = "DATE")]
    pub to: Option<NaiveDate>,
    /// The last N calendar days of prices
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub days: Option<u32>,
    /// Fetch what is fresh too
    #[arg(long)]
    pub full: bool,
    /// Only these datasets
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub datasets: Vec<String>,
    /// Ask for FMP's own ratios of every symbol, to compare ours with [default: of each once in 90 days]
    #[arg(long)]
    pub reconcile: bool,
    /// How long answers count as fresh, as in profile=7d,income_statement=12h [default: profile and events a day, statements 6 h]
    #[arg(long, value_name = "DATASET=TIME,..", default_value_t)]
    pub ttl: TtlOverrides,
    /// Never make more calls than this, retries included
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
}

impl RequestArgs {
    pub(crate) fn request(&self, config: &ResolvedConfig, skip_analytics: bool) -> Result<Request, Failure> {
        let universe = match &self.universe {
            None => Universe::Symbols(parse(self.symbols.iter().map(String::as_str))?),
            Some(name) if name.eq_ignore_ascii_case("sp500") => Universe::Sp500,
            Some(file) => Universe::Symbols(read(Path::new(file))?),
        };
        Ok(self.extent.request(universe, config, skip_analytics))
    }
}

impl HistoryArgs {
    pub(crate) fn request(&self, universe: Universe, config: &ResolvedConfig, skip_analytics: bool) -> Request {
        let closed = nyse_calendar::last_closed_session(config.clock.now());
        let newest = || self.to.map_or(closed, |to| to.min(closed));
        let options = Options {
            quarters: self.quarters,
            years: self.years,
            prices_from: self.from.or_else(|| self.days.map(|n| newest() - Days::new(u64::from(n) - 1))),
            prices_to: self.to,
            full: self.full,
            datasets: self.datasets.clone(),
            reconcile: self.reconcile,
            skip_analytics,
            max_calls: self.max_calls,
            ttl: self.ttl.clone(),
            index: config.index.clone(),
            plan_limits: config.fmp_plan.plan_limits(SourceKind::of(&config.fmp_url)),
        };
        Request { run_id: new_run_id(), universe, options, retry_of: None }
    }
}

/// A run id from the real clock, so that ids sort by the order of runs whatever `--today` says.
#[expect(clippy::disallowed_methods, reason = "the edge reads the real clock")]
pub(crate) fn new_run_id() -> RunId {
    let now = Utc::now();
    RunId::new(now, now.timestamp_subsec_nanos() ^ std::process::id().rotate_left(16))
}

pub(crate) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Symbol>, Failure> {
    let texts = texts.filter(|text| !text.trim().is_empty());
    texts.map(str::parse).collect::<Result<_, Error>>().map_err(|e| Failure::Usage(e.to_string()))
}

/// Symbols of a file: one a line, or the first column of a CSV; `#` begins a comment, a header `symbol` is skipped.
fn read(path: &Path) -> Result<Vec<Symbol>, Failure> {
    let wrong = |what: String| Failure::Usage(format!("--universe {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("{e}; give sp500 or a file of symbols")))?;
    let lines =
        text.lines().map(|line| line.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches('"'));
    let symbols = lines.filter(|s| !s.is_empty() && !s.starts_with('#') && !s.eq_ignore_ascii_case("symbol"));
    let found = parse(symbols).map_err(|e| wrong(e.text()))?;
    if found.is_empty() { Err(wrong("no symbol in it".into())) } else { Ok(found) }
}
