//! `findata screen`: the companies whose newest figures meet a condition.

mod columns;
mod result;

use findata_domain::Error;
use findata_duckdb::Reach;
use findata_models::{Models, metrics::Condition};

use super::{
    Failure,
    global::Global,
    last_home::DefaultHome,
    note,
    output::Reader,
    print,
    sql::{Destination, Format, OutputArgs, Printer},
    terminal,
};
use crate::render::table::fill;
use columns::{Columns, Known};
use result::Matches;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Condition on the newest figures, such as "ev_to_ebit < 12 and roic > 0.15"
    ///
    /// Comparisons (< <= > >= = <> between, is null) of figures and formulas, and tests of symbol, company_name,
    /// sector, industry, exchange, country and currency (= <> in like), joined by and, or, not. Texts are
    /// in single quotes: sector = 'Technology'. Aliases with other characters are in double quotes:
    /// '"P/E" < 15'. Percentages are fractions: 0.15 is 15 %. Market metrics are of the newest session,
    /// statement lines of the newest twelve months, ratios and growth rates of the newest twelve months or, without
    /// them, fiscal year. If a name occurs in several tables, `market.`, `ratios.`, `growth.` or `ttm.`
    /// before it says which one. `findata dictionary` lists all names.
    condition: String,
    /// Sort by this figure or text, lowest first; -NAME sorts highest first [default: largest market
    /// capitalization first]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Columns after the symbol [default: company_name, sector and the figures of the condition and of --sort]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Vec<String>,
    /// Show companies with suspect figures too, with the reason in the last column
    ///
    /// A figure is suspect if statements from which it was computed contradict each other. By default,
    /// companies for which the condition uses such a figure are left out and counted.
    #[arg(long)]
    include_suspect: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn screen(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let format = args.output.format(global, &config)?;
    // Wrong names are reported before a missing warehouse, because they are wrong with any warehouse.
    let models = Models::built_in()?;
    let known = Known { models };
    let condition =
        Condition::parse(&args.condition, &known).map_err(|e| hint(e, &args.condition, models))?;
    let columns = Columns::choose(&known, &condition, &args.columns, args.sort.as_deref())?;
    let connection = config.open_read_only(Reach::Warehouse)?;
    let matches = Matches::find(&connection, &condition, &columns, args.include_suspect)?;

    let mut to = Destination::open(args.output.output.as_deref())?;
    let mut printer = Printer::new(format, to.width(), 1);
    let limit = args.output.rows(format).and_then(|limit| usize::try_from(limit).ok());
    let (text, rows) = matches.print(&mut printer, limit)?;
    if to.write(&text, format)? == Reader::Gone {
        return Ok(0);
    }
    let is_stdout = matches!(to, Destination::Stdout);
    let bytes = to.finish()?;
    let summary = matches.summary(args.include_suspect);
    if is_stdout && format == Format::Table {
        print(&format!("{}\n", fill(&summary, terminal::width())))?;
    } else {
        note(&summary);
    }
    args.output.report(&config, rows, bytes)?;
    Ok(0)
}

/// Adds a hint to an error if the condition has an alias that needs quotes.
fn hint(error: Error, condition: &str, models: &Models) -> Error {
    let text = condition.to_lowercase();
    let is_bare = |alias: &&str| {
        let alias = alias.to_lowercase();
        alias.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            && text.contains(&alias)
            && !text.contains(&format!("\"{alias}\""))
    };
    match (error, models.registry.aliases().map(|alias| alias.alias).find(is_bare)) {
        (Error::Reject(reason), Some(alias)) => {
            Error::Reject(format!("{reason}; {alias} needs double quotes: \"{alias}\""))
        }
        (error, _) => error,
    }
}
