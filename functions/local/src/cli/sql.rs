//! `findata sql`: one query against the DuckDB warehouse.

use ::duckdb::arrow::{record_batch::RecordBatch, util::pretty::pretty_format_batches};
use findata_domain::Error;

use super::{Failure, global::Global, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SELECT statement; the schemas are analytics, staging, raw and ops
    query: String,
}

pub(crate) fn sql(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(from_environment, "./findata-home")?;
    let connection = config.open_read_only()?;
    let query = args.query.trim().trim_end_matches(';');
    if query.is_empty() {
        return Err(Failure::Usage("the query is empty: write one SELECT".into()));
    }
    let query_error = |e: ::duckdb::Error| Failure::Usage(e.to_string().trim().to_owned());
    if config.json {
        let mut statement = connection
            .prepare(&format!("select to_json(q)::varchar from (\n{query}\n) q"))
            .map_err(query_error)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(query_error)?;
        let rows: Vec<String> = rows.collect::<Result<_, _>>().map_err(query_error)?;
        print(&format!("[{}]\n", rows.join(",\n")))?;
        return Ok(0);
    }
    let mut statement = connection.prepare(query).map_err(query_error)?;
    let batches: Vec<RecordBatch> = statement.query_arrow([]).map_err(query_error)?.collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let table = pretty_format_batches(&batches).map_err(|e| Error::Stop(e.to_string()))?;
    print(&format!("{table}\n{rows} row{}\n", if rows == 1 { "" } else { "s" }))?;
    Ok(0)
}
