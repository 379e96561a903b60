//! One SQL text for two engines: every model, table and view, and the setup rendered from the
//! catalog, parses in both dialects and uses only what both engines understand in the same way.
//! This is an allow-list, because no validator knows everything that Snowflake rejects.

mod rejected;
mod rules;
mod text;

use std::{fs, path::PathBuf};

use findata_models::tables;

/// The kind of file a statement is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// A model: one temporary table, replaced on each run.
    Model,
    /// A table of `analytics`, created once.
    Table,
    /// A view of `analytics`.
    View,
    /// The setup rendered from the catalog.
    Setup,
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

/// The files of a models folder, named as in `models.rs`.
fn files(below: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder().join(below)).into_iter().flatten().flatten();
    let mut found: Vec<(String, String)> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

const KINDS: [(&str, FileKind); 3] = [("", FileKind::Model), ("tables", FileKind::Table), ("views", FileKind::View)];

#[test]
fn every_model_table_and_view_uses_only_the_common_subset_of_both_engines() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (below, kind) in KINDS {
        for (name, sql) in files(below) {
            seen += 1;
            wrong.extend(lint(kind, &sql).into_iter().map(|what| format!("{name}: {what}")));
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

#[test]
fn the_list_of_models_and_the_files_are_the_same() {
    for (below, _) in KINDS {
        let here = |file: &str| file.split_once('/').map_or("", |(folder, _)| folder) == below;
        let all = findata_models::MODELS.iter().chain(findata_models::TABLES).filter(|m| here(m.file));
        let mut listed: Vec<(String, String)> = all.map(|m| (m.file.to_owned(), m.sql.to_owned())).collect();
        let order: Vec<String> = listed.iter().map(|(name, _)| name.clone()).collect();
        listed.sort();
        let names = |all: &[(String, String)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&listed), names(&files(below)));
        assert!(listed == files(below), "the embedded texts of {below} differ from the files");
        if below.is_empty() {
            assert_eq!(order, names(&listed), "models run in the order of their file numbers");
        }
    }
    let below: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert!(below.iter().all(|name| ["tables", "views"].contains(&name.as_str())), "{below:?}");
}

#[test]
fn every_published_table_has_a_definition_and_a_model() {
    for table in findata_models::PUBLISHED {
        assert!(
            findata_models::TABLES.iter().any(|t| t.file == format!("tables/{}.sql", table.name)),
            "{}",
            table.name
        );
        let made = format!("create or replace temporary table new_{} as", table.name);
        assert!(findata_models::MODELS.iter().any(|m| m.sql.contains(&made)), "{made}");
    }
    // Every temporary table is created once, by the file of that name.
    for model in findata_models::MODELS {
        let stem = model.file.trim_end_matches(".sql").split_once('_').unwrap().1;
        assert!(model.sql.contains(&format!("table {stem} as")), "{} creates a table of another name", model.file);
    }
}
