//! `findata export`: writes tables or the result of a query as files.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueHint;
use duckdb::Connection;
use findata_domain::{Error, sql::literal};
use findata_duckdb::Reach;

use super::{Failure, Signals, global::Global, last_home::DefaultHome, nearest::nearest, print, print_json};
use crate::{
    export::{self, Format, Layout, Source, Target, Written},
    render,
};

/// Pause between two attempts to interrupt DuckDB.
const INTERRUPT: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Tables to write, such as fact_market_metrics or ops.runs [default: all tables and views of the schema analytics]
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Write the result of one SELECT instead of tables
    #[arg(long, value_name = "SQL", conflicts_with = "tables")]
    query: Option<String>,
    /// File that ends in .parquet, .csv or .xlsx, or a folder for a file per table. An Excel file holds a sheet per
    /// table
    #[arg(short, long, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    output: PathBuf,
    /// Format of the files [default: from the name of the file; parquet in a folder]
    ///
    /// CSV has a header, commas, dates as 2026-11-20, and quotes where a value needs them. NULL is an empty field, and
    /// an empty text is "". In an Excel file, numbers and dates are real numbers and dates, NULL is an empty cell, and
    /// texts that look like formulas stay texts. A sheet has at most 1,048,575 rows. In Parquet files of the schema
    /// analytics, prices are doubles, because pandas cannot compute with decimals.
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Write a folder COLUMN=VALUE for each value of this column, as Hive, Spark, DuckDB and pandas read them; for parquet
    /// and csv
    #[arg(long, value_name = "COLUMN")]
    partition_by: Option<String>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
}

pub(crate) async fn export(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let layout = layout(args)?;
    signals.stop_first("a temporary folder named .findata-export-... may remain");
    let stop = signals.stop();
    let result = tokio::task::block_in_place(|| {
        let sources = {
            let connection = config.open_read_only(Reach::Warehouse)?;
            sources(args, layout.format, &connection)?
        };
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let target = Target::prepare(layout, &names)?;
        let folder = target.folder()?;
        let connection = config.open_read_only(Reach::Folder(&folder))?;
        let interrupt = connection.interrupt_handle();
        let stopped = stop.clone();
        let watch = tokio::spawn(async move {
            stopped.cancelled().await;
            // DuckDB ignores an interrupt between two statements.
            loop {
                interrupt.interrupt();
                tokio::time::sleep(INTERRUPT).await;
            }
        });
        let written = export::write(&connection, &sources, args.partition_by.as_deref(), &target, &stop);
        watch.abort();
        Ok::<_, Failure>(written)
    })?;
    match (result, signals.received()) {
        (Err(Error::Interrupted(_)), Some(signal)) => {
            Err(Failure::Signal(signal, "and wrote nothing".into()))
        }
        (written, _) => report(global.json, &written?),
    }
}

fn report(json: bool, written: &[Written]) -> Result<u8, Failure> {
    if json {
        print_json(&written)?;
        return Ok(0);
    }
    for file in written {
        let rows = render::counted(file.rows, "row");
        print(&format!("wrote {} ({rows}, {})\n", file.path, render::bytes(file.bytes)))?;
    }
    Ok(0)
}

/// Decides from the options what is written where.
fn layout(args: &Args) -> Result<Layout, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    let path = args.output.clone();
    let of_name = Format::of(&path);
    let format = args.format.or(of_name).unwrap_or(Format::Parquet);
    let is_partitioned = args.partition_by.is_some();
    let text = path.display();
    if path.as_os_str().is_empty() {
        return usage("--output is empty: name a file or a folder".into());
    }
    if let (Some(of_name), false) = (of_name, of_name == Some(format)) {
        return usage(format!("{text} is the name of a file of the format {of_name}, not {format}"));
    }
    if is_partitioned && format == Format::Xlsx {
        return usage(
            "--partition-by writes folders of parquet or csv files: add --format parquet or csv".into(),
        );
    }
    let is_file = of_name.is_some();
    if is_file && is_partitioned {
        return usage(format!(
            "--partition-by writes a folder, and {text} is the name of a file: name a folder"
        ));
    }
    let is_other_file = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        !path.is_dir() && !extension.is_empty() && extension.chars().all(|c| c.is_ascii_alphabetic())
    };
    if !is_file && is_other_file(&path) {
        return usage(format!("{text}: the name of a file must end in .parquet, .csv or .xlsx"));
    }
    if args.query.is_some() && !is_file && !is_partitioned {
        return usage(format!(
            "{text} is a folder: name a file for the result of a query, such as result.parquet"
        ));
    }
    if is_file && format != Format::Xlsx && args.query.is_none() && args.tables.len() != 1 {
        return usage(format!("{text} can hold one table: name a folder for several, or an .xlsx file"));
    }
    let is_single = is_partitioned && args.query.is_some();
    Ok(Layout {
        path,
        is_file,
        is_partitioned,
        is_single,
        format,
        force: args.force,
    })
}

