//! Where the rows go: standard output or a file.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use findata_domain::Error;

use super::Format;
use crate::{
    atomic_file::AtomicFile,
    cli::{
        Failure,
        output::{self, Reader},
        terminal,
    },
};

/// Width of a table in a file.
const WIDTH: usize = 200;

/// Standard output or a file.
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// A file that is complete only after [`Destination::finish`].
    File(Target),
}

/// A file that is being written.
pub(crate) struct Target {
    path: PathBuf,
    file: AtomicFile,
    bytes: u64,
}

impl Destination {
    /// Opens the destination; without a path or for `-`, standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Destination::Stdout);
        };
        refuse_folder(path)?;
        let file = AtomicFile::create(path).map_err(|e| failed(path, &e))?;
        Ok(Destination::File(Target { path: path.to_owned(), file, bytes: 0 }))
    }

    /// Returns the width of a table.
    pub(crate) fn width(&self) -> usize {
        match self {
            Destination::Stdout => terminal::width(),
            Destination::File(_) => WIDTH,
        }
    }

    /// Writes a text.
    pub(crate) fn write(&mut self, text: &str, format: Format) -> Result<Reader, Failure> {
        match self {
            _ if text.is_empty() => Ok(Reader::Present),
            Destination::Stdout if format.is_json() => output::print_json_text(text),
            Destination::Stdout => output::print_data(text),
            Destination::File(target) => {
                target.file.write_all(text.as_bytes()).map_err(|e| failed(&target.path, &e))?;
                target.bytes += text.len() as u64;
                Ok(Reader::Present)
            }
        }
    }

    /// Completes the file. Returns its size.
    pub(crate) fn finish(self) -> Result<u64, Failure> {
        let Destination::File(target) = self else { return Ok(0) };
        target.file.finish().map_err(|e| failed(&target.path, &e))?;
        Ok(target.bytes)
    }
}

/// Rejects the path of a folder.
pub(super) fn refuse_folder(path: &Path) -> Result<(), Failure> {
    if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') {
        return Err(Failure::Usage(format!(
            "--output: {} is a folder: name a file, such as {}",
            path.display(),
            path.join("result.csv").display()
        )));
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot write {}: {error}; choose another file with --output", path.display());
    Error::Resource(text).into()
}
