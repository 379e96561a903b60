//! A stage in a directory. Files appear atomically: they are written to a temporary folder first
//! and then linked or renamed to their path. Each file and each changed folder is synced to the
//! disk before the write counts, so a power cut neither loses a file nor leaves an empty one.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use findata_domain::{Error, Result, hash};
use findata_pipeline::ports::stage::{Object, Stage};

/// Folder of incomplete files. It cannot collide with a key, because no part of a key starts with a
/// dot.
const UNFINISHED: &str = ".unfinished";
/// Lock file for conditional replacements. Replacements are rare and short, so one lock for all
/// keys is enough.
const LOCK: &str = ".lock";

/// A directory that behaves like an S3 bucket.
#[derive(Debug, Clone)]
pub struct DirectoryStage {
    root: Arc<PathBuf>,
    puts: Arc<AtomicU64>,
}

impl DirectoryStage {
    /// Opens a directory and creates it if it is missing.
    ///
    /// # Errors
    /// `Config` when the directory cannot be created or written.
    pub fn open(root: &Path) -> Result<Self> {
        let unusable = |e: io::Error| {
            Error::Config(format!(
                "cannot write to {}: {e}; choose another folder with --home or --stage",
                root.display()
            ))
        };
        fs::create_dir_all(root.join(UNFINISHED)).map_err(unusable)?;
        let root = root.canonicalize().map_err(unusable)?;
        tempfile::NamedTempFile::new_in(root.join(UNFINISHED)).map_err(unusable)?;
        Ok(DirectoryStage { root: Arc::new(root), puts: Arc::default() })
    }

    /// Returns a stage that only reads from a directory. A missing directory is not created.
    pub fn read_only(root: &Path) -> Self {
        DirectoryStage { root: Arc::new(root.to_owned()), puts: Arc::default() }
    }

    /// The absolute path of the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    async fn blocking<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (root, key) = (Arc::clone(&self.root), key.to_owned());
        if key.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(Error::Stop(format!("{key:?} is not a valid stage key")));
        }
        let result = tokio::task::spawn_blocking(move || {
            work(&root, &root.join(&key)).map_err(|e| failure(&root.join(&key), &e))
        });
        result.await.map_err(|e| Error::Stop(format!("a stage task was aborted: {e}")))?
    }
}

/// Classifies an I/O error: if this machine lacks something, the user must act, and the run stays
/// open until then. Other errors may be transient and are retried.
fn failure(path: &Path, error: &io::Error) -> Error {
    let fix = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::FileTooLarge => "raise the limit of file sizes (ulimit -f)",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "make it writable",
        ErrorKind::OutOfMemory => "free some memory",
        _ => match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => "allow more open files (ulimit -n)",
            Some(libc::EIO) => "check the disk",
            _ => return Error::retry(format!("{}: {error}", path.display())),
        },
    };
    Error::Resource(format!("{}: {error}; {fix} and run again", path.display()))
}

impl Stage for DirectoryStage {
    fn puts(&self) -> u64 {
        self.puts.load(Relaxed)
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        self.blocking(key, |_, path| match fs::read(path) {
            Ok(body) => Ok(Some(Object { etag: etag(&body), body: body.into() })),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        })
        .await
    }

    async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
        self.puts.fetch_add(1, Relaxed);
        self.blocking(key, move |root, path| {
            let complete = write(root, path, &body)?;
            match fs::hard_link(complete.path(), path) {
                Ok(()) => sync_parent(path).map(|()| true),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(e) => Err(e),
            }
        })
        .await
    }

    async fn put_if_match(&self, key: &str, body: Bytes, tag: &str) -> Result<bool> {
        self.puts.fetch_add(1, Relaxed);
        let tag = tag.to_owned();
        self.blocking(key, move |root, path| {
            let lock = File::create(root.join(LOCK))?;
            lock.lock()?;
            match fs::read(path) {
                Ok(current) if etag(&current) == tag => {}
                Ok(_) => return Ok(false),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            }
            write(root, path, &body)?.persist(path).map_err(|e| e.error)?;
            sync_parent(path).map(|()| true)
        })
        .await
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        for key in keys {
            self.blocking(key, |root, path| {
                match fs::remove_file(path) {
                    Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
                // Folders that are now empty are deleted too; a writer creates them again.
                let mut folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
                while folders.next().is_some_and(|folder| fs::remove_dir(folder).is_ok()) {}
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        // A prefix may end in the middle of a file name.
        let (folder, prefix) = (prefix.rsplit_once('/').map_or("", |(folder, _)| folder), prefix.to_owned());
        self.blocking(folder, move |root, path| {
            let mut keys = Vec::new();
            walk(root, path, &mut keys)?;
            keys.retain(|key| key.starts_with(&prefix));
            keys.sort();
            Ok(keys)
        })
        .await
    }
}

fn etag(body: &[u8]) -> String {
    hash::sha256(body)
}

fn write(root: &Path, path: &Path, body: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; let the umask decide, as for any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(root.join(UNFINISHED))?;
    file.write_all(body)?;
    sync(file.as_file())?;
    Ok(file)
}

/// Creates a folder and its missing parents, and syncs the entry of each new one.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => sync_parent(folder),
    }
}

/// Syncs the folder that holds a path, so that the path's entry survives a power cut.
fn sync_parent(path: &Path) -> io::Result<()> {
    // Windows cannot open a folder to sync it; NTFS journals its entries.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        sync(&File::open(folder)?)?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Syncs a file or a folder to the disk.
fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    tests::note_sync(file);
    file.sync_all()
}

fn walk(root: &Path, folder: &Path, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, keys)?;
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
