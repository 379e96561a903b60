//! Reads `corrections.toml`, the user's corrections of FMP's data, and checks it as a whole.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use findata_domain::{
    Error, Result, Symbol,
    file_faults::{self, Fault, line_of},
};
use findata_models::toml_file;
use findata_pipeline::{
    corrections::{Correction, Kind, STAGE_KEY},
    ports::stage::Stage,
};
use toml::de::DeValue;

/// Reads the corrections on the stage; none if there is no such object.
///
/// # Errors
/// `Config` with all faults of the object; the stage's errors.
pub async fn read(stage: &impl Stage) -> Result<Vec<Correction>> {
    let Some(object) = stage.get(STAGE_KEY).await? else {
        return Ok(Vec::new());
    };
    let text = std::str::from_utf8(&object.body)
        .map_err(|_| Error::Config(format!("{STAGE_KEY} on the stage is not UTF-8 text")))?;
    parse(text, &format!("{STAGE_KEY} on the stage"))
}

/// Parses the text of a file. `name` names the file in error messages.
///
/// # Errors
/// `Config` with a message per fault, in the order of lines.
pub fn parse(text: &str, name: &str) -> Result<Vec<Correction>> {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let document = toml_file::parse(text, &mut faults);
    for (key, value) in document.get_ref() {
        let line = line_of(text, key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("correction", DeValue::Array(array)) => {
                for one in array.iter() {
                    let line = line_of(text, one.span().start);
                    match one.get_ref() {
                        DeValue::Table(table) => entries.extend(entry::read(text, line, table, &mut faults)),
                        _ => faults.push((line, "an entry begins with [[correction]]".into())),
                    }
                }
            }
            (key, _) => {
                faults.push((line, format!("unknown key {key}: an entry begins with [[correction]]")))
            }
        }
    }
    faults.extend(repeated(&entries));
    if faults.is_empty() {
        return Ok(entries);
    }
    Err(file_faults::error(name, faults))
}

/// What two entries must not both decide.
type Subject<'a> = (&'a Symbol, Kind, Option<NaiveDate>, Option<&'a str>, Option<&'a str>);

fn subject(entry: &Correction) -> Subject<'_> {
    (&entry.symbol, entry.kind, entry.date, entry.period.as_deref(), entry.column.as_deref())
}

/// Returns a fault for each entry whose subject an earlier entry has.
fn repeated(entries: &[Correction]) -> Vec<Fault> {
    let mut first = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries {
        let line = *first.entry(subject(entry)).or_insert(entry.line);
        if line != entry.line {
            found.push((entry.line, format!("repeats the entry in line {line}: keep one of them")));
        }
    }
    found
}
