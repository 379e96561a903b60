//! Lets the binary find the DuckDB library by itself: in the folder that was linked, in the target folder's own
//! `duckdb` (so that a target folder can be moved as a whole), or beside itself, where the crate's download puts it.

#[expect(clippy::disallowed_methods, reason = "a build script's variables come from cargo")]
fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../duckdb,-rpath,$ORIGIN/deps,-rpath,$ORIGIN");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
