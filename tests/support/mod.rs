//! Test helpers, one file per purpose.

pub mod bundle;
pub mod collector;
pub mod command;
pub mod content;
pub mod fake_snowflake;
pub mod home;
pub mod job;
pub mod parsers;
pub mod python;
pub mod replay;
pub mod simulator;
pub mod terminal;

use std::{
    future::Future,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

/// A limit that nothing here should reach. It ends a test that would otherwise hang.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The only async runtime of the process. Servers keep running on it between calls, and tests stay
/// plain functions.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime"))
}

/// Runs a future to completion, on the runtime that the servers use.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Waits until a condition is true. `what` appears in the message if it never is.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < TIMEOUT, "timed out waiting for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A file or folder of the recorded data beside the repository. If it does not exist, prints that
/// the calling test is skipped and returns `None`.
pub fn shared_folder(part: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}
