//! `findata explain`: traces a figure to its inputs.

use chrono::NaiveDate;
use findata_domain::Symbol;
use findata_duckdb::Reach;
use findata_explain::ask::{Basis, Question, find};

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json, terminal};
use crate::render;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ticker symbol of the company
    symbol: String,
    /// Figure to explain, such as gross_margin, P/E or revenue (`findata dictionary` lists names
    /// and aliases)
    metric: String,
    /// Explain the figure as of this day, from the last trading session on or before it or the
    /// newest period known by then [default: the newest]
    #[arg(long, value_name = "DATE", value_parser = findata_domain::day::parse)]
    date: Option<NaiveDate>,
    /// Q1, Q2, Q3, Q4, Q (any quarter), FY, TTM, MARKET or PRICE
    ///
    /// By default, a ratio or growth rate covers twelve months, and a statement line is taken from
    /// the newest statement. A name that occurs in several tables is looked up in this order:
    /// ratios, growth rates, statements, twelve-month figures, prices, market metrics.
    #[arg(long, value_name = "BASIS")]
    basis: Option<Basis>,
}

pub(crate) fn explain(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let symbol: Symbol = args.symbol.parse()?;
    let question = Question {
        symbol: symbol.with_hyphen().unwrap_or(symbol),
        metric: args.metric.clone(),
        date: args.date,
        basis: args.basis,
    };
    // An unknown name is reported before a missing warehouse, because the name is wrong with any
    // warehouse.
    let models = config.models()?;
    find(&question.metric, question.basis, models)?;
    let connection = config.open_read_only(Reach::Warehouse)?;
    let explanation = findata_explain::explain(&connection, &question, config.as_of, models)?;
    if config.json {
        print_json(&explanation)?;
    } else {
        print(&render::explanation(&explanation, terminal::width()))?;
    }
    Ok(0)
}
