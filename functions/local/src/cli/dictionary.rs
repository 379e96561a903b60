//! `findata dictionary`: describes tables and columns.

use findata_explain::dictionary;
use findata_models::Models;

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json};
use crate::render;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only this table (the schema is optional), or `inputs` for the inputs of formulas [default: everything; with
    /// --json, all tables]
    table: Option<String>,
}

pub(crate) fn dictionary(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let models = Models::built_in()?;
    let (mut tables, inputs) = (dictionary::tables(models), dictionary::inputs(models));
    if args.table.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case("inputs")) {
        if config.json {
            print_json(&inputs)?;
        } else {
            print(&render::dictionary(&[], &inputs))?;
        }
        return Ok(0);
    }
    if let Some(name) = &args.table {
        let name = name.trim().to_lowercase();
        tables.retain(|t| name == t.name || name == format!("{}.{}", t.schema, t.name));
        if tables.is_empty() {
            return Err(Failure::Usage(format!(
                "{name:?} is not a table: use a name such as fact_financial_ratios, staging.prices or ops.runs, \
                 or no name to list all tables"
            )));
        }
    }
    if config.json {
        print_json(&tables)?;
    } else {
        let inputs: &[_] = if args.table.is_none() { &inputs } else { &[] };
        print(&render::dictionary(&tables, inputs))?;
    }
    Ok(0)
}
