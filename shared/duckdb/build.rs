//! Stops the build with a clear message if DuckDB's library is missing. Otherwise the build would
//! end with a linker error.

use std::{env, ffi::OsStr, fs, path::Path};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes settings to a build script in variables"
)]
fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo::rerun-if-env-changed=DUCKDB_DOWNLOAD_LIB");
    let is_downloaded =
        env::var("DUCKDB_DOWNLOAD_LIB").is_ok_and(|v| matches!(v.to_lowercase().as_str(), "1" | "true"));
    match env::var("DUCKDB_LIB_DIR") {
        _ if env::var_os("CARGO_FEATURE_BUNDLED").is_some() => {}
        Ok(folder) if has_library(Path::new(&folder)) => println!("cargo::rerun-if-changed={folder}"),
        Ok(folder) => {
            println!("cargo::error=DuckDB's library is missing in DUCKDB_LIB_DIR ({folder}): run ./dev setup")
        }
        Err(_) if is_downloaded => println!("cargo::rerun-if-changed=build.rs"),
        Err(_) => println!("cargo::error=DuckDB's library is missing: run ./dev setup"),
    }
}

/// Returns whether a folder contains DuckDB's shared, import or static library, under the file name
/// of any platform.
fn has_library(folder: &Path) -> bool {
    let is_library = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.trim_start_matches("lib").starts_with("duckdb")
            && [".so", ".dylib", ".dll", ".lib", ".a"].iter().any(|ending| name.ends_with(ending))
    };
    fs::read_dir(folder).is_ok_and(|files| files.flatten().any(|file| is_library(&file.file_name())))
}
