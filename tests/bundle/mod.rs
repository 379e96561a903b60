//! The bundle on a local AWS: the functions of a release behind the real template, Snowflake's double beside them.

mod faults;
mod misconfiguration;
mod permissions;
mod triggers;

use findata_shared::{run::RunId, warehouse::Warehouse};
use findata_tests::{Bundle, DATABASE, Home, Job, Simulator, wait};
use serde_json::{Value, json};

use crate::warehouse::{comparison, contract::set_up};

/// Symbols of the server's world that a run takes.
const SYMBOLS: usize = 4;

/// A stack with the tables and the stage that `findata setup-sql` makes.
fn bundle(server: &Simulator, parameters: &[(&str, &str)]) -> Option<Bundle> {
    let bundle = Bundle::start(server, parameters)?;
    let mut warehouse =
        findata_shared::warehouse::snowflake::Snowflake::new(bundle.snowflake.settings(DATABASE)).unwrap();
    wait(async {
        set_up(&mut warehouse).await;
        let stage = format!("create stage public.own url = '{}/'", bundle.output("StageUrl"));
        warehouse.execute(&stage).await.unwrap();
        warehouse.close().await.unwrap();
    });
    Some(bundle)
}

fn symbols(server: &Simulator) -> Vec<String> {
    server.symbols().into_iter().take(SYMBOLS).collect()
}

/// A request for them, in fanout's words.
fn request(server: &Simulator) -> Value {
    json!({"symbols": symbols(server), "days": 20})
}

/// The same day on a laptop.
fn run_locally(server: &Simulator) -> Home {
    let home = Home::new();
    let symbols = symbols(server);
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    Job::new(server.url(), &symbols).days(20).run_ok(&home);
    home
}

/// The run that an answer of fanout names.
fn started_run(answer: &Value) -> RunId {
    assert_eq!(answer["status"], "begun", "{answer}");
    answer["run_id"].as_str().unwrap().parse().unwrap()
}

fn assert_same_tables(home: &Home, bundle: &Bundle) {
    comparison::assert_same_tables(home, &bundle.snowflake, DATABASE);
}
