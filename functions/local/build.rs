//! Sets where the binary looks for DuckDB's shared library at run time: in the folder from which it
//! was linked; in `duckdb` inside the target folder, so that the target folder can be moved as a
//! whole; and beside the binary, where the duckdb crate downloads it.

#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes settings to a build script in variables"
)]
fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../duckdb,-rpath,$ORIGIN/deps,-rpath,$ORIGIN");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
