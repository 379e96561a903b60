//! People read the warehouse and exported files with pandas, polars and pyarrow, and compute with every column.

use std::process::Command;

use findata_tests::{Home, Simulator, findata, prepared_python};
use serde_json::Value;

/// The Python with the libraries, if `./dev` could prepare it.
fn python() -> Option<std::path::PathBuf> {
    prepared_python("FINDATA_TEST_DATAFRAMES", "tests/dataframes/requirements.txt")
}

#[test]
fn pandas_polars_and_pyarrow_compute_with_every_column_of_every_table() {
    let Some(python) = python() else { return };
    let (server, home, target) = (Simulator::with_symbols(12), Home::new(), Home::new());
    let run = findata(&["run", "--symbols", "AAPL,KO,JPM"]).home(&home).url(server.url());
    assert_eq!(run.run().code, Some(0));
    let folder = target.path().join("files");
    let export = findata(&["export"]).home(&home).no_key().option("-o", &folder).run();
    assert_eq!(export.code, Some(0), "{export:#?}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/dataframes/tables.py");
    let output = Command::new(python).arg(script).arg(home.warehouse()).arg(&folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failures"], serde_json::json!([]));
    // A client that knows nothing about findata's schemas sees the tables.
    assert_eq!(report["shown"], report["tables"]);
    assert_ne!(report["rows"]["fact_market_metrics"], 0);
    let number = |key: &str| report[key].as_u64().unwrap();
    assert!(number("columns") > 3_000 && number("computed") > 50_000, "{report:#}");
    assert!(number("control") > 4, "the check accepts decimals that Arrow cannot multiply: {report:#}");
}
