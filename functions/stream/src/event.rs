//! Handles a batch of Kinesis records.

use aws_lambda_events::event::{
    kinesis::{KinesisEvent, KinesisEventRecord},
    streams::KinesisEventResponse,
};
use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{Error, Result};
use findata_pipeline::{
    ports::stage::Stage,
    telemetry::Telemetry,
    tick_file::{is_sequence, is_shard},
};

use crate::{
    Counts,
    file::{PackedTicks, Record, pack},
};

/// Lands the records of a batch. If some of them cannot be landed, reports the first one of these,
/// so that Kinesis delivers it and the records after it again. Files that have landed before are not
/// written twice, and load recognizes records that are in several files.
///
/// # Errors
/// `Reject` if the batch is not from a Kinesis stream.
pub async fn handle(
    event: &KinesisEvent,
    stage: &impl Stage,
    telemetry: &Telemetry,
    now: DateTime<Utc>,
) -> Result<KinesisEventResponse> {
    let mut response = KinesisEventResponse::default();
    let mut counts = Counts::default();
    for group in groups(event)? {
        match land(&group, stage).await {
            Ok(landed) => counts.add(&landed),
            Err(error) => {
                let (shard, sequence) = (group.shard, group.first());
                tracing::warn!(shard, sequence, %error, "records were not landed, Kinesis will deliver them again");
                response.add_failure(sequence);
                break;
            }
        }
    }
    tracing::info!(
        ticks = counts.ticks,
        quarantined = counts.quarantined,
        late = counts.late,
        "landed a batch"
    );
    telemetry.emit(
        now,
        &[
            ("Ticks", counts.ticks as f64),
            ("TicksQuarantined", counts.quarantined as f64),
            ("TicksLate", counts.late as f64),
        ],
    );
    Ok(response)
}

/// Consecutive records of one shard and one day, which share a file.
struct Group<'a> {
    shard: &'a str,
    day: NaiveDate,
    records: Vec<Record<'a>>,
}

impl Group<'_> {
    fn first(&self) -> &str {
        self.records.first().map_or("", |record| record.sequence)
    }
}

async fn land(group: &Group<'_>, stage: &impl Stage) -> Result<Counts> {
    let Some(packed) = pack(group.shard, group.day, &group.records)? else {
        return Ok(Counts::default());
    };
    let counts = Counts::of(&packed);
    PackedTicks::land(packed, stage).await?;
    Ok(counts)
}

fn groups(event: &KinesisEvent) -> Result<Vec<Group<'_>>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for source in &event.records {
        let shard = shard_of(source)?;
        let arrived_at = source.kinesis.approximate_arrival_timestamp.0;
        let record = Record {
            sequence: &source.kinesis.sequence_number,
            arrived_at,
            data: &source.kinesis.data,
        };
        let day = arrived_at.date_naive();
        match groups.last_mut() {
            Some(group) if group.shard == shard && group.day == day => group.records.push(record),
            _ => groups.push(Group { shard, day, records: vec![record] }),
        }
    }
    Ok(groups)
}

/// The shard of a record, from its event id, `SHARD:SEQUENCE`.
fn shard_of(record: &KinesisEventRecord) -> Result<&str> {
    let id = record.event_id.as_deref().unwrap_or_default();
    let shard = id.split(':').next().unwrap_or_default();
    if is_shard(shard) && is_sequence(&record.kinesis.sequence_number) {
        Ok(shard)
    } else {
        Err(Error::Reject(format!("not a record of a Kinesis stream: event id {id:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed};

    use bytes::Bytes;
    use findata_pipeline::{
        ports::stage::{Object, memory::MemoryStage},
        tick_file::TickFile,
    };
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    /// An event with records of these sequence numbers, as Lambda passes it to a function. The data
    /// of every record is `eyJhIjoxfQ==`, an object that is not a tick.
    fn event(records: &[(&str, u64, f64)]) -> KinesisEvent {
        let record = |(shard, sequence, arrived_at): &(&str, u64, f64)| {
            json!({
                "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "AAPL", "sequenceNumber": sequence.to_string(),
                    "data": "eyJhIjoxfQ==", "approximateArrivalTimestamp": arrived_at},
                "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
                "eventID": format!("{shard}:{sequence}"), "invokeIdentityArn": "arn:aws:iam::123456789012:role/findata-stream",
                "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/findata-ticks"
            })
        };
        let records: Vec<Value> = records.iter().map(record).collect();
        KinesisEvent::deserialize(json!({ "Records": records })).unwrap()
    }

    /// A stage whose writes fail from the second one on.
    #[derive(Clone, Default)]
    struct Failing(MemoryStage, Arc<AtomicUsize>);

    impl Stage for Failing {
        async fn get(&self, key: &str) -> Result<Option<Object>> {
            self.0.get(key).await
        }
        async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
            match self.1.fetch_add(1, Relaxed) {
                0 => self.0.put_if_absent(key, body).await,
                _ => Err(Error::retry("503 SlowDown")),
            }
        }
        async fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> Result<bool> {
            self.0.put_if_match(key, body, etag).await
        }
        async fn list(&self, prefix: &str) -> Result<Vec<String>> {
            self.0.list(prefix).await
        }
        async fn delete(&self, keys: &[String]) -> Result<()> {
            self.0.delete(keys).await
        }
    }

    /// 2026-11-20T23:59:59.5Z and the next second.
    const EVENING: f64 = 1_795_219_199.5;

    #[tokio::test]
    async fn the_first_record_that_did_not_land_is_reported() {
        let records = [("shardId-0", 1, EVENING), ("shardId-0", 2, EVENING), ("shardId-0", 3, EVENING + 1.0)];
        let (event, stage) = (event(&records), Failing::default());
        let telemetry = Telemetry::default();
        let response = handle(&event, &stage, &telemetry, DateTime::default()).await.unwrap();
        assert_eq!(serde_json::to_value(&response).unwrap()["batchItemFailures"][0]["itemIdentifier"], "3");
        let keys = stage.0.list("").await.unwrap();
        let file = TickFile::parse(&keys[0]).unwrap();
        assert_eq!(
            (keys.len(), file.day.to_string().as_str(), file.last.as_str(), file.quarantined),
            (1, "2026-11-20", "2", 2)
        );
        // Kinesis delivers the batch again from the reported record on.
        let again = handle(&event, &stage.0, &telemetry, DateTime::default()).await.unwrap();
        assert!(again.batch_item_failures.is_empty());
        assert_eq!(stage.0.list("").await.unwrap().len(), 2, "the first file was not written again");
    }

    #[tokio::test]
    async fn events_of_other_services_are_rejected() {
        for id in ["", "../x", "a b"] {
            let (event, stage) = (event(&[(id, 1, EVENING)]), MemoryStage::default());
            let result = handle(&event, &stage, &Telemetry::default(), DateTime::default()).await;
            assert!(matches!(result, Err(Error::Reject(_))), "{id}");
        }
    }
}
