//! Where an export is written.

use std::{
    fmt, fs, io,
    ops::Deref,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use findata_domain::{Error, Result};
use tempfile::TempDir;

use super::{Written, size};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Apache Parquet, with zstd compression.
    Parquet,
    /// Comma-separated values.
    Csv,
    /// An Excel workbook.
    Xlsx,
}

impl Format {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Xlsx => "xlsx",
        }
    }

    /// The format of a file with this name, from its extension.
    pub fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Format::value_variants().iter().copied().find(|format| format.extension() == extension)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// Where an export is written.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The file or folder that the user named.
    pub path: PathBuf,
    /// Whether the path is a file.
    pub is_file: bool,
    /// Whether each table becomes a folder of files.
    pub is_partitioned: bool,
    /// Whether the path itself is the folder of the only table.
    pub is_single: bool,
    /// The format of the files.
    pub format: Format,
    /// Whether existing files are replaced.
    pub force: bool,
}

/// A target that can be written, with its temporary folder.
#[derive(Debug)]
pub struct Target {
    layout: Layout,
    parts: TempDir,
}

impl Deref for Target {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.layout
    }
}

impl Target {
    /// Checks that the target can be written, and creates a temporary folder beside it.
    ///
    /// # Errors
    /// `Reject` if a target exists and must not be replaced, or if its folder is missing; `Resource` if
    /// the folder cannot be written.
    pub fn prepare(layout: Layout, names: &[&str]) -> Result<Target> {
        let Layout { path, is_file, is_single, .. } = &layout;
        let (is_file, is_single) = (*is_file, *is_single);
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !parent.is_dir() {
            return Err(Error::Reject(format!(
                "the folder {} does not exist: create it, or choose another --output",
                parent.display()
            )));
        }
        if is_file && path.is_dir() {
            return Err(Error::Reject(format!("{} is a folder: choose another --output", path.display())));
        }
        if !is_file && path.exists() && !path.is_dir() {
            return Err(Error::Reject(format!(
                "{} is a file, and this export needs a folder: choose another --output",
                path.display()
            )));
        }
        let folder = if path.is_dir() && !is_single { path.as_path() } else { parent };
        let parts = tempfile::Builder::new().prefix(".findata-export-").tempdir_in(folder);
        let parts = parts.map_err(|e| {
            Error::Resource(format!("cannot write to {}: {e}; choose another --output", folder.display()))
        })?;
        let target = Target { layout, parts };
        let targets: Vec<PathBuf> = names.iter().map(|name| target.part(name).1).collect();
        for path in &targets {
            target.check_replaceable(path)?;
        }
        Ok(target)
    }

    /// The folder of the incomplete files, as an absolute path without links.
    ///
    /// # Errors
    /// `Resource` if it was deleted.
    pub fn folder(&self) -> Result<PathBuf> {
        self.parts.path().canonicalize().map_err(|e| self.unwritable(&e))
    }

    /// Returns the temporary path and the final path of a source.
    pub(super) fn part(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = if self.is_partitioned {
            name.to_owned()
        } else {
            format!("{name}.{}", self.format)
        };
        let folder = self.parts.path();
        let part = folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).join(&file);
        let path = if self.is_file || self.is_single {
            self.path.clone()
        } else {
            self.path.join(&file)
        };
        (part, path)
    }

    /// An existing file is replaced only on request, and a folder only if it was written by an export.
    fn check_replaceable(&self, path: &Path) -> Result<()> {
        let text = path.display();
        let entries: Vec<_> = match fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
            Err(_) if path.exists() => Vec::new(),
            Err(_) => return Ok(()),
        };
        if path.is_dir() {
            if entries.is_empty() {
                return Ok(());
            }
            let is_partition =
                |name: &std::ffi::OsString| name.to_string_lossy().contains('=') && path.join(name).is_dir();
            if !self.is_partitioned || !entries.iter().all(is_partition) {
                return Err(Error::Reject(format!(
                    "{text} is a folder with other files, which an export does not replace: choose another --output"
                )));
            }
        }
        if self.force {
            return Ok(());
        }
        Err(Error::Reject(format!(
            "{text} exists: add --force to replace it, or choose another --output"
        )))
    }

    /// Moves all complete files to their final paths.
    pub(super) fn publish(&self, parts: Vec<(PathBuf, PathBuf, u64)>) -> Result<Vec<Written>> {
        let mut written = Vec::new();
        if !self.is_file && !self.is_single && !self.path.is_dir() {
            fs::create_dir(&self.path).map_err(|e| self.unwritable(&e))?;
        }
        for (part, path, rows) in parts {
            // Somebody else may have created the file in the meantime.
            self.check_replaceable(&path)?;
            let bytes = size(&part);
            self.replace(&part, &path).map_err(|error| match written.len() {
                0 => unwritable(&path, &error),
                n => Error::Resource(format!(
                    "cannot write {}: {error}; {n} of the files are complete, and no file is incomplete",
                    path.display()
                )),
            })?;
            written.push(Written { path: path.display().to_string(), rows, bytes });
        }
        Ok(written)
    }

    fn replace(&self, part: &Path, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            return fs::rename(part, path);
        }
        // A folder cannot be replaced by another one in one step. The old one goes to the temporary
        // folder, which is deleted at the end.
        let old = self.parts.path().join(".replaced");
        fs::rename(path, &old)?;
        if let Err(error) = fs::rename(part, path) {
            // Without the new folder, the old one stays.
            fs::rename(&old, path)?;
            return Err(error);
        }
        let _ = fs::remove_dir_all(&old);
        Ok(())
    }

    /// An error of a file.
    pub(super) fn unwritable(&self, error: &io::Error) -> Error {
        unwritable(&self.path, error)
    }
}

/// An error before the first file was complete.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> Error {
    let fix = match error.kind() {
        io::ErrorKind::FileTooLarge => "raise the limit of file sizes (ulimit -f)",
        _ => "free some space",
    };
    Error::Resource(format!(
        "cannot write {}: {error}; nothing was written: {fix}, or choose another --output",
        path.display()
    ))
}
