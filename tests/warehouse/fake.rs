//! Tests of the fake Snowflake itself: the privileges, locks, resumes and injected failures that
//! other tests rely on.

use std::{path::PathBuf, process::Command};

use findata_tests::FakeSnowflake;

#[test]
fn the_fake_behaves_as_the_tests_assume() {
    let Some(python) = FakeSnowflake::python() else {
        return;
    };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snowflake/test_fake.py");
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(python)
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder.path())
        .output()
        .expect("Python starts");
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{log}");
    println!("{log}");
}
