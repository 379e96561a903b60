//! `findata.toml`, `.env`, the home of the last run, `--quiet` and `--color`.

use std::{fs, path::Path};

use findata_tests::{Command, Home, Simulator, findata};

/// A folder with a `findata.toml` and a `.env`, and a server that the file names.
fn configured(server: &Simulator) -> Home {
    let folder = Home::new();
    let toml = format!(
        "home = \"data\"\nfmp-url = \"{}\"\ntoday = 2026-09-18\njson = true\n[run]\nsymbols = [\"AAPL\"]\ndays = 30\n",
        server.url()
    );
    fs::write(folder.path().join("findata.toml"), toml).unwrap();
    fs::write(folder.path().join(".env"), "FMP_API_KEY=from-the-file\nFINDATA_INDEX=none\n").unwrap();
    folder
}

#[test]
fn a_run_needs_only_the_two_files_in_the_current_folder() {
    let server = Simulator::with_symbols(12);
    let folder = configured(&server);
    let output = findata(&["run"]).no_key().in_folder(folder.path()).run();
    assert_eq!((output.code, &output.json()["status"]), (Some(0), &"complete".into()), "{output:#?}");
    // Eleven calls for the company and one for symbol changes; the index is switched off in .env.
    assert_eq!(server.calls(), 12);
    assert!(folder.path().join("data/findata.duckdb").is_file());
    // `plan` uses the options of `run`; an option and a variable win over the files.
    let plan = findata(&["plan"]).no_key().in_folder(folder.path()).run();
    assert_eq!((plan.code, &plan.json()["calls"]), (Some(0), &0.into()), "{plan:#?}");
    let plan = findata(&["plan", "--symbols", "AAPL,KO"]).no_key().in_folder(folder.path()).run();
    assert_eq!((plan.code, &plan.json()["symbols"]), (Some(0), &2.into()), "{plan:#?}");
    let text = findata(&["plan"])
        .no_key()
        .variable("FINDATA_JSON", "false")
        .in_folder(folder.path())
        .run();
    assert!(text.code == Some(0) && !text.stdout.starts_with('{'), "{text:#?}");
    // From another folder, --config finds both files, and the paths in them.
    let config = folder.path().join("findata.toml");
    let elsewhere = findata(&["sql", "select 1 x"]).no_key().option("--config", &config).run();
    assert_eq!(elsewhere.json(), serde_json::json!([{"x": 1}]));
    let variable = findata(&["sql", "select 1 x"]).no_key().variable("FINDATA_CONFIG", &config).run();
    assert_eq!(variable.json(), serde_json::json!([{"x": 1}]));
    let missing = findata(&["sql", "select 1"]).option("--config", folder.path().join("no.toml")).run();
    assert!(missing.failed(5).contains("cannot read"), "{missing:#?}");
}

#[test]
fn faults_of_the_files_are_configuration_errors_with_lines_and_without_secrets() {
    let folder = Home::new();
    let in_folder = |arguments: &[&str]| findata(arguments).in_folder(folder.path()).run();
    fs::write(folder.path().join("findata.toml"), "fmp_api_key = \"sekret\"\nhoem = \"x\"\n").unwrap();
    let output = in_folder(&["sql", "select 1"]);
    assert_eq!(output.code, Some(5), "{output:#?}");
    for part in ["findata.toml has 2 faults", "line 1: fmp-api-key", ".env", "line 2", "did you mean home?"] {
        assert!(output.stderr.contains(part), "{part} is missing in {}", output.stderr);
    }
    assert!(!output.stderr.contains("sekret"), "{output:#?}");
    // Help, completions and manual pages do not depend on the files.
    for arguments in [&["--help"][..], &["sql", "--help"], &["completions", "bash"], &["man"]] {
        assert_eq!(in_folder(arguments).code, Some(0), "{arguments:?}");
    }
    fs::write(folder.path().join("findata.toml"), "fmp-plan = \"golden\"\n").unwrap();
    let output = in_folder(&["sql", "select 1"]);
    assert!(output.failed(5).contains("findata.toml line 1: fmp-plan: \"golden\""), "{output:#?}");
    fs::remove_file(folder.path().join("findata.toml")).unwrap();
    // A folder named .env is a virtual environment of Python.
    fs::create_dir(folder.path().join(".env")).unwrap();
    assert!(in_folder(&["sql", "select 1"]).failed(5).contains("no warehouse"));
    fs::remove_dir(folder.path().join(".env")).unwrap();
    fs::write(folder.path().join(".env"), "FMP_API_KEY sekret\n").unwrap();
    let output = in_folder(&["sql", "select 1"]);
    assert!(
        output.failed(5).contains(".env line 1") && !output.stderr.contains("sekret"),
        "{output:#?}"
    );
}

