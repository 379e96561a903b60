//! The `findata` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    findata_local::cli::main()
}
