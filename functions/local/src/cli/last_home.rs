//! Finds the home for commands that read and are given none: the home of the last run in the current
//! folder.
//!
//! A run notes its home in a file of the user's state folder, by the folder that it was started in, so
//! a run in one folder never changes what a command reads in another. Without this file, the choice is
//! between the default homes of `run` and `demo`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::config::Variables;

/// Default home of runs.
pub(crate) const HOME: &str = "./findata-home";
/// Default home of the demo.
pub(crate) const DEMO_HOME: &str = "./findata-demo";
/// Maximum number of folders whose last home is noted; the oldest are forgotten.
const MAX_FOLDERS: usize = 200;

/// The home of a command that is given none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultHome {
    /// [`HOME`], for a command that writes or that shows what such a command would do.
    Own,
    /// [`DEMO_HOME`].
    Demo,
    /// The home of the last run in this folder, for a command that reads.
    LastRun,
}

/// A home, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub home: PathBuf,
    /// Why it is not [`HOME`].
    pub reason: Option<&'static str>,
}

/// A line of the state file.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    home: PathBuf,
    /// Seconds since 1970.
    at: u64,
}

/// The homes of the last runs, by the folder in which they were started.
#[derive(Debug, Clone)]
pub(crate) struct LastHomes {
    /// The state file; `None` if the user has no state folder.
    file: Option<PathBuf>,
    folder: PathBuf,
}

impl LastHomes {
    pub(crate) fn new(variables: &Variables) -> Self {
        let absolute = |name: &str| variables.text(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        LastHomes {
            file: state.map(|folder| folder.join("findata/homes.json")),
            folder: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// Finds the home of the last run in this folder.
    pub(crate) fn find(&self) -> Found {
        let noted = self.noted().remove(&self.folder).map(|noted| noted.home).filter(|home| is_home(home));
        if let Some(home) = noted {
            return self.found(home, "the home of the last run in this folder");
        }
        let default = |name: &str| self.folder.join(name.trim_start_matches("./"));
        let (own, demo) = (default(HOME), default(DEMO_HOME));
        match (is_home(&own), is_home(&demo)) {
            (false, true) => self.found(demo, "the only home in this folder"),
            (true, true) if changed(&demo) > changed(&own) => {
                self.found(demo, "the home in this folder that was changed last")
            }
            _ => self.found(own, ""),
        }
    }

    fn found(&self, home: PathBuf, reason: &'static str) -> Found {
        let home = match home.strip_prefix(&self.folder) {
            Ok(below) => Path::new(".").join(below),
            Err(_) => home,
        };
        let reason = (home != Path::new(HOME)).then_some(reason);
        Found { home, reason }
    }

    /// Notes the home of a run. A failure is only logged: the next command reads a default home.
    pub(crate) fn note(&self, home: &Path, now: SystemTime) {
        let Some(file) = &self.file else { return };
        if let Err(error) = self.write(file, home, now) {
            tracing::debug!(key = %file.display(), %error, "cannot note the home of this run");
        }
    }

    fn write(&self, file: &Path, home: &Path, now: SystemTime) -> io::Result<()> {
        let at = now.duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
        let mut noted = self.noted();
        // Without links and `..`, so that the home is below the folder if it looks like it.
        noted.insert(self.folder.clone(), Noted { home: home.canonicalize()?, at });
        while noted.len() > MAX_FOLDERS {
            let oldest = noted.iter().min_by_key(|(_, noted)| noted.at).map(|(folder, _)| folder.clone());
            oldest.and_then(|folder| noted.remove(&folder));
        }
        let folder = file.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let part = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&part, &noted)?;
        part.persist(file)?;
        Ok(())
    }

    fn noted(&self) -> BTreeMap<PathBuf, Noted> {
        let text = self.file.as_deref().and_then(|file| fs::read(file).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }
}

fn is_home(path: &Path) -> bool {
    path.join("findata.duckdb").is_file() || path.join("stage").is_dir()
}

/// When a run last changed a home.
fn changed(home: &Path) -> Option<SystemTime> {
    let modified = |name: &str| fs::metadata(home.join(name)).and_then(|file| file.modified()).ok();
    modified("findata.duckdb").max(modified("stage/runs"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn homes(root: &Path, folder: &str) -> LastHomes {
        let folder = root.canonicalize().unwrap().join(folder);
        fs::create_dir_all(&folder).unwrap();
        LastHomes { file: Some(root.join("state/findata/homes.json")), folder }
    }

    fn create(path: &Path) {
        fs::create_dir_all(path.join("stage")).unwrap();
    }

    #[test]
    fn each_folder_has_its_own_last_home() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (homes(root.path(), "one"), homes(root.path(), "two"));
        create(&one.folder.join("mine"));
        create(&one.folder.join("findata-home"));
        one.note(&one.folder.join("../one/mine"), SystemTime::now());
        let found = one.find();
        assert_eq!((found.home.as_path(), found.reason.is_some()), (Path::new("./mine"), true));
        assert_eq!(two.find(), Found { home: HOME.into(), reason: None });
        // A home that was deleted is not used.
        fs::remove_dir_all(one.folder.join("mine")).unwrap();
        assert_eq!(one.find(), Found { home: HOME.into(), reason: None });
    }

    #[test]
    fn without_a_note_the_demo_is_used_if_it_is_alone_or_newer() {
        let root = tempfile::tempdir().unwrap();
        let homes = LastHomes { file: None, ..homes(root.path(), "one") };
        create(&homes.folder.join("findata-demo"));
        assert_eq!(homes.find().home, Path::new(DEMO_HOME));
        create(&homes.folder.join("findata-home"));
        let (own, demo) = ("findata-home/findata.duckdb", "findata-demo/findata.duckdb");
        for (newer, expected) in [(own, HOME), (demo, DEMO_HOME)] {
            let older = if newer == own { demo } else { own };
            for (file, age) in [(newer, 0), (older, 100)] {
                let file = fs::File::create(homes.folder.join(file)).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            }
            assert_eq!(homes.find().home, Path::new(expected));
        }
    }

    #[test]
    fn the_oldest_notes_are_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH;
        for n in 0..=MAX_FOLDERS as u64 {
            let homes = homes(root.path(), &n.to_string());
            homes.note(&homes.folder, start + Duration::from_secs(n));
        }
        let first = homes(root.path(), "0");
        let noted = first.noted();
        assert_eq!((noted.len(), noted.contains_key(&first.folder)), (MAX_FOLDERS, false));
    }
}
