//! `status`: past and open runs, the call budget, what is due, and doubtful data.

use std::fs;

use duckdb::Connection;
use findata_tests::{Home, Simulator, findata};

use super::{assert_fits, at_all_widths, command, home};

#[test]
fn a_finished_run_and_what_is_due_are_shown() {
    let (narrow, wide) = at_all_widths(&["status"]);
    let status = command(&["status", "--json"]).run().json();
    let run = &status["runs"][0];
    assert_eq!(run["run_id"], home().text("select max(run_id) from ops.runs"));
    assert_eq!((&run["status"], &run["symbols"]), (&"complete".into(), &8.into()));
    assert_eq!(run["calls"].as_i64(), Some(home().count("select max(calls) from ops.runs")));
    assert!(status["open_runs"].as_array().unwrap().is_empty());
    assert_eq!(status["warehouse"]["companies"], 8);
    assert_eq!(status["warehouse"]["newest_session"], "2026-09-18");
    let quarantined = home().count("select count(*) from ops.quarantine");
    assert_eq!(status["warehouse"]["quarantined"].as_i64(), Some(quarantined));
    let flagged = home().count("select count(*) from ops.quality where status = 'flag'");
    assert_eq!(status["quality"]["flagged"].as_i64(), Some(flagged));
    // The run was complete. Only the list of renamed symbols, which no run has read yet, is due. A day later,
    // every company's profile is.
    assert_eq!((&status["due"]["companies"], &status["due"]["calls"]), (&8.into(), &1.into()));
    assert_eq!(status["due"]["datasets"].as_array().unwrap().last().unwrap()["name"], "symbol_changes");
    assert!(status["due"]["calls_in_a_day"].as_u64() > Some(8), "{}", status["due"]);
    let profile = status["due"]["datasets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["name"] == "profile")
        .unwrap();
    assert_eq!((&profile["companies"], &profile["companies_in_a_day"]), (&0.into(), &8.into()));
    for text in [&narrow, &wide] {
        assert!(text.contains(run["run_id"].as_str().unwrap()), "{text}");
        assert!(
            text.contains("a run of 8 companies now makes 1 call") && text.contains("8 companies"),
            "{text}"
        );
        assert!(text.contains("750 of 750 left this minute"), "{text}");
    }
}

#[test]
fn what_is_due_equals_the_plan() {
    let arguments = ["--today", "2026-09-21"];
    let later = |command: &[&str]| {
        findata(&[command, &arguments].concat())
            .option("--home", home().path())
            .no_key()
            .run()
            .json()
    };
    let status = later(&["status", "--json"]);
    let symbols = super::SYMBOLS.join(",");
    let plan = later(&[
        "plan",
        "--json",
        "--symbols",
        &symbols,
        "--fmp-plan",
        "unlimited",
        "--quarters",
        "8",
        "--years",
        "6",
    ]);
    assert_eq!(status["due"]["calls"], plan["calls"]);
    assert!(plan["calls"].as_u64() > Some(8), "{plan}");
    for dataset in status["due"]["datasets"].as_array().unwrap() {
        let name = dataset["name"].as_str().unwrap();
        assert_eq!(dataset["calls"], plan["datasets"][name]["calls"], "{name}");
        assert_eq!(dataset["reasons"], plan["datasets"][name]["due"], "{name}");
    }
}

#[test]
fn an_empty_home_names_the_next_command_and_stays_empty() {
    let home = Home::new();
    for path in [home.path().to_owned(), home.path().join("none")] {
        for columns in [80, 200] {
            let status = || findata(&["status"]).option("--home", &path).no_key();
            let file = status().variable("COLUMNS", columns.to_string()).run();
            assert_fits(&file, columns.into());
            assert!(file.stdout.contains("findata demo") && file.stdout.contains("findata run"), "{file:#?}");
            // A long path is not wrapped, so only the message is compared.
            assert!(status().run_on_terminal(columns).stdout.contains("nothing has run here yet"));
        }
    }
    let json = findata(&["status", "--json"]).option("--home", home.path()).no_key().run().json();
    assert!(json["runs"].as_array().unwrap().is_empty() && json["due"].is_null(), "{json}");
    assert!(home.files().is_empty() && !home.path().join("none").exists());
}

#[test]
fn an_open_run_is_in_progress_or_interrupted() {
    let home = Home::copy_of(home());
    let finished = home.text("select max(run_id) from ops.runs");
    let open = finished.replacen("1970", "2099", 1);
    let folder = |run: &str| home.stage().join("runs").join(run);
    fs::create_dir_all(folder(&open)).unwrap();
    fs::copy(folder(&finished).join("plan.json"), folder(&open).join("plan.json")).unwrap();
    let lock = fs::File::create(home.path().join("findata.lock")).unwrap();
    let files = home.files();
    let status = || findata(&["status"]).home(&home).no_key();
    let interrupted = status().variable("COLUMNS", "80").run();
    assert_fits(&interrupted, 80);
    assert!(interrupted.stdout.contains(&format!("run {open} interrupted")), "{}", interrupted.stdout);
    let json = status().arg("--json").run().json();
    assert_eq!(
        (&json["open_runs"][0]["step"], &json["open_runs"][0]["fetched"]),
        (&"fetch".into(), &0.into())
    );
    // A run holds this lock.
    lock.lock().unwrap();
    let running = status().run_on_terminal(80);
    assert_fits(&running, 80);
    assert!(running.stdout.contains(&format!("run {open} in progress")), "{}", running.stdout);
    assert!(running.stdout.contains("8 companies"), "{}", running.stdout);
    let json = status().arg("--json").run().json();
    assert_eq!(json["open_runs"][0]["in_progress"], true);
    assert_eq!(json["runs"][0]["run_id"], finished.as_str());
    assert!(json["due"]["companies"] == 8 && json["quality"]["flagged"].is_u64(), "{json}");
    drop(lock);
    // A program has the file open for writing, which DuckDB allows to one process only.
    let connection = Connection::open(home.warehouse()).unwrap();
    let unread = status().variable("COLUMNS", "80").run();
    assert_fits(&unread, 80);
    assert!(unread.stdout.contains(&format!("run {open} interrupted")), "{}", unread.stdout);
    assert!(unread.stdout.contains("not read:"), "{}", unread.stdout);
    drop(connection);
    assert_eq!(home.files(), files, "nothing is created");
}

#[test]
fn the_budget_shows_the_calls_of_the_minute_and_the_day() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let run = |arguments: &[&str]| {
        findata(&[arguments, &["--fmp-plan", "free"]].concat()).home(&home).url(server.url())
    };
    let ran = run(&["run", "--json", "--days", "30", "--symbols", "AAPL", "--datasets", "profile"]).run();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let calls = server.calls();
    let status = run(&["status", "--json"]).run().json();
    let budget = &status["budget"];
    assert_eq!((&budget["limit_per_minute"], &budget["limit_per_day"]), (&300.into(), &250.into()));
    assert_eq!(budget["calls_today"], calls);
    let text = run(&["status"]).run().stdout;
    assert!(text.contains(&format!("{} of 250 left today (UTC)", 250 - calls)), "{text}");
    // Another key has its own budget.
    let other = run(&["status", "--json"]).key("another").run().json();
    assert_eq!(other["budget"]["calls_today"], 0);
    assert_eq!(run(&["status", "--json"]).no_key().run().json()["budget"]["calls_today"], calls);
}
