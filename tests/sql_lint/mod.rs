//! One SQL text for two engines: every model, table and view, and the setup rendered from the
//! catalog, parses in both dialects and uses only SQL that both engines understand in the same way.
//! The lint is an allow-list, because no validator knows everything that Snowflake rejects.

mod rejected;
mod rules;
mod text;
mod types;

use std::{fs, path::PathBuf, sync::OnceLock};

use findata_models::{Model, Models, tables};
use findata_tests::models_with;

/// The kind of file that contains a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// A model: one temporary table, replaced in each run.
    Model,
    /// A table of `analytics`, created once.
    Table,
    /// A view of `analytics`.
    View,
    /// The setup rendered from the catalog.
    Setup,
}

/// The models with those of the user's metrics.
fn models() -> &'static Models {
    static MODELS: OnceLock<&'static Models> = OnceLock::new();
    MODELS.get_or_init(|| models_with(include_str!("../../metrics.example.toml")))
}

/// The problems of a text; empty if there are none.
fn lint(kind: FileKind, sql: &str) -> Vec<String> {
    let mut found = text::lint(kind, sql);
    found.extend(rules::lint(kind, sql));
    found.sort();
    found.dedup();
    found
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/models")
}

/// The SQL files of a folder in `infra/models`, as pairs of name and text. The name includes the
/// folder, as in the list of models.
fn files(below: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder().join(below)).into_iter().flatten().flatten();
    let mut found: Vec<(String, String)> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (format!("{below}/{name}"), fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The models, tables or views of a folder, as they are executed.
fn rendered(below: &str) -> impl Iterator<Item = &'static Model> {
    let all = models().models.iter().chain(&models().tables);
    all.filter(move |m| m.file.split_once('/').is_some_and(|(folder, _)| folder == below))
}

/// The folders of `infra/models` that contain SQL, in the order in which their models run.
const FOLDERS: [(&str, FileKind); 12] = [
    ("1_scope", FileKind::Model),
    ("2_statements", FileKind::Model),
    ("3_ttm", FileKind::Model),
    ("4_ratios", FileKind::Model),
    ("5_growth", FileKind::Model),
    ("6_prices", FileKind::Model),
    ("7_valuation", FileKind::Model),
    ("8_quality", FileKind::Model),
    ("9_dimensions", FileKind::Model),
    ("10_ranks", FileKind::Model),
    ("tables", FileKind::Table),
    ("views", FileKind::View),
];

#[test]
fn every_model_table_and_view_uses_only_the_common_subset_of_both_engines() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (below, kind) in FOLDERS {
        for model in rendered(below) {
            seen += 1;
            wrong.extend(lint(kind, &model.sql).into_iter().map(|what| format!("{}: {what}", model.file)));
        }
    }
    assert!(seen > 35, "{seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_setup_rendered_from_the_catalog_uses_only_the_common_subset() {
    let statements = tables::setup();
    assert!(statements.len() > 20);
    let wrong: Vec<String> = statements
        .iter()
        .flat_map(|sql| lint(FileKind::Setup, sql).into_iter().map(move |what| format!("{what}: {sql}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The number of a file's folder, the file's number within the folder, and its name. Tables and views have no numbers.
fn position(file: &str) -> (u32, u32, String) {
    let number =
        |name: &str| name.split_once('_').and_then(|(number, _)| number.parse().ok()).unwrap_or_default();
    let (folder, name) = file.rsplit_once('/').unwrap_or_default();
    (number(folder), number(name), name.to_owned())
}

#[test]
fn the_list_of_models_equals_the_files_of_the_folder() {
    for (below, kind) in FOLDERS {
        let mut listed: Vec<&str> = rendered(below).map(|model| model.file).collect();
        if kind != FileKind::Model {
            listed.sort();
        }
        let mut names: Vec<String> = files(below).into_iter().map(|(name, _)| name).collect();
        names.sort_by_key(|name| position(name));
        assert_eq!(listed, names, "models run in the order of their folders and numbers");
    }
    let order: Vec<&str> = models().models.iter().map(|m| m.file).collect();
    assert!(
        order.is_sorted_by_key(|file| position(file)),
        "models run in the order of their folders and numbers"
    );
    let mut below: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .filter(|folder| folder != "metrics")
        .collect();
    below.sort();
    let mut folders = FOLDERS.map(|(name, _)| name);
    folders.sort();
    assert_eq!(below, folders);
}

#[test]
fn every_published_table_has_a_definition_and_a_model() {
    for table in findata_models::PUBLISHED {
        assert!(
            models().tables.iter().any(|t| t.file == format!("tables/{}.sql", table.name)),
            "{}",
            table.name
        );
        let made = format!("create or replace temporary table new_{} as", table.name);
        assert!(models().models.iter().any(|m| m.sql.contains(&made)), "{made}");
    }
    // Each model makes exactly one temporary table, and the file has the table's name.
    for model in &models().models {
        let name = model.file.split_once('/').unwrap().1;
        let stem = name.trim_end_matches(".sql").split_once('_').unwrap().1;
        assert!(model.sql.contains(&format!("table {stem} as")), "{} makes another table", model.file);
    }
}
