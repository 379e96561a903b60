//! `findata sql`.

use ::duckdb::arrow::{record_batch::RecordBatch, util::pretty::pretty_format_batches};
use findata_domain::Error;

use super::{Failure, global::Global, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SELECT; schemas are analytics, staging, raw and ops
    query: String,
}

pub(crate) fn sql(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let connection = config.open_to_read()?;
    let query = args.query.trim().trim_end_matches(';');
    if query.is_empty() {
        return Err(Failure::Usage("the query is empty: write one SELECT".into()));
    }
    let wrong = |e: ::duckdb::Error| Failure::Usage(e.to_string().trim().to_owned());
    if config.json {
        let mut statement =
            connection.prepare(&format!("select to_json(q)::varchar from (\n{query}\n) q")).map_err(wrong)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(wrong)?;
        let rows: Vec<String> = rows.collect::<Result<_, _>>().map_err(wrong)?;
        print(&format!("[{}]\n", rows.join(",\n")))?;
        return Ok(0);
    }
    let mut statement = connection.prepare(query).map_err(wrong)?;
    let batches: Vec<RecordBatch> = statement.query_arrow([]).map_err(wrong)?.collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let table = pretty_format_batches(&batches).map_err(|e| Error::Stop(e.to_string()))?;
    print(&format!("{table}\n{rows} row{}\n", if rows == 1 { "" } else { "s" }))?;
    Ok(0)
}
