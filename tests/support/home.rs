//! A findata home in a temporary folder, and queries against its warehouse.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use duckdb::{AccessMode, Config, Connection};
use tempfile::TempDir;

/// Today in the simulated market of most tests; a Friday.
pub fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, 18).expect("a day")
}

/// A findata home in a temporary folder, which is deleted when dropped.
pub struct Home {
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Home {
            folder: tempfile::Builder::new().prefix("findata-test-").tempdir().expect("a temporary folder"),
        }
    }
}

impl Home {
    /// An empty home.
    pub fn new() -> Self {
        Home::default()
    }

    /// A copy of another home.
    pub fn copy_of(other: &Home) -> Self {
        let home = Home::new();
        copy(other.path(), home.path());
        home
    }

    /// The home's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The warehouse file.
    pub fn warehouse(&self) -> PathBuf {
        self.path().join("findata.duckdb")
    }

    /// The stage's folder.
    pub fn stage(&self) -> PathBuf {
        self.path().join("stage")
    }

    /// Opens the warehouse read-only.
    pub fn open(&self) -> Connection {
        let config = Config::default().access_mode(AccessMode::ReadOnly).expect("a configuration");
        Connection::open_with_flags(self.warehouse(), config).expect("a warehouse to read")
    }

    /// The rows of a query, with every value as text.
    pub fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        rows(&self.open(), query)
    }

    /// The rows of a query as lines: columns are separated by `|`, and NULL is printed as `NULL`.
    pub fn lines(&self, query: &str) -> Vec<String> {
        lines(self.rows(query))
    }

    /// Like [`Home::lines`], but reads the warehouse as of a past day.
    pub fn lines_as_of(&self, day: NaiveDate, query: &str) -> Vec<String> {
        let connection = findata_duckdb::as_of::open(
            &self.warehouse(),
            day,
            findata_duckdb::Reach::Warehouse,
            findata_duckdb::MemoryLimit::of_machine(),
            crate::models(),
        )
        .expect("a warehouse as of a day");
        lines_of(&connection, query)
    }

    /// The single value of a query as text; NULL is `NULL`.
    pub fn text(&self, query: &str) -> String {
        let lines = self.lines(query);
        assert_eq!(lines.len(), 1, "{query}: {lines:?}");
        lines.into_iter().next().unwrap_or_default()
    }

    /// The single value of a query as an integer.
    pub fn count(&self, query: &str) -> i64 {
        let text = self.text(query);
        text.parse().unwrap_or_else(|_| panic!("{query}: {text} is not an integer"))
    }

    /// The single value of a query as a number; `None` is NULL.
    pub fn figure(&self, query: &str) -> Option<f64> {
        let text = self.text(query);
        (text != "NULL").then(|| text.parse().unwrap_or_else(|_| panic!("{query}: {text} is not a number")))
    }

    /// The numbers in the only row of a query, by column. NULLs are left out. `from` is the query
    /// after its select list.
    pub fn figures(&self, columns: &[&str], from: &str) -> BTreeMap<String, f64> {
        let mut rows = self.rows(&format!("select {} {from}", columns.join(", ")));
        assert_eq!(rows.len(), 1, "{from}");
        let known = columns.iter().zip(rows.remove(0)).filter_map(|(name, cell)| {
            let cell = cell?;
            Some((
                name.to_string(),
                cell.parse().unwrap_or_else(|_| panic!("{name}: {cell} is not a number")),
            ))
        });
        known.collect()
    }

    /// The path of every file in the home.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(self.path(), &mut found);
        found.sort();
        found
    }

    /// The keys on the stage that begin with `prefix`, without files that are still being written.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let root = self.stage();
        let key = |path: PathBuf| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned());
        self.files().into_iter().filter_map(key).filter(|k| k.starts_with(prefix)).collect()
    }
}

/// The rows of a query on a connection as lines, as [`Home::lines`] returns them.
pub fn lines_of(connection: &Connection, query: &str) -> Vec<String> {
    lines(rows(connection, query))
}

fn lines(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    let line = |row: Vec<Option<String>>| {
        row.into_iter()
            .map(|cell| cell.unwrap_or_else(|| "NULL".into()))
            .collect::<Vec<_>>()
            .join("|")
    };
    rows.into_iter().map(line).collect()
}

/// The rows of a query on a connection, with every value as text.
pub(crate) fn rows(connection: &Connection, query: &str) -> Vec<Vec<Option<String>>> {
    let texts = format!("select columns(*)::varchar from ({query}) q");
    let mut statement = connection.prepare(&texts).unwrap_or_else(|e| panic!("{query}: {e}"));
    let mut rows = statement.query([]).unwrap_or_else(|e| panic!("{query}: {e}"));
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let columns = row.as_ref().column_count();
        found.push((0..columns).map(|i| row.get(i).expect("text")).collect());
    }
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder to copy").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
