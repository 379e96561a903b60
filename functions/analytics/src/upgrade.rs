//! Figures that other models made are computed anew, out of `staging`, which keeps everything.
//!
//! `ops.models` has the hash of every file that made the figures. Where a model changed, all companies are due for computing, and publishing
//! writes the rows that differ. Where a table's own file changed, the table must be made anew first, by whoever may create tables: on a
//! laptop the host, on Snowflake a person with the script of `findata setup-sql`.

use std::collections::BTreeMap;

use findata_shared::{
    Error, Result, hash,
    warehouse::{Warehouse, in_transaction, literal},
};

use crate::models::{MODELS, Model, TABLES};

/// Makes every company due for computing.
pub const ALL_COMPANIES_ARE_DUE: &str = "insert into ops.changes (run_id, dataset, symbol, first_date) \
     select distinct 'models', 'models', symbol, null::date from ( \
     select symbol from staging.profile union select symbol from staging.income_statement union select symbol from staging.prices)";

/// The hashes of files, by file.
pub fn hashes<'a>(files: impl IntoIterator<Item = &'a Model>) -> BTreeMap<String, String> {
    files.into_iter().map(|m| (m.file.to_owned(), hash::sha256(m.sql.as_bytes()))).collect()
}

/// What `ops.models` says, as pairs.
pub fn known(rows: Vec<Vec<Option<String>>>) -> BTreeMap<String, String> {
    rows.into_iter().filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?))).collect()
}

/// Statements that replace what `ops.models` says of some files.
pub fn note(files: &BTreeMap<String, String>) -> Vec<String> {
    let names: Vec<String> = files.keys().map(|file| literal(file)).collect();
    let rows: Vec<String> = files.iter().map(|(f, h)| format!("({}, {})", literal(f), literal(h))).collect();
    vec![
        format!("delete from ops.models where file in ({})", names.join(", ")),
        format!("insert into ops.models (file, sha256) values {}", rows.join(", ")),
    ]
}

/// Makes all companies due where other models made the figures.
///
/// # Errors
/// `Config` where the tables are of another version; the warehouse's own.
pub(crate) async fn match_models(warehouse: &mut impl Warehouse) -> Result<()> {
    let known = known(warehouse.query("select file, sha256 from ops.models").await?);
    let tables = hashes(TABLES);
    if let Some((file, _)) = tables.iter().find(|(file, hash)| known.get(*file) != Some(*hash)) {
        return Err(Error::Config(format!(
            "the warehouse's tables are of another version of findata ({file}): apply what \
             `findata setup-sql --replace-figures` prints, then the next run computes all figures anew"
        )));
    }
    let models = hashes(MODELS);
    // A model of an older version may have had another file name: any file that is not a table's counts.
    let older = known.into_iter().filter(|(file, _)| !tables.contains_key(file)).collect::<BTreeMap<_, _>>();
    if older == models {
        return Ok(());
    }
    let mut statements = Vec::new();
    if !older.is_empty() {
        let names: Vec<String> = older.keys().map(|file| literal(file)).collect();
        statements.push(format!("delete from ops.models where file in ({})", names.join(", ")));
        tracing::warn!("the figures were made by another version of findata: this run computes all of them anew");
        statements.push(ALL_COMPANIES_ARE_DUE.to_owned());
    }
    statements.extend(note(&models));
    in_transaction(warehouse, &statements).await
}
