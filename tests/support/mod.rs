//! The helpers, one file a purpose.

pub mod bundle;
pub mod command;
pub mod content;
pub mod home;
pub mod job;
pub mod parsers;
pub mod python;
pub mod replay;
pub mod server;
pub mod snowflake;

use std::{
    future::Future,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

/// Waits longer than anything here takes; it ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// The one runtime of the process: servers outlive a call, and tests stay plain functions.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime"))
}

/// Drives a future to its end, on the runtime of the servers.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Waits until something holds; `what` is for the message if it never does.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The folder of shared material beside the workspace. Where it is absent the test that asked for it is skipped, and says so.
pub fn shared_folder(part: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}
