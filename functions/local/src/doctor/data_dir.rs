//! Checks the data directory without creating files, so that a typo in `--home` leaves no empty
//! home behind.

use std::path::Path;

use findata_duckdb::{DuckDb, MemoryLimit, Reach};

use super::Check;
use crate::data_dir::DataDir;

/// Checks the stage and the warehouse of a data directory.
pub fn data_dir(data_dir: &DataDir, memory: MemoryLimit) -> Vec<Check> {
    let stage = match data_dir.stage.exists() {
        true => existing_stage(&data_dir.stage),
        false => missing("stage", &data_dir.stage),
    };
    let warehouse = match data_dir.warehouse.exists() {
        true => existing_warehouse(&data_dir.warehouse, memory),
        false => missing("warehouse", &data_dir.warehouse),
    };
    vec![stage, warehouse]
}

/// The file for the check has no name, so it is never visible and vanishes with the process.
fn existing_stage(path: &Path) -> Check {
    let checked = std::fs::read_dir(path).and_then(|_| tempfile::tempfile_in(path));
    match checked {
        Ok(_) => Check::ok("stage", format!("{} can be written, read and listed", path.display())),
        Err(error) => Check::failed(
            "stage",
            format!("cannot write to {}: {error}", path.display()),
            "choose another folder with --home or --stage",
        ),
    }
}

fn existing_warehouse(path: &Path, memory: MemoryLimit) -> Check {
    match DuckDb::open_to_read(path, Reach::Warehouse, memory) {
        Ok(_) => Check::ok("warehouse", format!("{} can be opened", path.display())),
        Err(error) => Check::failed(
            "warehouse",
            error.to_string(),
            "fix the problem that the message names, or choose another --home or --warehouse",
        ),
    }
}

/// Checks a missing file or folder: the first run can create it if the nearest existing folder is
/// writable.
fn missing(what: &str, path: &Path) -> Check {
    let existing = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let folder = match existing {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match tempfile::tempfile_in(folder) {
        Ok(_) => Check::ok(what, format!("{} does not exist yet; the first run creates it", path.display())),
        Err(error) => Check::failed(
            what,
            format!("{} does not exist, and {} cannot be written: {error}", path.display(), folder.display()),
            "choose another folder with --home, --stage or --warehouse",
        ),
    }
}
