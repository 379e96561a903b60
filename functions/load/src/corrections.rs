//! Writes the user's corrections of a run to `staging.corrections`.
//!
//! A row is in force from the run that first has the entry until a run that no longer has it. A changed
//! entry ends, and a new row begins.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use findata_domain::{Result, sql::literal};
use findata_pipeline::{
    corrections::{Correction, Corrections},
    ports::warehouse::Warehouse,
    run::RunId,
    write_fence::WriteFence,
};

/// The columns of an entry. Its line is not one of them: it changes with other entries.
const ENTRY: &str = "symbol, kind, subject_date, period_type, item, value, fiscal_year, reason, decided_on";

/// The values of [`ENTRY`] as text.
type Entry = Vec<Option<String>>;

/// Brings `staging.corrections` up to date, and marks the companies whose corrections changed for
/// recomputation. Changes nothing if a later run has written corrections. Idempotent.
pub(crate) async fn apply(
    run: &RunId,
    corrections: Option<&Corrections>,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let Some(corrections) = corrections else { return Ok(()) };
    let columns = ENTRY.split(", ").map(|name| format!("{name}::varchar")).collect::<Vec<_>>().join(", ");
    let mut stored = warehouse
        .query(&format!("select {columns}, run_id from staging.corrections where known_to is null"))
        .await?;
    let mut in_force = BTreeSet::new();
    for row in &mut stored {
        if row.pop().flatten().is_some_and(|writer| writer.as_str() > run.as_str()) {
            return Ok(());
        }
        in_force.insert(row.clone());
    }
    let wanted: BTreeSet<Entry> = corrections.entries.iter().map(entry).collect();
    let ended: Vec<&Entry> = in_force.difference(&wanted).collect();
    let begun: Vec<&Entry> = wanted.difference(&in_force).collect();
    if ended.is_empty() && begun.is_empty() {
        return Ok(());
    }
    fence.write(warehouse, &statements(run, corrections.read_at, &ended, &begun)).await
}

fn entry(correction: &Correction) -> Entry {
    vec![
        Some(correction.symbol.to_string()),
        Some(correction.kind.as_str().to_owned()),
        correction.date.map(|date| date.to_string()),
        correction.period.clone(),
        correction.column.clone(),
        Some(correction.value.clone()),
        correction.fiscal_year.clone(),
        Some(correction.reason.clone()),
        Some(correction.decided_on.to_string()),
    ]
}

/// The statements of the transaction. The role of load may not update rows, so a row that ends is
/// deleted and inserted again.
fn statements(run: &RunId, at: DateTime<Utc>, ended: &[&Entry], begun: &[&Entry]) -> Vec<String> {
    let run = literal(run.as_str());
    let at = format!("timestamp '{}'", at.format("%Y-%m-%d %H:%M:%S%.3f"));
    let mut statements = Vec::new();
    for entry in ended {
        let same = ENTRY.split(", ").zip(entry.iter()).map(|(name, value)| match value {
            Some(value) => format!("{name}::varchar = {}", literal(value)),
            None => format!("{name} is null"),
        });
        let same = same.collect::<Vec<_>>().join(" and ");
        // An entry that was not in force before this time, because the clock was set back, is dropped.
        statements.push(format!(
            "insert into staging.corrections ({ENTRY}, known_from, known_to, run_id) \
             select {ENTRY}, known_from, {at}, run_id from staging.corrections \
             where known_to is null and known_from < {at} and {same}"
        ));
        statements.push(format!("delete from staging.corrections where known_to is null and {same}"));
    }
    for entry in begun {
        let values = ENTRY.split(", ").zip(entry.iter()).map(|(name, value)| match (name, value) {
            (_, None) => "null".to_owned(),
            ("subject_date" | "decided_on", Some(value)) => format!("date {}", literal(value)),
            ("fiscal_year", Some(value)) => value.clone(),
            (_, Some(value)) => literal(value),
        });
        statements.push(format!(
            "insert into staging.corrections ({ENTRY}, known_from, run_id) select {}, {at}, {run}",
            values.collect::<Vec<_>>().join(", ")
        ));
    }
    let symbols: BTreeSet<&str> =
        ended.iter().chain(begun).filter_map(|entry| entry.first()?.as_deref()).collect();
    for symbol in symbols {
        statements.push(format!(
            "insert into ops.changes (run_id, dataset, symbol, first_date) select {run}, 'corrections', {}, null::date",
            literal(symbol)
        ));
    }
    statements
}
