//! `findata models`: prints the SQL of the models as it is executed.

use findata_models::Model;
use serde::Serialize;

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the SQL of this model, table or view, such as new_fact_financial_ratios_history [default: list all files]
    name: Option<String>,
}

/// A model in JSON output.
#[derive(Serialize)]
struct Printed<'a> {
    file: &'a str,
    sql: &'a str,
}

pub(crate) fn models(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let all = config.models()?;
    let mut chosen: Vec<&Model> = all.models.iter().chain(&all.tables).collect();
    if let Some(name) = &args.name {
        let name = name.trim().trim_end_matches(".sql");
        chosen.retain(|model| is_named(model.file, name));
        if chosen.is_empty() {
            return Err(Failure::Usage(format!(
                "{name:?} is not a model, table or view: `findata models` without a name lists them"
            )));
        }
    }
    if config.json {
        print_json(&chosen.iter().map(|m| Printed { file: m.file, sql: &m.sql }).collect::<Vec<_>>())?;
    } else {
        let text = |model: &&Model| match &args.name {
            Some(_) => format!("{}\n", model.sql.trim_end()),
            None => format!("{}\n", model.file),
        };
        print(&chosen.iter().map(text).collect::<String>())?;
    }
    Ok(0)
}

/// Whether `name` denotes a file such as `4_ratios/1_period_inputs.sql`: its path, or its last part
/// with or without the number.
fn is_named(file: &str, name: &str) -> bool {
    let path = file.trim_end_matches(".sql");
    let last = path.rsplit('/').next().unwrap_or(path);
    let unnumbered = last.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('_');
    [path, last, unnumbered].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_its_path_or_its_name() {
        let file = "4_ratios/1_period_inputs.sql";
        for name in ["4_ratios/1_period_inputs", "1_period_inputs", "period_inputs"] {
            assert!(is_named(file, name), "{name}");
        }
        for name in ["inputs", "4_ratios", ""] {
            assert!(!is_named(file, name), "{name}");
        }
    }
}
