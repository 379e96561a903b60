//! Decodes the first lines of bulk files recorded from FMP. The recordings are in `../shared` and
//! are not part of the repository.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use chrono::NaiveDate;
use findata_domain::{
    Result, Symbol,
    catalog::{Dataset, dataset},
    rows::{Asked, OneByOne, record},
};
use findata_fmp::{BulkOutcome, Record, Records};
use findata_tests::{client, shared_folder, wait};

/// Collects the typed rows of AAPL.
struct Rows {
    dataset: &'static Dataset,
    rows: OneByOne,
    found: Vec<(Vec<Option<String>>, Option<String>)>,
}

impl Records for Rows {
    fn begin(&mut self) {
        self.found.clear();
    }

    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if record.get("symbol") == Some("AAPL") {
            let (symbol, mut json): (Symbol, _) = ("AAPL".parse()?, String::new());
            let asked = Asked {
                symbol: Some(&symbol),
                days: None,
                received_on: NaiveDate::MAX,
            };
            record::json(self.dataset, record.cells(), &mut json);
            let row = self.rows.row(&asked, &json)?;
            self.found.push((row.values, row.reject));
        }
        Ok(())
    }
}

/// Serves a recorded file. Returns the rows of AAPL and the number of records in the file.
fn read(name: &str, file: &Path) -> (Rows, u64) {
    let body = fs::read(file).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stable", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\nconnection: close\r\n\r\n").unwrap();
        stream.write_all(&body).unwrap();
    });
    let dataset = dataset(name).unwrap();
    let mut rows = Rows { dataset, rows: OneByOne::new(dataset), found: Vec::new() };
    let answer = wait(client(&url, "key").bulk("any-bulk", &[], &mut rows, None));
    serving.join().unwrap();
    let Ok(BulkOutcome::Complete(records)) = answer.outcome else {
        panic!("{}: {answer:?}", file.display())
    };
    (rows, records)
}

#[test]
fn recorded_files_give_complete_rows() {
    let Some(folder) = shared_folder("fmp/recorded") else {
        return;
    };
    for (name, file, records, companies) in [
        ("prices", "fmpdotnet/eod-bulk__2026-08-25.head.csv", 3, 1),
        ("income_statement", "fmpdotnet/income-statement-bulk__2025_Q1.head.csv", 2, 1),
        ("profile", "fmpdotnet/profile-bulk__part0.head.csv", 3, 0),
        ("profile", "fmp4j/profile-bulk__part=0.csv", 1, 1),
        ("balance_sheet", "fmp4j/balance-sheet-statement-bulk__year=2022_annual.csv", 0, 0),
    ] {
        let (rows, count) = read(name, &folder.join(file));
        assert_eq!((count, rows.found.len()), (records, companies), "{file}");
        assert!(rows.found.iter().all(|(_, reject)| reject.is_none()), "{file}: {:?}", rows.found);
        let absent = dataset(name).unwrap().bulk.unwrap().absent;
        let missing: Vec<_> = rows.rows.drift().into_iter().filter(|field| !absent.contains(field)).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
}
