//! The files of a working copy.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use findata_domain::{Error, Result};
use serde::{Deserialize, Serialize};

/// The paths of the files, all in the folder of the published file.
pub(super) struct Paths {
    /// The file that people open.
    pub published: PathBuf,
    /// Its write-ahead log.
    pub log: PathBuf,
    /// The working copy.
    pub working: PathBuf,
    /// Its write-ahead log.
    pub working_log: PathBuf,
    /// The record of which published file the working copy belongs to.
    pub pair: PathBuf,
    /// A finished result that is about to replace the published file.
    pub next: PathBuf,
    /// A copy that is being written.
    pub part: PathBuf,
    /// The file from before the last upgrade of the tables.
    pub previous: PathBuf,
    /// The upgraded file that a rollback replaced.
    pub upgraded: PathBuf,
    /// The file that a run locks.
    pub lock: PathBuf,
}

impl Paths {
    pub(super) fn of(published: &Path) -> Self {
        let published = &target(published);
        let name = published.display().to_string();
        let stem = name.strip_suffix(".duckdb").unwrap_or(&name);
        let beside = |ending: &str| PathBuf::from(format!("{stem}.{ending}"));
        let log_of = |path: &Path| PathBuf::from(format!("{}.wal", path.display()));
        let working = beside("working.duckdb");
        Paths {
            published: published.to_owned(),
            log: log_of(published),
            working_log: log_of(&working),
            working,
            pair: beside("working.json"),
            next: beside("next.duckdb"),
            part: beside("part.duckdb"),
            previous: beside("previous.duckdb"),
            upgraded: beside("upgraded.duckdb"),
            lock: beside("lock"),
        }
    }
}

/// Maximum number of links that are followed, like Linux.
const MAX_LINKS: usize = 40;

/// Follows links, because renaming a file over a link would replace the link. The file may not exist yet.
pub(crate) fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    path
}

/// Tells whether a file was replaced or changed. DuckDB writes a file only in checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    inode: u64,
    bytes: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

impl Identity {
    /// Returns `None` if there is no file.
    pub(super) fn of(path: &Path) -> Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(Identity {
                inode: file.ino(),
                bytes: file.len(),
                modified_seconds: file.mtime(),
                modified_nanoseconds: file.mtime_nsec(),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", path, &error)),
        }
    }
}

/// Copies a file and waits until the disk has it. File systems that share blocks between files, such
/// as Btrfs, XFS and APFS, copy in no time.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = tokio::task::block_in_place(|| fs::copy(from, to).and_then(|_| File::open(to)?.sync_data()));
    copied.map_err(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Resource(format!(
            "no space left on the disk to copy {} to {}: free some space, then run again; nothing is lost",
            from.display(),
            to.display()
        )),
        ErrorKind::FileTooLarge => Error::Resource(format!(
            "cannot copy {} to {}: {error}; raise the limit of file sizes (ulimit -f), then run again; nothing is lost",
            from.display(),
            to.display()
        )),
        _ => cannot("write", to, &error),
    })
}

/// Gives a file a second name, so that it stays when another file is renamed over it. A file system
/// without links gets a copy.
pub(super) fn keep(path: &Path, kept: &Path) -> Result<()> {
    let link = PathBuf::from(format!("{}.part", kept.display()));
    remove(&link)?;
    if fs::hard_link(path, &link).is_err() {
        copy(path, &link).inspect_err(|_| drop(remove(&link)))?;
    }
    rename(&link, kept)?;
    // A rename of one name of a file over another one leaves both.
    remove(&link)
}

/// Renames a file and waits until the disk has the new name.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| cannot("rename", from, &error))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| cannot("write", folder, &error))
}

/// Deletes a file, if it exists.
pub(super) fn remove(path: &PathBuf) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("delete", path, &error)),
        _ => Ok(()),
    }
}

pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Config(format!(
        "cannot {what} {}: {error}; choose another data directory with --home",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_reported_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from.duckdb");
        fs::write(&from, "content").unwrap();
        // A device on which every write fails as on a full disk.
        let error = copy(&from, Path::new("/dev/full")).unwrap_err();
        assert!(matches!(&error, Error::Resource(text) if text.contains("free some space")), "{error}");
    }

    #[test]
    fn every_file_is_beside_the_published_one() {
        let paths = Paths::of(Path::new("/data/my.duckdb"));
        assert_eq!(paths.working, Path::new("/data/my.working.duckdb"));
        assert_eq!(paths.working_log, Path::new("/data/my.working.duckdb.wal"));
        assert_eq!(paths.next, Path::new("/data/my.next.duckdb"));
        assert_eq!(Paths::of(Path::new("prices.db")).next, Path::new("prices.db.next.duckdb"));
    }
}
