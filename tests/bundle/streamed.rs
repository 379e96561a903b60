//! Ticks in a Kinesis stream become bars, whatever happens to the function that lands them.

use findata_pipeline::{ports::warehouse::Warehouse, tick_file::TickFile};
use findata_snowflake::Snowflake;
use findata_tests::{Bundle, DATABASE, Simulator, wait};
use serde_json::{Value, json};

use super::{bundle, permissions};
use crate::stream::{
    SYMBOLS, bad_records,
    ticks::{Rng, Tick, bars, ticks},
};

/// Puts records into the stream. The first field of a record is its partition key.
fn put(bundle: &Bundle, records: &[(String, String)]) {
    // Kinesis takes at most 500 records and 5 MB in a call.
    for part in records.chunks(250) {
        let records: Vec<Value> =
            part.iter().map(|(key, data)| json!({"PartitionKey": key, "Data": data})).collect();
        let request = json!({"StreamName": bundle.output("PriceStreamName"), "Records": records});
        assert_eq!(bundle.call("kinesis", "put_records", request)["FailedRecordCount"], 0);
    }
}

fn wait_until_landed(bundle: &Bundle) {
    bundle
        .wait_for("all records to land", || (bundle.control("/_backlog", &[])["records"] == 0).then_some(()));
}

/// The result of loading what has landed.
fn load(bundle: &Bundle) -> Value {
    let answer = bundle.invoke("load", &json!({"ticks": true}));
    assert_eq!(answer["status"], "loaded", "{answer}");
    answer["ticks"].clone()
}

fn query(bundle: &Bundle, sql: &str) -> Vec<String> {
    let mut warehouse = Snowflake::new(bundle.snowflake.settings(DATABASE)).unwrap();
    let rows = wait(async {
        let rows = warehouse.query(sql).await.unwrap();
        warehouse.close().await.unwrap();
        rows
    });
    let line = |row: Vec<Option<String>>| {
        row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect::<Vec<_>>().join("|")
    };
    rows.into_iter().map(line).collect()
}

fn stored_bars(bundle: &Bundle) -> Vec<String> {
    query(
        bundle,
        "select symbol, split_part(bar_start::varchar, '.', 1), open_price::varchar, high_price::varchar, low_price::varchar, \
         close_price::varchar, volume::varchar, round(vwap, 9)::decimal(18, 9)::varchar, tick_count::varchar \
         from analytics.fact_intraday_prices order by 1, 2",
    )
}

/// The landed files, and the number of their rows.
fn landed(bundle: &Bundle) -> (usize, u64) {
    let keys = bundle.keys("landing/price_ticks/");
    let rows = keys.iter().map(|key| TickFile::parse(key).unwrap().rows).sum();
    (keys.len(), rows)
}

#[test]
fn a_stream_gives_the_same_bars_after_failures_kills_and_repetitions() {
    let server = Simulator::with_symbols(3);
    // Kinesis stamps records with the time of this machine, so the functions must use it, too.
    let Some(bundle) = bundle(&server, &[("PriceStream", "ENABLED"), ("PriceShards", "2"), ("Today", "")])
    else {
        return;
    };
    for symbol in SYMBOLS {
        query(&bundle, &format!("insert into staging.profile (symbol) values ('{symbol}')"));
    }
    let mapping =
        bundle.call("lambda", "list_event_source_mappings", json!({"FunctionName": "findata-stream"}));
    let mapping = mapping["EventSourceMappings"][0]["UUID"].clone();
    bundle.call("lambda", "update_event_source_mapping", json!({"UUID": mapping, "BatchSize": 150}));

    // Every tick twice, shuffled within five minutes, and bad records.
    let all = ticks(1_500, &SYMBOLS);
    let mut rng = Rng(11);
    let mut timed: Vec<(i64, String, String)> = all
        .iter()
        .chain(&all)
        .map(|tick: &Tick| (tick.time + rng.below(300_000_000) as i64, tick.symbol.to_owned(), tick.json()))
        .collect();
    timed.sort();
    let mut records: Vec<(String, String)> = timed.into_iter().map(|(_, key, data)| (key, data)).collect();
    let bad = bad_records();
    for (i, (record, _)) in bad.iter().enumerate() {
        // Kinesis takes records of at most 1 MiB.
        let record = record[..record.len().min(1 << 20)].to_owned();
        records.insert(i * 400, (SYMBOLS[i % 3].to_owned(), record));
    }
    // The first writes fail, so that batches are reported as failed. A later batch lands, but the function is
    // killed before it can answer; the batch is delivered again in two halves.
    let fault = [("action", "s3:PutObject"), ("match", "landing/price_ticks")];
    bundle.control(
        "/_fail",
        &[&fault[..], &[("times", "8"), ("code", "InternalError"), ("status", "500")]].concat(),
    );
    put(&bundle, &records[..1_000]);
    wait_until_landed(&bundle);
    assert!(bundle.log("stream").iter().any(|line| line.contains("will deliver them again")));
    let kill = [("times", "2"), ("after", "1"), ("kill", "findata-stream")];
    bundle.control("/_fail", &[&fault[..], &kill].concat());
    let (_, before) = landed(&bundle);
    assert_eq!(before, 1_000, "nothing landed twice so far");
    put(&bundle, &records[1_000..2_000]);
    wait_until_landed(&bundle);
    let (_, after) = landed(&bundle);
    assert!(after > 2_000, "halves of a batch overlap with the batch: {after}");
    let first = load(&bundle);
    put(&bundle, &records[2_000..]);
    wait_until_landed(&bundle);
    let second = load(&bundle);
    let sum = |field: &str| first[field].as_u64().unwrap() + second[field].as_u64().unwrap();
    assert_eq!((sum("ticks"), stored_bars(&bundle)), (1_500, bars(&all)));
    let mut reasons: Vec<&str> = bad.iter().map(|(_, reason)| *reason).collect();
    reasons.sort_unstable();
    let codes = "select distinct split_part(reason, ':', 1) from ops.quarantine where dataset = 'price_ticks' order by 1";
    reasons.dedup();
    assert_eq!(query(&bundle, codes), reasons);

    // A late tick corrects its bar. The same records again change nothing.
    let late = Tick { id: 999_999, price: 1, size: Some(7), ..all[0].clone() };
    put(&bundle, &[(late.symbol.to_owned(), late.json())]);
    put(&bundle, &records[..300]);
    wait_until_landed(&bundle);
    assert_eq!(load(&bundle)["ticks"], 1);
    assert_eq!(stored_bars(&bundle), bars(&[all, vec![late]].concat()));
    assert_eq!(bundle.invoke("load", &json!({"ticks": true}))["status"], "nothing to load");
    assert_eq!(permissions::compared(&bundle)["refused"], json!([]));
}
