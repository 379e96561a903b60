//! Where `report` writes, which requests it rejects, and how large the file is.

use std::fs;

use findata_tests::{Home, Job, Simulator, findata};

use super::{data, home, report};

#[test]
fn json_names_the_file_and_the_default_is_in_the_home() {
    let output = report(&["--json"]).home(home()).run();
    let json = output.json();
    let file = home().path().join("report.html");
    assert_eq!(json["file"], file.to_str().unwrap());
    assert_eq!(json["bytes"].as_u64().unwrap(), fs::metadata(&file).unwrap().len());
    let one = report(&["KO"]).home(home()).run();
    assert!(one.stdout.contains("report-KO.html"), "{one:#?}");
    let names = fs::read_dir(home().path()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(
        names.into_iter().all(|name| !name.to_string_lossy().ends_with(".part")),
        "no part of a file is left"
    );
}

#[test]
fn wrong_requests_get_a_clear_error() {
    let unknown = report(&["AAPL", "WRONG"]).home(home()).run();
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    assert!(unknown.stderr.contains("WRONG is not in this warehouse"), "{unknown:#?}");
    let malformed = report(&["A B"]).home(home()).run();
    assert_eq!(malformed.code, Some(2), "{malformed:#?}");
    let many: Vec<String> = (0..21).map(|n| format!("SYM{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let too_many = report(&many).home(home()).run();
    assert_eq!(too_many.code, Some(2), "{too_many:#?}");
    assert!(
        too_many.stderr.contains("21 symbols") && too_many.stderr.contains("at most 20"),
        "{too_many:#?}"
    );
    let empty = Home::new();
    let nothing = report(&[]).home(&empty).run();
    assert_eq!(nothing.code, Some(5), "{nothing:#?}");
    assert!(nothing.stderr.contains("there is no warehouse at"), "{nothing:#?}");
    assert!(empty.files().is_empty(), "a failed report leaves no file");
    let folder = report(&[]).home(home()).option("--output", home().path()).run();
    assert_eq!(folder.code, Some(1), "{folder:#?}");
    assert!(folder.stderr.contains("choose another file with --output"), "{folder:#?}");
    let past = report(&["--as-of", "2026-09-01"]).home(home()).run();
    assert_eq!(past.code, Some(2), "{past:#?}");
}

#[test]
fn a_warehouse_without_companies_gets_a_clear_error() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let unknown = findata(&["run", "--symbols", "NOSUCH", "--days", "30"])
        .home(&home)
        .url(server.url())
        .run();
    assert_eq!(unknown.code, Some(1), "{unknown:#?}");
    let output = report(&[]).home(&home).run();
    assert_eq!(output.code, Some(2), "{output:#?}");
    assert!(output.stderr.contains("no companies"), "{output:#?}");
}

/// The size of the report grows with the weeks of prices and the number of companies. 505 companies with
/// five years of prices have to stay under 5 MB, so one company may take 9.5 kB beside the 250 kB of
/// scripts and definitions.
#[test]
fn a_company_takes_little_space() {
    let (server, home) = (Simulator::with_symbols(41), Home::new());
    let symbols = ["AAPL", "MSFT", "KO", "XOM", "WMT", "JNJ"];
    Job::new(server.url(), &symbols).days(5 * 365).run_ok(&home);
    let output = report(&["--json"]).home(&home).run().json();
    let page = fs::read_to_string(home.path().join("report.html")).unwrap();
    let data = data(&page);
    let companies = data["companies"].to_string().len() as u64;
    let rest = output["bytes"].as_u64().unwrap() - companies;
    assert!(rest < 250_000, "{rest} bytes without companies");
    assert!(companies / 6 < 9_500, "{} bytes per company", companies / 6);
}
