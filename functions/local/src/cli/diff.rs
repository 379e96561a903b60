//! `findata diff`: which figures changed between two runs, and why.

use findata_domain::Symbol;
use findata_duckdb::Reach;
use findata_explain::ask::find;
use findata_models::Models;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    print, print_json, symbol_file, terminal,
};
use crate::{
    diff::{self, Filter},
    render,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Older run: its id, the beginning of its id, `latest` or `previous`
    #[arg(value_name = "RUN", default_value = "previous")]
    old: String,
    /// Newer run
    #[arg(value_name = "RUN", default_value = "latest")]
    new: String,
    /// List only changes of these companies
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbol: Vec<String>,
    /// List only changes of this figure, such as pe_ratio_ttm or P/E
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// List at most this many changes; 0 prints only the summary
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
}

pub(crate) fn diff(global: &Global, args: &Args) -> Result<u8, Failure> {
    // Both runs are compared as they published; a day to read from would hide the later one.
    let config = ResolvedConfig { as_of: None, ..global.resolve(DefaultHome::LastRun)? };
    let symbols = match args.symbol.is_empty() {
        true => Vec::new(),
        false => symbol_file::parse(args.symbol.iter().map(String::as_str))?,
    };
    let models = Models::built_in()?;
    let metric = args.metric.as_ref().map(|name| find(name, None, models)).transpose()?;
    let filter = Filter {
        symbols: symbols.iter().map(Symbol::to_string).collect(),
        metric: metric.map(|(_, column)| column.to_owned()),
        limit: args.limit,
    };
    let connection = config.open_read_only(Reach::Warehouse)?;
    let runs = diff::runs(&connection)?;
    let (mut old, mut new) = (diff::find(&runs, &args.old)?, diff::find(&runs, &args.new)?);
    if old == new {
        return Err(Failure::Usage(format!("both names denote the run {}: name two runs", old.run_id)));
    }
    if old.run_id > new.run_id {
        (old, new) = (new, old);
    }
    let difference = diff::compare(&connection, &models.registry, old, new, &filter)?;
    if config.json {
        print_json(&difference)?;
    } else {
        print(&render::difference(&difference, terminal::width()))?;
    }
    Ok(0)
}
