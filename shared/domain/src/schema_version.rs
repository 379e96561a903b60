//! The version of a warehouse's tables.
//!
//! `ops.models` has the version in the row `schema_version`. A warehouse without the row was written
//! by a build that had no versions; it counts as version 1.

use crate::{
    Error, Result,
    sql::{ONE_ROW, literal},
};

/// The version of the tables that this build reads and writes. Raise it when a released version has
/// other tables; a test names the tables that changed.
pub const SCHEMA_VERSION: u32 = 2;
/// The version of a warehouse without a mark.
pub const UNMARKED: u32 = 1;
/// The row of `ops.models` with the version.
pub const MARK: &str = "schema_version";

/// The query for the recorded files and the version. Fails before `ops.models` exists.
pub const RECORDED: &str = "select file, sha256 from ops.models";

/// Returns the version in the rows of [`RECORDED`].
pub fn version(recorded: &[Vec<Option<String>>]) -> u32 {
    let mark = recorded.iter().find(|row| row.first().is_some_and(|file| file.as_deref() == Some(MARK)));
    mark.and_then(|row| row.get(1)?.as_deref()?.parse().ok()).unwrap_or(UNMARKED)
}

/// Whether a row of `ops.models` is the version, not a file.
pub fn is_mark(file: &str) -> bool {
    file == MARK
}

/// Refuses a warehouse that a newer build has upgraded. `fix` says how to continue.
///
/// # Errors
/// `Config` with both versions.
pub fn refuse_newer(warehouse: &str, stored: u32, fix: &str) -> Result<()> {
    if stored <= SCHEMA_VERSION {
        return Ok(());
    }
    Err(Error::Config(format!(
        "{warehouse} has tables of version {stored}, and this build of findata ({}) knows versions up to {SCHEMA_VERSION}: \
         use the build that upgraded it, or a newer one{fix}",
        env!("CARGO_PKG_VERSION")
    )))
}

/// Refuses a warehouse whose tables have another version than those of this build.
///
/// # Errors
/// `Config` with both versions and the fix.
pub fn require_current(recorded: &[Vec<Option<String>>]) -> Result<()> {
    let stored = version(recorded);
    refuse_newer("the warehouse", stored, "")?;
    if stored < SCHEMA_VERSION {
        return Err(Error::Config(format!(
            "the warehouse has tables of version {stored}, and this build of findata ({}) needs version {SCHEMA_VERSION}: \
             run `findata upgrade`",
            env!("CARGO_PKG_VERSION")
        )));
    }
    Ok(())
}

/// Returns the statements that record the version.
pub fn record_version() -> [String; 2] {
    [
        format!("delete from ops.models where file = {}", literal(MARK)),
        format!("insert into ops.models (file, sha256) values ({}, '{SCHEMA_VERSION}')", literal(MARK)),
    ]
}

/// Returns the statement that records the version in a warehouse without recorded files, which is new.
pub fn record_version_if_new() -> String {
    format!(
        "insert into ops.models (file, sha256) select {}, '{SCHEMA_VERSION}' \
         from {ONE_ROW} where not exists (select 1 from ops.models)",
        literal(MARK)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_newer_warehouse_names_both_versions() {
        let row = |text: &str| vec![Some(MARK.into()), Some(text.into())];
        let newer = require_current(&[row("9")]).unwrap_err().to_string();
        assert!(
            newer.contains("version 9") && newer.contains(&format!("up to {SCHEMA_VERSION}")),
            "{newer}"
        );
        let older = require_current(&[]).unwrap_err().to_string();
        assert!(older.contains("version 1") && older.contains("findata upgrade"), "{older}");
        require_current(&[row(&SCHEMA_VERSION.to_string())]).unwrap();
    }
}
