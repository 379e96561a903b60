//! The content of the published tables, without the columns that say when and by which run a row
//! was written.

use std::{collections::BTreeMap, fmt};

use duckdb::Connection;

use super::home::{Home, rows};

/// The number of rows printed per difference.
const SHOWN: usize = 5;
/// The number of characters printed per row.
const WIDTH: usize = 200;

/// The row count and an order-independent hash of every published table. Columns with run metadata
/// are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(BTreeMap<String, (String, String)>);

impl Home {
    /// The content of `analytics` and `ops.quality`.
    pub fn content(&self) -> Content {
        let connection = self.open();
        let tables = tables(&connection, "findata");
        assert!(tables.len() >= 9, "{tables:?}");
        let of = |(table, columns): (String, Vec<String>)| {
            let columns = columns.join(", ");
            let query = format!(
                "select count(*), coalesce(sum(hash(r)::hugeint), 0) from (select row({columns}) r from {})",
                full_name(&table)
            );
            let row = rows(&connection, &query).remove(0);
            (table, (row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default()))
        };
        Content(tables.into_iter().map(of).collect())
    }

    /// The rows of `analytics` that differ between this home and another. A test asserts that the
    /// result is empty; a failure prints the rows.
    pub fn differences(&self, other: &Home) -> Differences {
        self.differences_except(other, &[])
    }

    /// Like [`Home::differences`], but ignores some columns.
    pub fn differences_except(&self, other: &Home, ignored: &[&str]) -> Differences {
        let mut found = BTreeMap::new();
        if self.content() != other.content() {
            let connection = Connection::open_in_memory().expect("a database in memory");
            for (home, name) in [(self, "mine"), (other, "theirs")] {
                let path = home.warehouse().display().to_string();
                connection
                    .execute_batch(&format!("attach '{path}' as {name} (read_only)"))
                    .expect("an attached warehouse");
            }
            for (table, columns) in tables(&connection, "mine") {
                let columns: Vec<String> =
                    columns.into_iter().filter(|c| !ignored.contains(&c.as_str())).collect();
                let columns = columns.join(", ");
                let side = |a: &str, b: &str| {
                    let of = |home: &str| format!("select {columns} from {home}.{}", full_name(&table));
                    rows(&connection, &format!("{} except all {} limit {SHOWN}", of(a), of(b)))
                };
                let (mine, theirs) = (side("mine", "theirs"), side("theirs", "mine"));
                if !mine.is_empty() || !theirs.is_empty() {
                    found.insert(table, (mine, theirs));
                }
            }
        }
        Differences(found)
    }
}

type Rows = Vec<Vec<Option<String>>>;

/// The rows that only one of two homes has, by table.
#[derive(PartialEq, Eq)]
pub struct Differences(BTreeMap<String, (Rows, Rows)>);

impl Differences {
    /// Whether the two homes have the same rows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, (mine, theirs)) in &self.0 {
            writeln!(f, "\n{table}")?;
            for (sign, rows) in [("only here ", mine), ("only there", theirs)] {
                for row in rows {
                    let cells =
                        row.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join("|");
                    writeln!(f, "  {sign} {}", cells.chars().take(WIDTH).collect::<String>())?;
                }
            }
        }
        Ok(())
    }
}

impl Content {
    /// The number of rows of a table.
    pub fn rows(&self, table: &str) -> u64 {
        self.0.get(table).and_then(|(rows, _)| rows.parse().ok()).unwrap_or_default()
    }
}

/// Whether a column holds run metadata, which may differ between equal rows.
fn is_run_metadata(column: &str) -> bool {
    ["run_id", "loaded_at", "observed_at", "computed_at", "updated_at", "created_at"].contains(&column)
        || column.starts_with("known_")
        || column.starts_with("valid_")
}

/// A table's name with its schema.
fn full_name(table: &str) -> String {
    format!("{}.{table}", if table == "quality" { "ops" } else { "analytics" })
}

fn tables(connection: &Connection, database: &str) -> BTreeMap<String, Vec<String>> {
    let query = format!(
        "select table_name, column_name from duckdb_columns() \
         where database_name = '{database}' and (schema_name = 'analytics' or (schema_name = 'ops' and table_name = 'quality')) order by table_name, column_index"
    );
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(connection, &query) {
        if let [Some(table), Some(column)] = row.as_slice()
            && !is_run_metadata(column)
        {
            found.entry(table.clone()).or_default().push(column.clone());
        }
    }
    found
}
