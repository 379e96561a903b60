//! The statements, names and grants of the scripts.

use std::{collections::BTreeSet, fs};

use findata_domain::{catalog::CATALOG, sql::literal};
use findata_explain::dictionary;
use findata_local::setup_sql;
use findata_models::hashes::hashes;
use findata_tests::{Home, findata};

use super::{KEY, code, defaults, given, pem, scripts};

fn codes(script: &str) -> Vec<String> {
    setup_sql::statements(script).iter().map(|s| code(s)).collect()
}

#[test]
fn every_statement_can_be_repeated_and_only_the_teardown_drops() {
    for (name, script) in scripts() {
        for statement in codes(&script) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let has = |words: &str| format!(" {statement} ").contains(&format!(" {words} "));
            match words[0] {
                "create" => {
                    assert!(has("if not exists") || words[1..3] == ["or", "replace"], "{name}: {statement}")
                }
                "drop" => assert!(name.starts_with("teardown") && has("if exists"), "{name}: {statement}"),
                "use" | "grant" | "revoke" | "alter" | "desc" => {}
                "delete" | "insert" => assert!(name.starts_with("setup"), "{name}: {statement}"),
                _ => panic!("{name}: {statement}"),
            }
            // Only views and tables may be recreated. Other objects would lose external ids, grants
            // or the credits counted this month.
            if words[1..].first() == Some(&"or") {
                assert!(["view", "table", "transient"].contains(&words[3]), "{name}: {statement}");
                assert!(words[3] == "view" || name == "setup that rebuilds tables", "{name}: {statement}");
            }
            assert!(!has("cluster by") && !statement.contains("create index"), "{name}: {statement}");
        }
    }
}

#[test]
fn every_object_uses_the_given_name_and_every_placeholder_is_replaced() {
    for (name, script) in scripts().iter().filter(|(_, script)| script.contains("acme_dev")) {
        let without = script.replace("role/findata-snowflake", "").replace("Sets findata up", "");
        assert!(!without.contains("findata"), "{name}: {:?}", without.split("findata").nth(1));
        assert!(!script.contains("000000000000") && !script.contains("PUT-THE"), "{name}");
    }
    let script = setup_sql::setup(&given(), false, findata_tests::models());
    for part in [
        "create role if not exists acme_dev_loader",
        "create database if not exists acme_dev comment",
        "grant usage on stage acme_dev.raw.landing to role acme_dev_loader",
        "url = 's3://acme-data.eu/fin/data/'",
        "storage_allowed_locations = ('s3://acme-data.eu/fin/data/')",
        "storage_aws_role_arn = 'arn:aws:iam::123456789012:role/readers/acme'",
        "alter resource monitor acme_dev_monitor set credit_quota = 7;",
        "default_namespace = 'acme_dev.scratch'",
        &format!("alter user acme_dev_service set rsa_public_key = '{KEY}';"),
    ] {
        assert!(script.contains(part), "{part} is missing");
    }
}

#[test]
fn without_values_no_existing_object_is_altered_to_a_placeholder() {
    let statements = codes(&setup_sql::setup(&defaults(), false, findata_tests::models()));
    for placeholder in [
        "s3://findata-bucket/home/",
        "arn:aws:iam::000000000000:role/findata-snowflake",
        "PUT-THE-PUBLIC-KEY-HERE",
    ] {
        let with: Vec<_> = statements.iter().filter(|s| s.contains(placeholder)).collect();
        assert!(!with.is_empty() && with.iter().all(|s| s.starts_with("create ")), "{with:#?}");
    }
    let altered = |of: &[String], what: &str| of.iter().any(|s| s.starts_with(&format!("alter {what} ")));
    let full = codes(&setup_sql::setup(&given(), false, findata_tests::models()));
    for what in ["storage integration", "stage", "user", "resource monitor"] {
        assert!(!altered(&statements, what) && altered(&full, what), "{what}");
    }
}

