//! What a warehouse of another version lacks, and the statements that add it.

use std::collections::{BTreeMap, BTreeSet};

use findata_domain::schema_version::{SCHEMA_VERSION, record_version, version};
use serde::Serialize;

use crate::{Model, Models, hashes, tables};

/// The query whose rows [`Stored::new`] reads first: tables and columns.
pub const COLUMNS: &str = "select lower(table_schema) || '.' || lower(table_name), lower(column_name) \
     from information_schema.columns where lower(table_schema) in ('raw', 'staging', 'analytics', 'ops')";
/// What a warehouse has.
#[derive(Debug, Default)]
pub struct Stored {
    /// The version of its tables; `None` if it has none.
    pub version: Option<u32>,
    columns: BTreeMap<String, BTreeSet<String>>,
    files: BTreeMap<String, String>,
}

impl Stored {
    /// Reads the rows of [`COLUMNS`].
    pub fn new(columns: Vec<Vec<Option<String>>>) -> Self {
        let mut stored = Stored::default();
        for row in columns {
            if let [Some(table), Some(column)] = row.as_slice() {
                stored.columns.entry(table.clone()).or_default().insert(column.clone());
            }
        }
        stored
    }

    /// Whether [`RECORDED`] can be read.
    pub fn is_set_up(&self) -> bool {
        self.columns.contains_key("ops.models")
    }

    /// Adds the rows of [`RECORDED`].
    #[must_use]
    pub fn with_recorded(mut self, recorded: Vec<Vec<Option<String>>>) -> Self {
        self.version = Some(version(&recorded));
        self.files = hashes::known(recorded);
        self
    }
}

/// A change of a warehouse's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// The table, column or view.
    pub object: String,
}

/// What happens to a table, column or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A table is created.
    CreateTable,
    /// A column is added to a table that keeps its rows.
    AddColumn,
    /// A table of figures is created again, and its figures are computed again.
    RecreateTable,
    /// A view is created or replaced.
    ReplaceView,
}

impl Action {
    /// The action in words.
    pub fn text(self) -> &'static str {
        match self {
            Action::CreateTable => "create table",
            Action::AddColumn => "add column",
            Action::RecreateTable => "recreate table",
            Action::ReplaceView => "replace view",
        }
    }
}

/// What an upgrade changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upgrade {
    /// The version of the warehouse's tables; `None` if it has none.
    pub stored_version: Option<u32>,
    /// The version of this build.
    pub version: u32,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Whether the next computation covers all companies.
    pub recomputes_figures: bool,
    /// The statements for tables that keep their rows.
    #[serde(skip)]
    statements: Vec<String>,
    /// The files of the tables to create, and of those to create again.
    #[serde(skip)]
    created: BTreeSet<&'static str>,
    #[serde(skip)]
    recreated: BTreeSet<&'static str>,
}

impl Upgrade {
    /// Compares a warehouse with the tables of this build.
    pub fn of(stored: &Stored, models: &Models) -> Self {
        let mut upgrade = Upgrade {
            stored_version: stored.version,
            version: SCHEMA_VERSION,
            changes: Vec::new(),
            recomputes_figures: false,
            statements: Vec::new(),
            created: BTreeSet::new(),
            recreated: BTreeSet::new(),
        };
        upgrade.add_data_tables(stored);
        upgrade.add_figures(stored, models);
        let current = hashes::hashes(models.tables.iter().chain(&models.models));
        // A new warehouse on Snowflake has no models before the first run.
        let is_model = |file: &String| !file.starts_with("tables/") && !file.starts_with("views/");
        upgrade.recomputes_figures |= stored.files.keys().any(is_model) && stored.files != current;
        upgrade
    }

    /// Whether the warehouse has the tables of this build already.
    pub fn is_done(&self) -> bool {
        self.changes.is_empty() && self.stored_version == Some(self.version)
    }

    fn add(&mut self, action: Action, object: impl Into<String>) {
        self.changes.push(Change { action, object: object.into() });
    }

    /// Tables that keep their rows: `raw`, `staging` and `ops`.
    fn add_data_tables(&mut self, stored: &Stored) {
        let setup = tables::setup();
        for table in tables::data_tables() {
            let Some(columns) = stored.columns.get(&table.name) else {
                let create = format!("create table if not exists {} (", table.name);
                self.statements.extend(setup.iter().filter(|sql| sql.starts_with(&create)).cloned());
                self.add(Action::CreateTable, table.name);
                continue;
            };
            for (column, kind) in table.columns.iter().filter(|(name, _)| !columns.contains(*name)) {
                self.statements.push(format!(
                    "alter table {} add column if not exists {column} {}",
                    table.name,
                    kind.sql()
                ));
                self.add(Action::AddColumn, format!("{}.{column}", table.name));
            }
        }
    }

