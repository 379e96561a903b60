//! The deployed functions on a local AWS: release builds behind the real template, with the fake
//! Snowflake beside them.

mod doctor;
mod faults;
mod misconfiguration;
mod on_demand;
mod outages;
mod permissions;
mod streamed;
mod triggers;

use findata_pipeline::{ports::warehouse::Warehouse, run::RunId};
use findata_tests::{Bundle, DATABASE, Home, Job, Simulator, wait};
use serde_json::{Value, json};

use crate::warehouse::{comparison, contract::set_up};

/// The number of symbols in a run.
const SYMBOLS: usize = 4;

/// A stack with the tables and the stage that `findata setup-sql` creates.
fn bundle(server: &Simulator, parameters: &[(&str, &str)]) -> Option<Bundle> {
    let bundle = Bundle::start(server, parameters)?;
    set_up_snowflake(&bundle);
    Some(bundle)
}

/// Creates the tables and the stage.
fn set_up_snowflake(bundle: &Bundle) {
    let mut warehouse = findata_snowflake::Snowflake::new(bundle.snowflake.settings(DATABASE)).unwrap();
    wait(async {
        set_up(&mut warehouse).await;
        let stage = format!("create stage public.own url = '{}/'", bundle.output("StageUrl"));
        warehouse.execute(&stage).await.unwrap();
        warehouse.close().await.unwrap();
    });
}

fn symbols(server: &Simulator) -> Vec<String> {
    server.symbols().into_iter().take(SYMBOLS).collect()
}

/// Returns fanout's input: a request for the server's first [`SYMBOLS`] symbols.
fn request(server: &Simulator) -> Value {
    json!({"symbols": symbols(server), "days": 20, "quarters": 8, "years": 6})
}

/// Makes the same run on this machine with DuckDB. Returns its home.
fn run_locally(server: &Simulator) -> Home {
    let home = Home::new();
    let symbols = symbols(server);
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    Job::new(server.url(), &symbols).days(20).run_ok(&home);
    home
}

/// Returns the id of the run that fanout's response names.
fn started_run(answer: &Value) -> RunId {
    assert_eq!(answer["status"], "begun", "{answer}");
    answer["run_id"].as_str().unwrap().parse().unwrap()
}

fn assert_same_tables(home: &Home, bundle: &Bundle) {
    comparison::assert_same_tables(home, &bundle.snowflake, DATABASE);
}
