//! `findata dictionary`.

use findata_domain::Error;

use super::{Failure, global::Global, print};
use crate::render;
use findata_explain::dictionary;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One table, with its schema or without [default: all]
    table: Option<String>,
}

pub(crate) fn dictionary(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let mut tables = dictionary::tables();
    if let Some(request) = &args.table {
        let request = request.trim().to_lowercase();
        tables.retain(|t| request == t.name || request == format!("{}.{}", t.schema, t.name));
        if tables.is_empty() {
            let some = "fact_financial_ratios, staging.prices, ops.runs";
            return Err(Failure::Usage(format!("{request:?} is no table: give one like {some}, or none for all")));
        }
    }
    if config.json {
        let text = serde_json::to_string(&tables).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&render::dictionary(&tables))?;
    }
    Ok(0)
}
