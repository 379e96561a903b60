//! Lets the binary find the DuckDB library by itself: an absolute path for the library that was linked,
//! and one relative to the binary, so that a target folder can be moved as a whole.

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../duckdb,-rpath,{folder}");
    }
}
