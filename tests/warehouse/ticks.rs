//! Ticks become the same bars on every warehouse.

use chrono::{DateTime, TimeDelta, Utc};
use findata_domain::clock::DayClock;
use findata_load::ticks::{LoadedTicks, load_new_ticks, load_ticks};
use findata_local::stage::DirectoryStage;
use findata_pipeline::{
    ports::{stage::Stage, warehouse::Warehouse},
    tick_file::TickFile,
};
use findata_stream::file::{Record, pack};
use findata_tests::{run_id, today};

use super::{Files, contract::set_up, on_every_warehouse};

on_every_warehouse!(ticks_of_overlapping_batches_become_bars);

/// Lands records of a shard: their sequence numbers and contents.
async fn land(stage: &DirectoryStage, records: &[(String, String)], arrived_at: DateTime<Utc>) {
    let records: Vec<Record<'_>> = records
        .iter()
        .map(|(sequence, data)| Record { sequence, arrived_at, data: data.as_bytes() })
        .collect();
    let packed = pack("shardId-000000000000", arrived_at.date_naive(), &records).unwrap().unwrap();
    packed.land(stage).await.unwrap();
}

async fn stored_bars(warehouse: &mut impl Warehouse) -> Vec<String> {
    // The fake shows fractions of seconds.
    let bars = "select symbol, split_part(bar_start::varchar, '.', 1), open_price::varchar, high_price::varchar, low_price::varchar, \
                close_price::varchar, volume::varchar, round(vwap, 6)::decimal(18, 6)::varchar, tick_count::varchar \
                from analytics.fact_intraday_prices order by bar_start";
    let rows = warehouse.query(bars).await.unwrap();
    let line = |row: Vec<Option<String>>| {
        row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(line).collect()
}

async fn ticks_of_overlapping_batches_become_bars(warehouse: &mut impl Warehouse, place: &Files) {
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    set_up(warehouse).await;
    let profile = "insert into staging.profile (symbol) values ('TICK')";
    warehouse.execute(profile).await.unwrap();
    let open: DateTime<Utc> = today().and_hms_opt(13, 30, 0).unwrap().and_utc();
    // Sequence numbers longer than a 64-bit integer. Without an id, equal ticks at different positions
    // are different trades.
    let number = |n: u32| format!("49590338271490256608559692538361571095921575989136{n:06}");
    let record = |n: u32, id: &str, price: &str, size: &str, seconds: i64| {
        let time = (open + TimeDelta::seconds(seconds)).to_rfc3339();
        let fields = format!(r#""price": {price}, "size": {size}, "exchange_time": "{time}""#);
        (number(n), format!(r#"{{{id}"symbol": "TICK", {fields}}}"#))
    };
    let batch = [
        record(1, r#""id": "9", "#, "10.5", "100", 0),
        record(2, "", "11.25", "0.5", 30),
        record(3, "", "11.25", "0.5", 30),
        record(4, r#""id": "10", "#, "9.999999", "null", 59),
        record(5, r#""id": "11", "#, "12", "1", 60),
        (number(6), "it's \\ no tick".to_owned()),
    ];
    let arrived_at = open + TimeDelta::seconds(70);
    land(&stage, &batch, arrived_at).await;
    let clock = DayClock(today());
    let load = async |warehouse: &mut _| -> Option<LoadedTicks> {
        let keys = stage.list("landing/price_ticks/").await.unwrap();
        let parsed = keys.iter().filter_map(|key| TickFile::parse(key));
        let files: Vec<_> = parsed.map(|file| file.staged()).collect();
        if !place.copy_files(&stage, &files).await {
            println!("skipped: the tests cannot write to the account's stage");
            return None;
        }
        Some(load_ticks(&run_id(), &stage, warehouse, &clock, None).await.unwrap())
    };
    let Some(loaded) = load(warehouse).await else { return };
    assert_eq!((loaded.files, loaded.ticks, loaded.quarantined, loaded.bars), (1, 5, 1, 2));
    let second = "TICK 2026-09-18 13:31:00 12.000000 12.000000 12.000000 12.000000 1.000000 12.000000 1";
    assert_eq!(
        stored_bars(warehouse).await,
        [
            "TICK 2026-09-18 13:30:00 10.500000 11.250000 9.999999 9.999999 101.000000 10.507426 4",
            second
        ]
    );
    // Kinesis delivers a part of the batch again, with a late tick after it.
    let late = record(7, r#""id": "8", "#, "8", "1", 0);
    land(&stage, &[&batch[2..], &[late]].concat(), arrived_at).await;
    let loaded = load(warehouse).await.unwrap();
    assert_eq!((loaded.ticks, loaded.duplicates, loaded.bars), (1, 3, 1));
    assert_eq!(
        stored_bars(warehouse).await,
        [
            "TICK 2026-09-18 13:30:00 8.000000 11.250000 8.000000 9.999999 102.000000 10.482843 5",
            second
        ]
    );
    assert_eq!(load(warehouse).await.unwrap(), LoadedTicks::default());
    // The function does not use the warehouse again unless another file has landed.
    let again =
        async |warehouse: &mut _| load_new_ticks(&run_id(), &stage, warehouse, &clock, None).await.unwrap();
    assert_eq!(again(warehouse).await, Some(LoadedTicks::default()));
    assert_eq!(again(warehouse).await, None);
    let counts = "select (select count(*) from raw.price_ticks)::varchar, (select sum(staged - loaded - unchanged - quarantined) \
                  from ops.files)::varchar, (select max(payload) from ops.quarantine where dataset = 'price_ticks')";
    let counts = warehouse.query(counts).await.unwrap();
    let counts: Vec<&str> = counts[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(counts, ["6", "0", "it's \\ no tick"]);

    // The record of an unknown symbol can be read in the quarantine. A gap is stored once.
    let time = open.to_rfc3339();
    let unknown = format!(
        r#"{{"id": "a\"\\b", "symbol": "NOBODY", "price": 1.50, "size": 2, "exchange_time": "{time}", "source": "sip"}}"#
    );
    let gap = format!(
        r#"{{"gap_start": "{time}", "exchange_time": "{}", "source": "sip", "gap_reason": "lost"}}"#,
        (open + TimeDelta::seconds(9)).to_rfc3339()
    );
    land(&stage, &[(number(8), unknown), (number(9), gap.clone()), (number(10), gap)], arrived_at).await;
    let loaded = load(warehouse).await.unwrap();
    assert_eq!((loaded.ticks, loaded.quarantined, loaded.duplicates, loaded.gaps), (0, 1, 0, 2));
    let rows = warehouse
        .query(
            "select payload from ops.quarantine where symbol = 'NOBODY' and reason like 'unknown_symbol: %'",
        )
        .await
        .unwrap();
    let kept: serde_json::Value = serde_json::from_str(rows[0][0].as_deref().unwrap()).unwrap();
    assert_eq!((&kept["id"], &kept["price"]), (&"a\"\\b".into(), &1.5.into()), "{kept}");
    assert!(kept["exchange_time"].as_str().unwrap().starts_with("2026-09-18 13:30:00"), "{kept}");
    let gaps = "select source || ' ' || reason || ' ' || datediff('second', gap_start, gap_end)::varchar from ops.price_gaps";
    assert_eq!(warehouse.query(gaps).await.unwrap(), [[Some("sip lost 9".to_owned())]]);

    // Ticks are deleted when they are old and arrived long ago; bars stay. A tick of such a minute cannot correct its
    // bar any more.
    let bars = stored_bars(warehouse).await;
    let count = "select count(*)::varchar from raw.price_ticks";
    for (days, left) in [(30, "6"), (31, "0")] {
        let clock = DayClock(today() + TimeDelta::days(days));
        let loaded = load_ticks(&run_id(), &stage, warehouse, &clock, Some(30)).await.unwrap();
        assert_eq!(loaded.deleted, if left == "0" { 6 } else { 0 });
        assert_eq!(warehouse.query(count).await.unwrap(), [[Some(left.to_owned())]]);
    }
    let arrived_at = arrived_at + TimeDelta::days(31);
    let records = [
        record(11, r#""id": "new", "#, "50", "1", 1),
        record(12, r#""id": "new", "#, "60", "1", 600),
    ];
    land(&stage, &records, arrived_at).await;
    let keys = stage.list("landing/price_ticks/").await.unwrap();
    let files: Vec<_> =
        keys.iter().filter_map(|key| TickFile::parse(key)).map(|file| file.staged()).collect();
    assert!(place.copy_files(&stage, &files).await);
    let clock = DayClock(arrived_at.date_naive());
    let loaded = load_ticks(&run_id(), &stage, warehouse, &clock, Some(30)).await.unwrap();
    assert_eq!((loaded.ticks, loaded.quarantined, loaded.deleted), (1, 1, 0));
    let now = stored_bars(warehouse).await;
    assert_eq!((now.len(), &now[..2]), (3, &bars[..]));
}
