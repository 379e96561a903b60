//! Warehouses with tables of another version: upgrades, the way back, and builds that are too old.

mod on_snowflake;

use std::fs;

use duckdb::Connection;
use findata_tests::{Command, Home, Simulator, findata, wait_until};
use serde_json::Value;

/// `findata` on a home.
fn command(arguments: &[&str], home: &Home) -> Command {
    findata(arguments).home(home)
}

fn run(home: &Home, server: &Simulator) -> Command {
    command(&["run", "--json", "--days", "30", "--symbols", "AAPL,KO"], home).url(server.url())
}

fn execute(home: &Home, sql: &str) {
    Connection::open(home.warehouse()).unwrap().execute_batch(sql).unwrap();
}

/// Gives the warehouse the tables of a build without versions: other figures, a table and a column less. Also adds
/// what a user may have created.
const OLDER: &str = "
    delete from ops.models where file = 'schema_version';
    alter table ops.quarantine drop column column_text;
    drop table ops.filer_changes;
    drop view analytics.fact_growth_rates;
    drop table analytics.fact_growth_rates_history;
    create table analytics.fact_growth_rates_history (company_key varchar);
    update ops.models set sha256 = 'older' where file in ('tables/fact_growth_rates_history.sql', 'views/fact_growth_rates.sql');
    create table main.mine as select 42 as answer;
    create table analytics.my_notes as select 'a note' as note;
    create view main.my_view as select symbol from analytics.dim_company";

fn content(home: &Home) -> Vec<Vec<String>> {
    [
        "select * exclude (run_id, computed_at) from analytics.fact_growth_rates order by all",
        "select * exclude (computed_at) from analytics.fact_market_metrics_history order by all",
        "select symbol, company_key from analytics.dim_company order by all",
    ]
    .map(|query| home.lines(query))
    .to_vec()
}

fn assert_keeps_tables_of_users(home: &Home) {
    assert_eq!(home.text("select answer from main.mine"), "42");
    assert_eq!(home.text("select note from analytics.my_notes"), "a note");
    assert_eq!(home.lines("select symbol from my_view order by 1"), ["AAPL", "KO"]);
}

fn changes(plan: &Value) -> Vec<String> {
    let text = |change: &Value| format!("{} {}", change["action"], change["object"]).replace('"', "");
    plan["changes"].as_array().unwrap().iter().map(text).collect()
}

#[test]
fn an_older_home_is_upgraded_and_goes_back() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server).run().code, Some(0));
    let (figures, calls) = (content(&home), server.calls());
    execute(&home, OLDER);
    let older = fs::read(home.warehouse()).unwrap();
    let is_older = || fs::read(home.warehouse()).unwrap() == older;
    let upgrade = |arguments: &[&str]| command(&[&["upgrade", "--json"], arguments].concat(), &home);

    // The plan changes nothing.
    let plan = upgrade(&["--plan"]).run().json();
    assert_eq!((&plan["stored_version"], &plan["version"]), (&1.into(), &2.into()), "{plan}");
    assert_eq!((&plan["applied"], &plan["recomputes_figures"]), (&false.into(), &true.into()), "{plan}");
    assert_eq!(
        changes(&plan),
        [
            "add_column ops.quarantine.column_text",
            "create_table ops.filer_changes",
            "recreate_table analytics.fact_growth_rates_history",
            "replace_view analytics.fact_growth_rates",
        ]
    );
    let text = command(&["upgrade", "--plan"], &home).run();
    assert!(
        text.stdout.contains("1 -> 2") && text.stdout.contains("nothing has changed yet"),
        "{text:#?}"
    );
    // Commands that read work, and say what is to do.
    let read = command(&["sql", "select count(*) from mine"], &home).run();
    assert_eq!(read.code, Some(0), "{read:#?}");
    assert!(read.stderr.contains("`findata upgrade`"), "{read:#?}");
    assert!(
        command(&["upgrade", "--rollback"], &home)
            .run()
            .failed(5)
            .contains("no file to go back to")
    );
    assert!(is_older());

    // A killed upgrade leaves the file as it was.
    let running = upgrade(&[]).start();
    let log = home.path().join("findata.working.duckdb.wal");
    wait_until("the tables of the working copy change", || log.exists());
    assert!(running.kill(), "it was killed while it ran");
    assert!(is_older());

    // The next run continues with its tables. A program that has the file open for writing keeps the result from
    // being published; the next command publishes it, and keeps the file from before.
    let previous = home.path().join("findata.previous.duckdb");
    let writer = Connection::open(home.warehouse()).unwrap();
    let kept = command(&["replay", "--wait-lock", "0"], &home).run();
    assert!(kept.code == Some(0) && kept.stderr.contains("until the next command"), "{kept:#?}");
    drop(writer);
    assert!(is_older());
    assert_eq!(command(&["sql", "select 1"], &home).run().code, Some(0));
    assert!(fs::read(&previous).unwrap() == older && content(&home) == figures);
    assert_eq!(upgrade(&["--rollback"]).run().code, Some(0));
    assert!(is_older());

    let done = upgrade(&[]).run();
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert_eq!(done.json()["applied"], true, "{done:#?}");
    assert_eq!(done.json()["previous_file"].as_str(), previous.to_str());
    assert!(fs::read(&previous).unwrap() == older, "the file from before is kept");
    assert!(content(&home) == figures && server.calls() == calls);
    assert_eq!(home.text("select sha256 from ops.models where file = 'schema_version'"), "2");
    assert_eq!(home.count("select count(*) from ops.filer_changes"), 0);
    assert_keeps_tables_of_users(&home);
    let again = command(&["upgrade"], &home).run();
    assert!(again.stdout.contains("the tables are those of this build"), "{again:#?}");

    // The way back, and a run, which upgrades by itself.
    let back = upgrade(&["--rollback"]).run().json();
    assert_eq!((&back["from_version"], &back["version"]), (&2.into(), &1.into()), "{back}");
    assert!(is_older() && !previous.exists());
    assert!(home.path().join("findata.upgraded.duckdb").exists());
    assert!(
        command(&["upgrade", "--rollback"], &home)
            .run()
            .failed(5)
            .contains("no file to go back to")
    );
    let ran = run(&home, &server).run();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(content(&home) == figures && fs::read(&previous).unwrap() == older);
    assert_eq!(changes(&upgrade(&["--plan"]).run().json()), Vec::<String>::new());
    assert_keeps_tables_of_users(&home);

    // A build that is too old changes nothing, and its way back works.
    execute(&home, "update ops.models set sha256 = '9' where file = 'schema_version'");
    let newer = fs::read(home.warehouse()).unwrap();
    for refused in [
        run(&home, &server),
        upgrade(&[]),
        command(&["replay"], &home),
        command(&["show", "AAPL"], &home),
        command(&["sql", "select 1", "--as-of", "2026-09-17"], &home),
    ] {
        let output = refused.run();
        let error = output.failed(5);
        for part in ["version 9", "up to 2", "--rollback", "findata.duckdb"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    assert!(fs::read(home.warehouse()).unwrap() == newer && server.calls() == calls);
    let doctor = command(&["doctor"], &home).run();
    assert!(doctor.stdout.contains("version 9") && doctor.code == Some(5), "{doctor:#?}");
    let back = upgrade(&["--rollback"]).run().json();
    assert_eq!((&back["from_version"], &back["version"]), (&9.into(), &1.into()), "{back}");
    assert!(is_older());
}