/// The demo in a folder, with a state folder of its own.
fn demo(folder: &Home) -> Command {
    findata(&["demo", "--companies", "5", "--latency", "0", "--days", "30", "--today", "2026-09-18"])
        .no_key()
        .in_folder(folder.path())
}

#[test]
fn the_commands_that_the_demo_prints_work_as_printed() {
    let folder = Home::new();
    let output = demo(&folder).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let commands: Vec<&str> =
        output.stdout.split("Try next:").nth(1).unwrap().lines().map(str::trim).collect();
    let commands: Vec<&str> = commands.into_iter().filter(|line| line.starts_with("findata ")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let path = findata_tests::binary().parent().unwrap().display().to_string() + ":/usr/bin:/bin";
    for command in commands {
        let library = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let output = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .env("LD_LIBRARY_PATH", library)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {stderr}");
        assert!(
            stderr.contains("using ./findata-demo, the only home in this folder"),
            "{command}: {stderr}"
        );
    }
}

#[test]
fn commands_that_read_use_the_home_of_the_last_run_in_the_folder() {
    let (server, folder, state) = (Simulator::with_symbols(12), Home::new(), Home::new());
    assert_eq!(demo(&folder).variable("XDG_STATE_HOME", state.path()).run().code, Some(0));
    let sql = |folder: &Path| {
        findata(&["sql", "--json", "select count(*) n from analytics.dim_company"])
            .variable("XDG_STATE_HOME", state.path())
            .in_folder(folder)
            .run()
    };
    let run = |home: &str| {
        findata(&[
            "run",
            "--symbols",
            "AAPL,KO",
            "--days",
            "30",
            "--datasets",
            "profile",
            "--today",
            "2026-09-18",
        ])
        .url(server.url())
        .option("--home", home)
        .variable("XDG_STATE_HOME", state.path())
        .in_folder(folder.path())
        .run()
    };
    let output = sql(folder.path());
    assert_eq!(output.json()[0]["n"], 5);
    assert!(
        output.stderr.contains("using ./findata-demo, the home of the last run in this folder"),
        "{output:#?}"
    );
    assert_eq!(run("elsewhere").code, Some(0));
    let output = sql(folder.path());
    assert!(output.json()[0]["n"] == 2 && output.stderr.contains("using ./elsewhere"), "{output:#?}");
    // The usual home needs no note. A run never uses another home than the usual one by itself.
    assert_eq!(run("./findata-home").code, Some(0));
    let output = sql(folder.path());
    assert!(output.json()[0]["n"] == 2 && output.stderr.is_empty(), "{output:#?}");
    // Another folder has no last run.
    let other = Home::new();
    let output = sql(other.path());
    assert!(output.failed(5).contains("./findata-home"), "{output:#?}");
    // A home that was deleted is not used any more.
    fs::remove_dir_all(folder.path().join("findata-home")).unwrap();
    let output = sql(folder.path());
    assert!(output.json()[0]["n"] == 5 && output.stderr.contains("the only home"), "{output:#?}");
}

#[test]
fn quiet_leaves_only_errors_and_color_applies_to_help() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let run = |option: &str| {
        let command = findata(&["run", "--symbols", "AAPL", "--days", "30", option])
            .home(&home)
            .url(server.url());
        command.run()
    };
    let output = run("-q");
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:#?}");
    assert!(output.stdout.contains("complete"), "{output:#?}");
    let output = findata(&["sql", "select nothing"]).home(&home).variable("FINDATA_QUIET", "yes").run();
    assert!(!output.failed(2).is_empty());
    assert_eq!(run("--quiet=x").code, Some(2));
    assert_eq!(findata(&["sql", "select 1", "-q", "-v"]).home(&home).run().code, Some(2));
    let help = |arguments: &[&str]| findata(arguments).run().stdout;
    let escape = '\u{1b}';
    assert!(help(&["--color=always", "--help"]).contains(escape));
    assert!(help(&["--color", "always", "run", "--help"]).contains(escape));
    assert!(!help(&["--color", "never", "--help"]).contains(escape) && !help(&["--help"]).contains(escape));
    let variables = findata(&["--help"]).variable("FINDATA_COLOR", "always").variable("NO_COLOR", "1").run();
    assert!(variables.stdout.contains(escape), "an explicit choice wins over NO_COLOR");
    assert_eq!(findata(&["sql", "select 1", "--color", "pink"]).run().code, Some(2));
}
