//! One SQL text on two engines: every model, table and view, and the set-up rendered from the catalog, parse in both dialects and
//! use only what both engines understand in the same way (an allow-list: no validator knows all that Snowflake refuses).

mod rejected;
mod rules;
mod text;

use std::{fs, path::PathBuf};

use findata_models::tables;

/// What kind of file a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A model: one temporary table, replaced.
    Model,
    /// A table of `analytics`: made once.
    Table,
    /// A view of `analytics`.
    View,
    /// The set-up that the catalog renders.
    Setup,
}

/// What is wrong with a text, nothing if it is good.
fn lint(place: Place, sql: &str) -> Vec<String> {
    let mut found = text::lint(place, sql);
    found.extend(rules::lint(place, sql));
    found.sort();
    found.dedup();
    found
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/models")
}

/// The SQL files of a folder of models, by the name they have in `models.rs`.
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

/// The folders of `infra/models`, in the order in which their models run.
const FOLDERS: [(&str, Place); 11] = [
    ("1_scope", Place::Model),
    ("2_statements", Place::Model),
    ("3_ttm", Place::Model),
    ("4_ratios", Place::Model),
    ("5_growth", Place::Model),
    ("6_prices", Place::Model),
    ("7_valuation", Place::Model),
    ("8_quality", Place::Model),
    ("9_dimensions", Place::Model),
    ("tables", Place::Table),
    ("views", Place::View),
];

#[test]
fn every_model_table_and_view_is_in_the_subset_of_both_engines() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (below, place) in FOLDERS {
        for (name, sql) in files(below) {
            seen += 1;
            wrong.extend(lint(place, &sql).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    assert!(seen > 35, "{seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_set_up_that_the_catalog_renders_is_too() {
    let statements = tables::setup();
    assert!(statements.len() > 20);
    let wrong: Vec<String> = statements
        .iter()
        .flat_map(|sql| lint(Place::Setup, sql).into_iter().map(move |what| format!("{what}: {sql}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_list_of_models_is_the_folder_both_ways() {
    for (below, place) in FOLDERS {
        let here = |file: &str| file.split_once('/').is_some_and(|(folder, _)| folder == below);
        let all = findata_models::MODELS.iter().chain(findata_models::TABLES).filter(|m| here(m.file));
        let mut listed: Vec<(String, String)> = all.map(|m| (m.file.to_owned(), m.sql.to_owned())).collect();
        if place != Place::Model {
            listed.sort();
        }
        let names = |all: &[(String, String)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&listed), names(&files(below)), "models run in the order of their folders and numbers");
        assert!(listed == files(below), "the texts of {below} are not those of the files");
    }
    let order: Vec<&str> = findata_models::MODELS.iter().map(|m| m.file).collect();
    assert!(order.is_sorted(), "models run in the order of their folders and numbers");
    let mut below: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    below.sort();
    assert_eq!(below, FOLDERS.map(|(name, _)| name));
}

#[test]
fn every_published_table_has_a_table_and_a_model() {
    for table in findata_models::PUBLISHED {
        assert!(
            findata_models::TABLES.iter().any(|t| t.file == format!("tables/{}.sql", table.name)),
            "{}",
            table.name
        );
        let made = format!("create or replace temporary table new_{} as", table.name);
        assert!(findata_models::MODELS.iter().any(|m| m.sql.contains(&made)), "{made}");
    }
    // Every temporary table is made once, and named in the file's name.
    for model in findata_models::MODELS {
        let name = model.file.split_once('/').unwrap().1;
        let stem = name.trim_end_matches(".sql").split_once('_').unwrap().1;
        assert!(model.sql.contains(&format!("table {stem} as")), "{} makes another table", model.file);
    }
}