/// Returns the tables or the query as SELECT statements.
fn sources(args: &Args, format: Format, connection: &Connection) -> Result<Vec<Source>, Failure> {
    if let Some(query) = &args.query {
        if query.trim().trim_end_matches(';').is_empty() {
            return Err(Failure::Usage("the query is empty: write one SELECT".into()));
        }
        // DuckDB's `query` accepts exactly one SELECT.
        let query = format!("select * from query({}) q", literal(query.trim()));
        return Ok(vec![Source { name: "query".into(), query }]);
    }
    let known = known_tables(connection)?;
    let names: Vec<String> = match args.tables.is_empty() {
        true => known.iter().filter(|name| name.starts_with("analytics.")).cloned().collect(),
        false => args.tables.iter().map(|name| find(name, &known)).collect::<Result<_, _>>()?,
    };
    let mut sources: Vec<Source> = Vec::new();
    for full in &names {
        let name = full.strip_prefix("analytics.").unwrap_or(full);
        if !sources.iter().any(|source| source.name == name) {
            sources.push(Source {
                name: name.to_owned(),
                query: select(full, format, connection)?,
            });
        }
    }
    Ok(sources)
}

/// Returns the SELECT of a table. In Parquet files, prices of `analytics` are doubles: pandas reads decimals as Python
/// objects, and cannot combine them with other columns.
fn select(full: &str, format: Format, connection: &Connection) -> Result<String, Failure> {
    if format != Format::Parquet || !full.starts_with("analytics.") {
        return Ok(format!("select * from {full}"));
    }
    let query = format!(
        "select column_name from duckdb_columns() where database_name = current_database() \
         and schema_name || '.' || table_name = {} and data_type like 'DECIMAL%' order by column_index",
        literal(full)
    );
    let decimals = export::texts(connection, &query)
        .map_err(|e| Error::Stop(format!("cannot list the columns of {full}: {e}")))?;
    let doubles: Vec<String> = decimals.iter().map(|name| format!("{name}::double as {name}")).collect();
    Ok(match doubles.is_empty() {
        true => format!("select * from {full}"),
        false => format!("select * replace ({}) from {full}", doubles.join(", ")),
    })
}

/// Returns the full names of all tables and views.
fn known_tables(connection: &Connection) -> Result<Vec<String>, Failure> {
    let query = "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database() \
                 union all select schema_name || '.' || view_name from duckdb_views() \
                 where database_name = current_database() and not internal order by 1";
    export::texts(connection, query).map_err(|e| Error::Stop(format!("cannot list the tables: {e}")).into())
}

/// Finds a table by its name with or without its schema.
fn find(name: &str, known: &[String]) -> Result<String, Failure> {
    let wanted = name.trim().to_ascii_lowercase();
    let in_analytics = format!("analytics.{wanted}");
    if let Some(found) = known.iter().find(|known| **known == wanted || **known == in_analytics) {
        return Ok(found.clone());
    }
    let names = known.iter().map(|known| known.strip_prefix("analytics.").unwrap_or(known));
    let hint = nearest(&wanted, names).map_or(String::new(), |name| format!("did you mean {name}? "));
    Err(Failure::Usage(format!(
        "{name:?} is not a table: {hint}`findata dictionary` describes all tables"
    )))
}
