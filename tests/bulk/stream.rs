//! The client processes a bulk file in pieces and never holds it in memory as a whole.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{self, Sender},
    time::Duration,
};

use findata_domain::Result;
use findata_fmp::{BulkOutcome, Record, Records};
use findata_tests::{client, wait};

/// The number of chunks in the file. Each chunk has a thousand records.
const CHUNKS: u64 = 40;

/// Counts records, and sends a signal after each thousand of them.
struct Signal(u64, Sender<()>);

impl Records for Signal {
    fn begin(&mut self) {
        self.0 = 0;
    }

    fn record(&mut self, record: Record<'_>) -> Result<()> {
        assert!(record.get("symbol").is_some());
        self.0 += 1;
        if self.0.is_multiple_of(1_000) {
            self.1.send(()).unwrap();
        }
        Ok(())
    }
}

#[test]
fn records_are_processed_before_the_next_chunk_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stable", listener.local_addr().unwrap());
    let (signal, received) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4_096]).unwrap();
        assert!(read > 0);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        let mut send = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len()).unwrap();
        let chunk = format!("\"A\",\"{}\"\n", "y".repeat(100)).repeat(1_000);
        send("\"symbol\",\"about\"\n");
        for _ in 0..CHUNKS {
            send(&chunk);
            // A client that reads to the end of the file first would never send the signal.
            received.recv_timeout(Duration::from_secs(20)).expect("the records of the chunk");
        }
        write!(stream, "0\r\n\r\n").unwrap();
    });
    let mut records = Signal(0, signal);
    let answer = wait(client(&url, "key").bulk("profile-bulk", &[("part", "0".into())], &mut records, None));
    assert_eq!(answer.outcome, Ok(BulkOutcome::Complete(CHUNKS * 1_000)));
    assert_eq!(answer.calls, 1);
    serving.join().unwrap();
}
