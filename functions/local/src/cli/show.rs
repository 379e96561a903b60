//! `findata show`: the newest figures of companies.

use findata_domain::{Symbol, clock::Clock};
use findata_duckdb::Reach;
use findata_models::Models;
use findata_report::snapshot;

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json, symbol_file, terminal};
use crate::render;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Companies to show, one screen each
    ///
    /// Market figures are of the newest session; ratios and growth rates of the newest twelve months, or of
    /// the newest fiscal year if there are no twelve months. `!` marks a suspect figure, and a figure that is
    /// NULL shows the reason.
    #[arg(value_name = "SYMBOL", required = true)]
    symbols: Vec<String>,
}

pub(crate) fn show(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let names = args.symbols.iter().flat_map(|argument| argument.split(','));
    let symbols: Vec<Symbol> = symbol_file::parse(names)?;
    let connection = config.open_read_only(Reach::Warehouse)?;
    let models = Models::built_in()?;
    let now = config.clock.now();
    let today = config.as_of.unwrap_or_else(|| now.date_naive());
    let snapshots = symbols
        .into_iter()
        .map(|symbol| symbol.with_hyphen().unwrap_or(symbol))
        .map(|symbol| snapshot::read(&connection, models, &symbol, today))
        .collect::<Result<Vec<_>, _>>()?;
    if config.json {
        print_json(&snapshots)?;
    } else {
        let width = terminal::width();
        let screens: Vec<String> = snapshots.iter().map(|company| render::snapshot(company, width)).collect();
        print(&screens.join("\n"))?;
    }
    Ok(0)
}
