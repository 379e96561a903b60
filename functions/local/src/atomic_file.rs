//! Writes files that appear only when they are complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// A file that is being written under a temporary name beside its path. Unless it is finished, nothing remains.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    to: BufWriter<To>,
}

#[derive(Debug)]
enum To {
    Part(NamedTempFile),
    /// A device or a pipe, which is written directly.
    Special(File),
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            To::Part(file) => file.write(bytes),
            To::Special(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            To::Part(file) => file.flush(),
            To::Special(file) => file.flush(),
        }
    }
}

impl AtomicFile {
    /// Opens a file. A link stays, and the file to which it points is replaced.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_special = fs::metadata(&path).is_ok_and(|found| !found.is_file());
        let to = if is_special {
            To::Special(File::options().write(true).open(&path)?)
        } else {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let prefix = format!(".{name}.");
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).suffix(".part");
            // Temporary files are private by default; let the umask decide, as for any other file.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            To::Part(builder.tempfile_in(folder.unwrap_or(Path::new(".")))?)
        };
        Ok(AtomicFile { path, to: BufWriter::new(to) })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// If the file cannot be written. It is then as it was before.
    pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(content)?;
        file.finish()
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let to = self.to.into_inner().map_err(io::IntoInnerError::into_error)?;
        match to {
            To::Part(file) => {
                file.as_file().sync_data()?;
                file.persist(&self.path).map(drop).map_err(|error| error.error)
            }
            To::Special(mut file) => file.flush(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"part").unwrap();
        file.flush().unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(names(), 0, "nothing remains");
        AtomicFile::write(&path, b"whole").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), names()), (&b"whole"[..], 1));
        AtomicFile::write(Path::new("/dev/null"), b"x").unwrap();
        assert!(AtomicFile::write(Path::new("/dev/full"), b"x").is_err());
    }
}
