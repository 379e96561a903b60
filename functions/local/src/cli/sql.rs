//! `findata sql`: queries against the DuckDB warehouse.

mod destination;
mod format;
mod input;
mod query;

use std::path::PathBuf;

use findata_duckdb::Reach;
use serde::Serialize;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    output::Reader,
    print, print_json, terminal,
};
use crate::render;
pub(crate) use destination::Destination;
pub(crate) use format::{Format, More, Printer};
use query::Query;

/// Number of rows of a result that are shown on a terminal by default.
const ROWS_ON_TERMINAL: u64 = 50;
/// Rows after the last one shown are counted up to this number.
const MOST_COUNTED: u64 = 10_000_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// SELECT statements separated by semicolons; - or no query reads them from standard input
    ///
    /// The schemas are analytics, staging, raw and ops. SHOW TABLES, DESCRIBE and SUMMARIZE work too.
    /// All statements are checked before the first one runs. Rows are printed as they arrive.
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// Read the statements from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    /// Let the query read other files, such as `from read_csv('prices.csv')`
    #[arg(long)]
    allow_external: bool,
}

/// Options for the rows that a command prints.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutputArgs {
    /// How to print rows [default: json with --json, else by the name of --output, else table]
    ///
    /// A table fits the terminal, COLUMNS, or 200 characters: it cuts long text and leaves out the last
    /// columns if there are too many. The other formats have every value. NULL is NULL in tables, empty in csv
    /// (an empty text is ""), and null in json and ndjson. json is one array; for several statements, an array
    /// of arrays. ndjson has one object per line.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print at most this many rows of each result; 0 prints all [default: 50 for a table on a terminal,
    /// else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Write to this file instead of standard output; the name ends in .csv, .json, .ndjson, .md or
    /// .txt, or --format says the format
    ///
    /// The file appears, or replaces an earlier one, when everything is written.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The written file, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    rows: u64,
    bytes: u64,
}

impl OutputArgs {
    /// Returns the format, from the options and the name of the file.
    pub(crate) fn format(&self, global: &Global, config: &ResolvedConfig) -> Result<Format, Failure> {
        if let Some(path) = &self.output {
            destination::refuse_folder(path)?;
        }
        match self.format {
            Some(format) if global.json && format != Format::Json => Err(Failure::Usage(format!(
                "--json means --format json: drop it, or --format {}",
                format.name()
            ))),
            Some(format) => Ok(format),
            None if config.json => Ok(Format::Json),
            None => self.output.as_deref().map_or(Ok(Format::Table), Format::of_file),
        }
    }

    /// Returns the maximum number of rows of a result; `None` without a limit.
    pub(crate) fn rows(&self, format: Format) -> Option<u64> {
        let is_screen = format == Format::Table && self.output.is_none() && terminal::is_terminal();
        let limit = self.limit.or(is_screen.then_some(ROWS_ON_TERMINAL))?;
        (limit > 0).then_some(limit)
    }

    /// Says what was written to a file.
    pub(crate) fn report(&self, config: &ResolvedConfig, rows: u64, bytes: u64) -> Result<(), Failure> {
        let Some(path) = &self.output else { return Ok(()) };
        let written = Written { file: path.display().to_string(), rows, bytes };
        if config.json {
            return print_json(&written);
        }
        let (rows, bytes) = (render::counted(rows, "row"), render::bytes(bytes));
        print(&format!("wrote {} ({rows}, {bytes})\n", written.file)).map(drop)
    }
}

pub(crate) fn sql(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let text = input::read(args.query.as_deref(), args.file.as_deref())?;
    let statements = input::statements(&text);
    if statements.is_empty() {
        return Err(Failure::Usage("the query is empty: write a SELECT statement".into()));
    }
    let format = args.output.format(global, &config)?;
    let reach = if args.allow_external { Reach::Files } else { Reach::Warehouse };
    let connection = config.open_read_only(reach)?;
    let queries = statements
        .iter()
        .enumerate()
        .map(|(n, text)| {
            Query::check(&connection, &config, text).map_err(|e| in_statement(e, n, statements.len()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut to = Destination::open(args.output.output.as_deref())?;
    let mut printer = Printer::new(format, to.width(), queries.len());
    let limit = args.output.rows(format);
    let mut rows = 0;
    for (n, query) in queries.iter().enumerate() {
        let printed =
            query.print(&mut printer, &mut to, limit).map_err(|e| in_statement(e, n, queries.len()))?;
        let Some(printed) = printed else { return Ok(0) };
        rows += printed;
    }
    if to.write(&printer.end(), format)? == Reader::Gone {
        return Ok(0);
    }
    let bytes = to.finish()?;
    args.output.report(&config, rows, bytes)?;
    Ok(0)
}

/// Names the statement in which an error occurred, if there are several.
fn in_statement(failure: Failure, position: usize, all: usize) -> Failure {
    match failure {
        Failure::Usage(text) if all > 1 => {
            Failure::Usage(format!("statement {} of {all}: {text}", position + 1))
        }
        other => other,
    }
}
