//! Reads lines from standard input in a thread, because such a read cannot be interrupted.

use std::{
    io::{self, BufRead, BufReader, Read},
    thread,
};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::Clock};
use findata_stream::tick::MAX_RECORD;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Size in bytes of the read buffer. A pipe has at most 64 KiB.
const BUFFER: usize = 128 << 10;
/// Pieces of input that wait for the receiver, at most about 8 MB. The thread then stops reading, so
/// that the producer waits.
const WAITING: usize = 64;

/// Consecutive lines that were read at once.
#[derive(Debug)]
pub struct Lines {
    /// When they were read.
    pub arrived_at: DateTime<Utc>,
    text: Vec<u8>,
    /// Where each line ends in `text`.
    ends: Vec<usize>,
}

impl Lines {
    fn new() -> Self {
        Lines {
            arrived_at: DateTime::default(),
            text: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Makes lines of records, each without a line break, that arrived at the same time.
    pub fn of(records: &[String], arrived_at: DateTime<Utc>) -> Self {
        let mut lines = Lines { arrived_at, ..Lines::new() };
        for record in records {
            append(&mut lines, record.as_bytes());
            lines.ends.push(lines.text.len());
        }
        lines
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether it has no lines.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The lines without their line breaks. A line that is too long for a record is cut, but stays too
    /// long, so that it is still rejected.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

/// A tick as a record, for feeds that have another format. A missing field makes the record a quarantined one.
#[derive(Debug, Serialize)]
pub struct TickRecord<'a> {
    /// Id of the trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Symbol.
    pub symbol: &'a str,
    /// Price with the digits of the feed.
    pub price: Option<&'a RawValue>,
    /// Number of shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<&'a RawValue>,
    /// When the exchange reported it.
    pub exchange_time: Option<DateTime<Utc>>,
    /// Name of the feed.
    pub source: &'a str,
}

/// Starts to read lines in a thread. The end of the channel is the end of the input; a failed read is
/// its last item.
///
/// # Errors
/// `Resource` if the thread cannot be started.
pub fn read(
    input: impl Read + Send + 'static,
    clock: impl Clock + 'static,
) -> Result<Receiver<Result<Lines>>> {
    let (sender, receiver) = channel(WAITING);
    let work = move || {
        if let Err(error) = send_lines(BufReader::with_capacity(BUFFER, input), &clock, &sender) {
            let failed = Error::Resource(format!("cannot read standard input: {error}"));
            // Without a receiver, nobody needs the error.
            let _ = sender.blocking_send(Err(failed));
        }
    };
    let started = thread::Builder::new().name("ticks".into()).spawn(work);
    started.map_err(|e| Error::Resource(format!("cannot start a thread: {e}; raise ulimit -u")))?;
    Ok(receiver)
}

/// Sends the complete lines of each read at once, so that a slow producer's lines do not wait here.
fn send_lines(mut input: impl BufRead, clock: &impl Clock, sender: &Sender<Result<Lines>>) -> io::Result<()> {
    let mut lines = Lines::new();
    loop {
        let read = match input.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let is_end = read.is_empty();
        let length = read.len();
        let mut rest = read;
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            append(&mut lines, &rest[..at]);
            lines.ends.push(lines.text.len());
            rest = &rest[at + 1..];
        }
        append(&mut lines, rest);
        input.consume(length);
        let open = lines.ends.last().copied().unwrap_or_default();
        if is_end && lines.text.len() > open {
            // The last line has no line break.
            lines.ends.push(lines.text.len());
        }
        if !lines.is_empty() {
            let begun = lines.text.split_off(lines.ends.last().copied().unwrap_or_default());
            let next = Lines { text: begun, ..Lines::new() };
            let complete = Lines {
                arrived_at: clock.latest(),
                ..std::mem::replace(&mut lines, next)
            };
            if sender.blocking_send(Ok(complete)).is_err() {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Appends a part of a line, up to just above the largest size of a record.
fn append(lines: &mut Lines, part: &[u8]) {
    let length = lines.text.len() - lines.ends.last().copied().unwrap_or_default();
    let space = (MAX_RECORD + 1).saturating_sub(length);
    lines.text.extend_from_slice(&part[..part.len().min(space)]);
}

#[cfg(test)]
mod tests {
    use findata_domain::clock::SystemClock;

    use super::*;

    /// Returns only a few bytes per read.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = into.len().min(self.0.len()).min(5);
            into[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn lines_of(input: impl Read + Send + 'static) -> Vec<Vec<u8>> {
        let mut receiver = read(input, SystemClock).unwrap();
        let mut all = Vec::new();
        while let Some(lines) = receiver.blocking_recv() {
            all.extend(lines.unwrap().iter().map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn lines_survive_any_division_into_reads() {
        let text = b"first line\n\nshort\na longer third line\nthe end";
        let expected: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
        assert_eq!(lines_of(Slow(text)), expected);
        assert_eq!(lines_of(&text[..]), expected);
        assert_eq!(lines_of(&b"one\n"[..]), [b"one".to_vec()]);
        assert!(lines_of(&b""[..]).is_empty());
    }

    #[test]
    fn only_the_beginning_of_an_endless_line_is_kept() {
        let endless = io::repeat(b'x').take(5 << 20).chain(&b"\nnext\n"[..]);
        let lines = lines_of(endless);
        assert_eq!((lines[0].len(), lines[1].as_slice(), lines.len()), (MAX_RECORD + 1, &b"next"[..], 2));
    }

    #[test]
    fn a_failed_read_is_reported_after_the_lines_before_it() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("no device"))
            }
        }
        let mut receiver = read((&b"one\n"[..]).chain(Failing), SystemClock).unwrap();
        assert_eq!(receiver.blocking_recv().unwrap().unwrap().len(), 1);
        let error = receiver.blocking_recv().unwrap().unwrap_err();
        assert!(matches!(&error, Error::Resource(text) if text.contains("no device")), "{error:?}");
        assert!(receiver.blocking_recv().is_none());
    }
}
