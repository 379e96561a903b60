//! The sessions of a command that lands ticks. A session that was killed leaves a gap, which the next
//! one of the same feed records.

use std::{collections::BTreeMap, io::Read};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use findata_domain::{Error, Result};
use findata_pipeline::{
    ports::stage::{self, Stage},
    tick_file::folder_of,
};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::file::{PackedTicks, Record, pack};

/// Key of the sessions that did not end, and of the last ones of continuous feeds.
const KEY: &str = "state/price-streams.json";
/// Sequence number of a gap before the session. Records of a session begin with 1.
const BEFORE_FIRST: &str = "000000000000";
/// Most days for which the files of a killed session are looked for.
const MOST_DAYS: usize = 40;

/// A session by its name.
type Sessions = BTreeMap<String, Session>;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    source: String,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

/// A feed whose ticks a session lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// Its name in `ops.price_gaps`.
    pub source: &'static str,
    /// Whether its prices exist only while somebody receives them. The time between two sessions is then a gap,
    /// even if the first one ended properly.
    pub is_continuous: bool,
}

/// The record of a gap, as a line of the input.
pub fn gap_record(source: &str, start: DateTime<Utc>, end: DateTime<Utc>, reason: &str) -> String {
    json!({"gap_start": start, "exchange_time": end, "source": source, "gap_reason": reason}).to_string()
}

/// Begins a session. Lands a gap for each earlier session of the feed that was killed. Returns the number of gaps.
///
/// # Errors
/// The stage's errors.
pub async fn begin(session: &str, feed: Feed, stage: &impl Stage, now: DateTime<Utc>) -> Result<usize> {
    let sessions: Sessions = stage::read_rebuildable(stage, KEY, &mut Vec::new()).await?.unwrap_or_default();
    let earlier: Vec<_> = sessions.iter().filter(|(_, other)| other.source == feed.source).collect();
    let mut gaps = Vec::new();
    for (name, other) in &earlier {
        let (start, reason) = match other.ended_at {
            Some(ended_at) => (ended_at, "no stream was running"),
            None => (last_arrival(name, other, stage, now).await?, "the stream did not end properly"),
        };
        gaps.push(gap_record(feed.source, start.min(now), now, reason));
    }
    let records: Vec<Record<'_>> = gaps
        .iter()
        .map(|gap| Record {
            sequence: BEFORE_FIRST,
            arrived_at: now,
            data: gap.as_bytes(),
        })
        .collect();
    // A gap that lands again after a crash here has the same start, so load stores it once.
    if let Some(packed) = pack(session, now.date_naive(), &records)? {
        PackedTicks::land(packed, stage).await?;
    }
    let own = Session {
        source: feed.source.to_owned(),
        started_at: now,
        ended_at: None,
    };
    stage::change_rebuildable(stage, KEY, |all: &mut Sessions| {
        all.retain(|name, _| !earlier.iter().any(|(other, _)| *other == name));
        all.insert(session.to_owned(), own.clone());
    })
    .await?;
    Ok(gaps.len())
}

/// Ends a session whose records are all on the stage.
///
/// # Errors
/// The stage's errors.
pub async fn end(session: &str, feed: Feed, stage: &impl Stage, now: DateTime<Utc>) -> Result<()> {
    stage::change_rebuildable(stage, KEY, |all: &mut Sessions| match all.get_mut(session) {
        Some(own) if feed.is_continuous => own.ended_at = Some(now),
        _ => drop(all.remove(session)),
    })
    .await
}

/// When the last landed record of a session arrived; the start of the session if nothing landed.
async fn last_arrival(
    name: &str,
    session: &Session,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let mut newest = None;
    let days = session.started_at.date_naive().iter_days().take_while(|day| *day <= now.date_naive());
    for day in days.take(MOST_DAYS) {
        let keys = stage.list(&format!("{}{name}/", folder_of(day))).await?;
        newest = keys.into_iter().max().or(newest);
    }
    let Some(key) = newest else { return Ok(session.started_at) };
    let Some(object) = stage.get(&key).await? else {
        return Ok(session.started_at);
    };
    let mut text = String::new();
    let read = GzDecoder::new(&object.body[..]).read_to_string(&mut text);
    read.map_err(|e| Error::Damaged(format!("{key} on the stage cannot be read: {e}; delete it")))?;
    let line = text.lines().next_back().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let arrived_at = line.as_ref().and_then(|line| line["observed_at"].as_str());
    let arrived_at =
        arrived_at.and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok());
    // The next microsecond, so that gaps of sessions that landed nothing have other starts.
    Ok(arrived_at.map_or(session.started_at, |at| at.and_utc() + TimeDelta::microseconds(1)))
}

#[cfg(test)]
mod tests {
    use findata_pipeline::ports::stage::memory::MemoryStage;

    use super::*;

    const STDIN: Feed = Feed { source: "stdin", is_continuous: false };
    const SOCKET: Feed = Feed { source: "socket", is_continuous: true };

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_187_000 + minute * 60, 0).unwrap()
    }

    async fn gaps(stage: &MemoryStage, session: &str) -> Vec<String> {
        let mut found = Vec::new();
        for key in stage.list("landing/").await.unwrap() {
            if !key.contains(session) {
                continue;
            }
            let body = stage.get(&key).await.unwrap().unwrap().body;
            let mut text = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            for line in text.lines() {
                let row = &serde_json::from_str::<Value>(line).unwrap()["row"];
                let part = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                found.push(format!(
                    "{} {} {}",
                    part("source"),
                    &part("gap_start")[11..19],
                    &part("exchange_time")[11..19]
                ));
            }
        }
        found
    }

    #[tokio::test]
    async fn a_killed_session_leaves_a_gap_from_its_last_record() {
        let stage = MemoryStage::default();
        assert_eq!(begin("one", STDIN, &stage, at(0)).await.unwrap(), 0);
        let record = Record { sequence: "000000000001", arrived_at: at(7), data: b"{}" };
        pack("one", at(7).date_naive(), &[record]).unwrap().unwrap().land(&stage).await.unwrap();
        // Killed. The next one is killed before it lands anything.
        assert_eq!(begin("two", STDIN, &stage, at(9)).await.unwrap(), 1);
        assert_eq!(gaps(&stage, "two").await, ["stdin 15:10:20 15:12:20"]);
        assert_eq!(begin("three", STDIN, &stage, at(20)).await.unwrap(), 1);
        assert_eq!(gaps(&stage, "three").await, ["stdin 15:12:20 15:23:20"]);
        end("three", STDIN, &stage, at(21)).await.unwrap();
        assert_eq!(begin("four", STDIN, &stage, at(30)).await.unwrap(), 0, "the session ended");
    }

    #[tokio::test]
    async fn a_continuous_feed_has_a_gap_between_its_sessions() {
        let stage = MemoryStage::default();
        begin("one", SOCKET, &stage, at(0)).await.unwrap();
        begin("other", STDIN, &stage, at(1)).await.unwrap();
        end("one", SOCKET, &stage, at(10)).await.unwrap();
        assert_eq!(begin("two", SOCKET, &stage, at(12)).await.unwrap(), 1);
        assert_eq!(gaps(&stage, "two").await, ["socket 15:13:20 15:15:20"]);
        assert_eq!(begin("next", STDIN, &stage, at(13)).await.unwrap(), 1);
    }
}
