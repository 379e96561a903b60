//! Figures that other models made are computed anew, out of `staging`, which keeps everything.
//!
//! `ops.models` has the hash of every file that made the figures. Where a model changed, all companies are due for computing, and publishing
//! writes the rows that differ. Where a table's own file changed, the table must be made anew first, by whoever may create tables: on a
//! laptop the host, on Snowflake a person with the script of `findata setup-sql`.

use std::collections::BTreeMap;

use findata_domain::hash;

use crate::{Model, literal};

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
