//! The bundle on a local AWS: the functions of a release behind the real template, Snowflake's double beside them.

mod ends;
mod faults;
mod permissions;
mod wrong;

use findata_pipeline::{ports::warehouse::Warehouse, run::RunId};
use findata_tests::{Bundle, DATABASE, Home, Job, Server, wait};
use serde_json::{Value, json};

use crate::warehouse::{contract::set_up, same};

/// Symbols of the server's world that a run takes.
const SYMBOLS: usize = 4;

/// A stack with the tables and the stage that `findata setup-sql` makes.
fn bundle(server: &Server, parameters: &[(&str, &str)]) -> Option<Bundle> {
    let bundle = Bundle::start(server, parameters)?;
    let mut warehouse = findata_snowflake::Snowflake::new(bundle.double.settings(DATABASE)).unwrap();
    wait(async {
        set_up(&mut warehouse).await;
        let stage = format!("create stage public.own url = '{}/'", bundle.output("StageUrl"));
        warehouse.execute(&stage).await.unwrap();
        warehouse.close().await.unwrap();
    });
    Some(bundle)
}

fn symbols(server: &Server) -> Vec<String> {
    server.symbols().into_iter().take(SYMBOLS).collect()
}

/// A request for them, in fanout's words.
fn request(server: &Server) -> Value {
    json!({"symbols": symbols(server), "days": 20})
}

/// The same day on a laptop.
fn laptop(server: &Server) -> Home {
    let home = Home::new();
    let symbols = symbols(server);
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    Job::new(server.url(), &symbols).days(20).done(&home);
    home
}

/// The run that an answer of fanout names.
fn begun(answer: &Value) -> RunId {
    assert_eq!(answer["status"], "begun", "{answer}");
    answer["run_id"].as_str().unwrap().parse().unwrap()
}

fn expect_same(home: &Home, bundle: &Bundle) {
    same::expect(home, &bundle.double, DATABASE);
}