#[test]
fn all_tables_and_views_are_created_before_grants_and_listed_in_ops_models() {
    for (script, made) in [
        (
            setup_sql::setup(&defaults(), false, findata_tests::models()),
            "create table if not exists",
        ),
        (setup_sql::setup(&defaults(), true, findata_tests::models()), "create or replace table"),
    ] {
        let at = |part: &str| script.find(part).unwrap_or_else(|| panic!("{part} is missing"));
        let first_grant = at("grant select, insert on all tables");
        for dataset in CATALOG {
            assert!(at(&format!("create table if not exists staging.{} (", dataset.name)) < first_grant);
            assert!(
                at(&format!("create transient table if not exists raw.{} (", dataset.name)) < first_grant
            );
        }
        let hashes = hashes(&findata_tests::models().tables);
        for model in &findata_tests::models().tables {
            let (kind, name) = model.file.trim_end_matches(".sql").split_once('/').unwrap();
            let words = if kind == "tables" { made } else { "create or replace view" };
            let schema = ["analytics", "ops", "staging"].iter().find(|schema| {
                let words = match (kind, **schema) {
                    ("tables", "analytics") => words.replace(" table", " transient table"),
                    _ => words.to_owned(),
                };
                script.contains(&format!("{words} {schema}.{name} "))
            });
            assert!(schema.is_some(), "{words} {name}");
            assert!(at(&format!("('{}', '{}')", model.file, hashes[model.file])) < first_grant);
        }
        assert_eq!(script.contains("insert into ops.changes"), made.contains("replace"));
    }
}

#[test]
fn every_schema_with_views_grants_select_on_them() {
    let script = setup_sql::setup(&defaults(), false, findata_tests::models());
    let schemas: BTreeSet<&str> = script
        .split("create or replace view ")
        .skip(1)
        .filter_map(|rest| rest.split_once('.').map(|(schema, _)| schema))
        .collect();
    for schema in schemas {
        for which in ["all", "future"] {
            let grant =
                format!("grant select on {which} views in schema findata.{schema} to role findata_loader;");
            assert!(script.contains(&grant), "{grant}");
        }
    }
}

