//! Programs in Python that serve the tests: they say when they are ready, and end when their input does.

use std::{
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The Python that `./dev test` has prepared and named in a variable; `None`, and a word about it, where there is none.
pub fn prepared(variable: &str, list: &str) -> Option<PathBuf> {
    let python = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if python.is_none() {
        println!("skipped: {variable} names no Python with {list}; ./dev test prepares one");
    }
    python
}

/// A running program, in a folder of its own; it ends when dropped, or with the tests.
pub struct Program {
    child: Child,
    /// Closed at the end of the process, which the program notices.
    pub(super) stdin: Option<ChildStdin>,
    pub(super) lines: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Program {
    /// Starts a script of `tests/`.
    pub fn start(
        python: &Path,
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Program {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut child = Command::new(python)
            .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Program { stdin: child.stdin.take(), child, lines, folder }
    }

    /// The next line that it says, which is JSON.
    pub fn said(&mut self) -> Value {
        let line = self.lines.next().and_then(Result::ok).unwrap_or_default();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?} {}", self.log()))
    }

    /// What it wrote to its standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that notices ends what it started itself.
        self.stdin.take();
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
