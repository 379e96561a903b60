//! A bulk file is never whole in memory.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{self, Sender},
    time::Duration,
};

use findata_domain::Result;
use findata_fmp::{BulkOutcome, Record, Records};
use findata_tests::{client, wait};

/// Pieces of the file, each of a thousand records.
const PIECES: u64 = 40;

/// Says after each piece that its records have come.
struct Taken(u64, Sender<()>);

impl Records for Taken {
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
fn records_are_taken_in_before_the_next_piece_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stable", listener.local_addr().unwrap());
    let (said, taken) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4_096]).unwrap();
        assert!(read > 0);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        let mut send = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len()).unwrap();
        let piece = format!("\"A\",\"{}\"\n", "y".repeat(100)).repeat(1_000);
        send("\"symbol\",\"about\"\n");
        for _ in 0..PIECES {
            send(&piece);
            // A reader that waited for the end of the file would wait for ever.
            taken.recv_timeout(Duration::from_secs(20)).expect("the records of the piece");
        }
        write!(stream, "0\r\n\r\n").unwrap();
    });
    let mut records = Taken(0, said);
    let answer = wait(client(&url, "key").bulk("profile-bulk", &[("part", "0".into())], &mut records, None));
    assert_eq!(answer.came, Ok(BulkOutcome::Complete(PIECES * 1_000)));
    assert_eq!(answer.calls, 1);
    serving.join().unwrap();
}