    /// Tables of figures, and views.
    fn add_figures(&mut self, stored: &Stored, models: &Models) {
        let current = hashes::hashes(&models.tables);
        let is_current = |model: &Model| stored.files.get(model.file) == current.get(model.file);
        let has = |model: &Model| stored.columns.contains_key(object(model));
        let (tables, views): (Vec<&Model>, Vec<&Model>) =
            models.tables.iter().partition(|model| model.file.starts_with("tables/"));
        for table in tables.into_iter().filter(|table| !has(table) || !is_current(table)) {
            let exists = has(table);
            let files = if exists { &mut self.recreated } else { &mut self.created };
            files.insert(table.file);
            self.add(if exists { Action::RecreateTable } else { Action::CreateTable }, object(table));
        }
        for view in views.into_iter().filter(|view| !has(view) || !is_current(view)) {
            self.add(Action::ReplaceView, object(view));
        }
        self.recomputes_figures = !self.recreated.is_empty();
    }

    /// Returns the statements for the owner of the tables, in order. `create` returns the statement of a file. An
    /// interrupted upgrade can be repeated: the last transaction marks the tables as current, and until then the
    /// functions refuse them.
    pub fn statements(&self, models: &Models, create: impl Fn(&Model) -> String) -> Vec<String> {
        let mut all = self.statements.clone();
        for file in &models.tables {
            let sql = create(file).trim_end().to_owned();
            if self.recreated.contains(file.file) {
                let table = sql.replacen("create table if not exists", "create or replace table", 1);
                all.push(table.replacen(
                    "create transient table if not exists",
                    "create or replace transient table",
                    1,
                ));
            // A view keeps the columns that it had when it was created, so all are created again.
            } else if self.created.contains(file.file) || file.file.starts_with("views/") {
                all.push(sql);
            }
        }
        all.push("begin transaction".into());
        if self.recomputes_figures {
            all.push(hashes::ALL_COMPANIES_ARE_DUE.into());
        }
        all.extend(hashes::record(&hashes::hashes(&models.tables)));
        all.extend(record_version());
        all.push("commit".into());
        all
    }
}

/// The table or view that a statement creates, with its schema.
fn object(model: &Model) -> &str {
    let create = model.sql.lines().find(|line| line.starts_with("create ")).unwrap_or_default();
    create.split_whitespace().find(|word| word.contains('.')).unwrap_or(model.file)
}

#[cfg(test)]
mod tests {
    use findata_domain::{
        hash,
        schema_version::{MARK, UNMARKED},
    };

    use super::*;

    /// The hash of all table definitions of [`SCHEMA_VERSION`].
    const FINGERPRINT: (u32, &str) = (2, "47b005a73517da7fcb619a527e9e78fe9ee97f3b4872b034a5d12dc737d482d5");

    fn stored(models: &Models) -> Stored {
        let mut columns = Vec::new();
        let mut add =
            |table: &str, column: &str| columns.push(vec![Some(table.to_owned()), Some(column.to_owned())]);
        for table in tables::data_tables() {
            table.columns.iter().for_each(|(column, _)| add(&table.name, column));
        }
        models.tables.iter().for_each(|model| add(object(model), "any"));
        let mut files: Vec<_> = hashes::hashes(models.tables.iter().chain(&models.models))
            .into_iter()
            .map(|(file, hash)| vec![Some(file), Some(hash)])
            .collect();
        files.push(vec![Some(MARK.into()), Some(SCHEMA_VERSION.to_string())]);
        Stored::new(columns).with_recorded(files)
    }

    #[test]
    fn changed_tables_need_a_new_version() {
        let models = Models::built_in().unwrap();
        let definitions = format!("{:?}{:?}", tables::setup(), hashes::hashes(&models.tables));
        let fingerprint = hash::sha256(definitions.as_bytes());
        assert_eq!(
            FINGERPRINT,
            (SCHEMA_VERSION, fingerprint.as_str()),
            "the tables have changed: raise SCHEMA_VERSION, unless this version was never released, and update FINGERPRINT"
        );
    }

    #[test]
    fn a_current_warehouse_needs_no_upgrade() {
        let models = Models::built_in().unwrap();
        let upgrade = Upgrade::of(&stored(models), models);
        assert!(upgrade.is_done() && !upgrade.recomputes_figures, "{upgrade:?}");
    }

    #[test]
    fn an_upgrade_lists_what_an_older_warehouse_lacks() {
        let models = Models::built_in().unwrap();
        let mut older = stored(models);
        older.version = Some(UNMARKED);
        older.columns.remove("staging.corrections");
        older.columns.get_mut("ops.quarantine").unwrap().remove("status");
        older.files.insert("tables/dim_company.sql".into(), "other".into());
        older.files.remove("views/metric_nulls.sql");
        let upgrade = Upgrade::of(&older, models);
        let changes: Vec<(Action, &str)> =
            upgrade.changes.iter().map(|change| (change.action, change.object.as_str())).collect();
        assert_eq!(
            changes,
            [
                (Action::CreateTable, "staging.corrections"),
                (Action::AddColumn, "ops.quarantine.status"),
                (Action::RecreateTable, "analytics.dim_company"),
                (Action::ReplaceView, "analytics.metric_nulls"),
            ]
        );
        assert!(upgrade.recomputes_figures && !upgrade.is_done());
        let statements = upgrade.statements(models, |file| file.sql.clone()).join(";\n");
        for part in [
            "create or replace table analytics.dim_company",
            "insert into ops.changes",
            "'schema_version', '2'",
        ] {
            assert!(statements.contains(part), "{part}: {statements}");
        }
    }
}
