//! Opens reports in headless Chromium.

use std::{path::PathBuf, process::Command};

use super::{companies, universe};

/// The folder with playwright-core that `./dev test` prepared, and Chromium. If one is missing, prints
/// that the test is skipped.
fn prepared() -> Option<(PathBuf, PathBuf)> {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    let found = folder("FINDATA_TEST_BROWSER").zip(folder("FINDATA_TEST_CHROMIUM"));
    if found.is_none() {
        println!(
            "skipped: FINDATA_TEST_BROWSER and FINDATA_TEST_CHROMIUM do not name playwright-core and Chromium; \
             ./dev test prepares playwright-core with npm and finds Chromium (apt-get install chromium)"
        );
    }
    found
}

#[test]
fn the_pages_work_in_chromium() {
    let Some((modules, chromium)) = prepared() else { return };
    let ((universe, _), (companies, _)) = (universe(), companies());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("report/browser/check.mjs");
    let output = Command::new("node")
        .arg(script)
        .args([&modules, &chromium, universe, companies])
        .output()
        .expect("node starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
