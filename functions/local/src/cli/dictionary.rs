//! `findata dictionary`: describes tables and columns.

use findata_explain::dictionary;
use findata_models::CUSTOM_METRICS;

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json};
use crate::render;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only this table (the schema is optional), `inputs` for the inputs of formulas, or `custom` for the
    /// metrics of your metrics file [default: everything; with --json, all tables]
    table: Option<String>,
}

pub(crate) fn dictionary(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let models = config.models()?;
    let (mut tables, inputs) = (dictionary::tables(models), dictionary::inputs(models));
    let custom = dictionary::custom_metrics(models);
    let is_named =
        |known: &str| args.table.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case(known));
    for (known, listed, text) in [
        ("inputs", &inputs, render::dictionary(&[], &inputs, &[])),
        ("custom", &custom, render::dictionary(&[], &[], &custom)),
    ] {
        if is_named(known) {
            if config.json {
                print_json(listed)?;
            } else {
                print(&text)?;
            }
            return Ok(0);
        }
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
        let all = args.table.is_none();
        let is_custom_table = tables.iter().any(|table| table.name == CUSTOM_METRICS);
        let inputs: &[_] = if all { &inputs } else { &[] };
        let custom: &[_] = if all || is_custom_table { &custom } else { &[] };
        print(&render::dictionary(&tables, inputs, custom))?;
    }
    Ok(0)
}