#[test]
fn no_role_has_more_privileges_than_it_uses() {
    let script = setup_sql::setup(&defaults(), false, findata_tests::models());
    let grants: Vec<String> = codes(&script).into_iter().filter(|s| s.starts_with("grant ")).collect();
    let to = |role: &str| {
        grants
            .iter()
            .filter(|g| g.ends_with(&format!(" to role findata_{role}")))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(
        grants
            .iter()
            .all(|g| !g.contains("ownership") && !g.contains("grant all") && !g.contains("public")),
        "{grants:#?}"
    );
    for grant in to("reader") {
        assert!(grant.starts_with("grant select on ") || grant.starts_with("grant usage on "), "{grant}");
        assert!(!grant.contains("findata.raw") && !grant.contains("findata.staging"), "{grant}");
    }
    for grant in to("loader") {
        let creates = grant.starts_with("grant create ");
        assert!(
            !creates || grant == "grant create table on schema findata.scratch to role findata_loader",
            "{grant}"
        );
        assert!(!grant.contains("update") && !grant.contains("truncate"), "{grant}");
        let deletes_ticks = grant == "grant delete on table findata.raw.price_ticks to role findata_loader";
        assert!(deletes_ticks || !(grant.contains("delete") && grant.contains("findata.raw")), "{grant}");
    }
    assert!(!to("loader").is_empty() && !to("reader").is_empty());
    let revoked = "revoke select on table findata.ops.quarantine from role findata_reader;";
    let (granted, revoked) = (script.rfind("on future tables in schema findata.ops"), script.find(revoked));
    assert!(revoked > granted, "the reader sees rows as FMP sent them");
}

#[test]
fn the_role_of_snowflake_may_list_the_folder_of_the_stage() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let template = fs::read_to_string(format!("{root}/infra/template.yaml")).unwrap();
    let role = template.split("\n  SnowflakeRole:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(role.contains(r#"s3:prefix": [!Sub "${StagePrefix}/*"]"#), "{role}");
    let readme = fs::read_to_string(format!("{root}/infra/README.md")).unwrap();
    assert!(readme.contains(r#""s3:prefix": ["home/*"]"#) && script_url().ends_with("/home/'"));
    for line in readme.lines().filter(|line| line.contains("snowsql ")) {
        assert!(line.contains("exit_on_error=true"), "SnowSQL goes on after an error: {line}");
    }
}

fn script_url() -> String {
    let script = setup_sql::setup(&defaults(), false, findata_tests::models());
    script
        .lines()
        .find(|line| line.trim().starts_with("url = "))
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn every_file_of_the_folder_is_part_of_a_script() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/snowflake");
    let together: String = scripts().into_iter().map(|(_, script)| script).collect();
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(together.contains(first), "{:?} is not part of any script", entry.path());
        assert!(
            first.starts_with("-- ") && first.contains(" as "),
            "the first line must say what the file does and as which role: {first}"
        );
        assert!(
            text.lines().all(|line| line.len() <= 140 && line.trim_end() == line),
            "{:?}",
            entry.path()
        );
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn the_command_prints_the_script_and_names_missing_values() {
    let home = Home::new();
    let command = |extra: &[&str]| findata(&[&["setup-sql"], extra].concat()).home(&home).no_key().run();
    let plain = command(&[]);
    assert_eq!(
        (plain.code, plain.stdout.as_str()),
        (Some(0), setup_sql::setup(&defaults(), false, findata_tests::models()).as_str())
    );
    for option in ["--bucket", "--role-arn", "--public-key"] {
        assert!(plain.stderr.contains(option), "{}", plain.stderr);
    }
    let key = home.path().join("key.pub");
    fs::write(&key, pem(KEY)).unwrap();
    let key = key.to_str().unwrap();
    let arn = "arn:aws:iam::123456789012:role/readers/acme";
    let options = [
        "--bucket",
        "acme-data.eu",
        "--prefix",
        "fin/data",
        "--role-arn",
        arn,
        "--public-key",
        key,
        "--credits",
        "7",
    ];
    let full = command(&[&options[..], &["--name", "acme_dev"]].concat());
    assert_eq!((full.code, full.stderr.as_str()), (Some(0), ""));
    assert!(full.stdout == setup_sql::setup(&given(), false, findata_tests::models()));
    let replaced = command(&["--replace-figures"]);
    assert!(replaced.stdout == setup_sql::setup(&defaults(), true, findata_tests::models()));
    assert!(replaced.stdout != plain.stdout && replaced.code == Some(0));
    let json = command(&["--json", "--rotate-key", "--public-key", key]).json();
    assert_eq!(json.as_array().unwrap().len(), 2, "{json}");
    let teardown = command(&["--teardown"]);
    assert_eq!((teardown.code, teardown.stderr.as_str()), (Some(0), ""), "teardown needs no values");
    assert!(teardown.stdout.contains("drop database if exists findata;"));
    assert_eq!(command(&["--teardown", "--bucket", "abc"]).code, Some(2));
    assert_eq!(command(&["--rotate-key", "--teardown"]).code, Some(2));
    assert_eq!(home.files().len(), 1, "only the key file exists: {:?}", home.files());
}

#[test]
fn every_table_view_and_column_has_the_dictionarys_text_as_comment() {
    let models = findata_tests::models();
    let comments = dictionary::comments(models);
    let statements = codes(&setup_sql::setup(&defaults(), false, models));
    for table in &comments {
        let head = format!(" {} (", table.full_name());
        let created = |s: &&String| s.starts_with("create ") && s.lines().any(|line| line.ends_with(&head));
        let statement = statements.iter().find(created).unwrap_or_else(|| panic!("{head} is missing"));
        let mut lines = statement.lines().skip_while(|line| !line.ends_with(&head)).skip(1);
        for (column, text) in &table.columns {
            let line = lines.next().unwrap_or_default().trim_end_matches(',');
            let (name, comment) = (format!("    {column} "), format!("comment {}", literal(text)));
            assert!(line.starts_with(&name) && line.ends_with(&comment), "{}: {line}", table.name);
        }
        assert_eq!(lines.next(), Some(")"), "{}", table.name);
        assert_eq!(lines.next(), Some(format!("comment = {}", literal(&table.about)).as_str()));
    }
    assert!(comments.iter().map(|table| table.columns.len()).sum::<usize>() > 900);
}
