//! The double's own promises, which the other tests here lean on: privileges, locks, resumes, faults on demand.

use std::{path::PathBuf, process::Command};

use findata_tests::Double;

#[test]
fn the_double_keeps_its_promises() {
    let Some(python) = Double::python() else { return };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snowflake/test_fake.py");
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(python)
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder.path())
        .output()
        .expect("Python starts");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    println!("{told}");
}
