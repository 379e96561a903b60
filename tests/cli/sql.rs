//! `sql` only reads, and prints in several formats.

use findata_tests::{Home, Simulator, findata};

use super::run;

#[test]
fn sql_reads_a_home_and_cannot_write() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let missing = findata(&["sql", "select 1"]).option("--home", home.path().join("none")).run();
    assert!(missing.failed(5).contains("findata run"), "{missing:#?}");
    assert!(!home.path().join("none").exists());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let sql = |query: &str| findata(&["sql", query]).home(&home).no_key();
    let table = sql("select symbol, is_current from analytics.dim_company;").run();
    assert!(
        table.code == Some(0)
            && table.stdout.contains("| AAPL   | true       |")
            && table.stdout.contains("1 row"),
        "{table:#?}"
    );
    let json = sql("select symbol, fiscal_year::integer y from analytics.fact_financials where period_type = 'FY' order by 2 limit 2").arg("--json").run();
    let rows = json.json();
    assert_eq!((rows.as_array().map(Vec::len), &rows[0]["symbol"]), (Some(2), &"AAPL".into()));
    for bad in ["selec 1", "select * from nowhere", "select nothing from analytics.dim_company"] {
        let output = sql(bad).run();
        assert_eq!(output.code, Some(2), "{output:#?}");
        assert!(!output.stderr.contains("panicked") && !output.errors().is_empty(), "{output:#?}");
    }
    let before = home.content();
    for write in [
        "delete from analytics.dim_company",
        "create table x as select 1",
        "drop schema analytics cascade",
    ] {
        let output = sql(write).run();
        assert_eq!(output.code, Some(2), "{write}: {output:#?}");
    }
    assert_eq!(home.content(), before);
}

#[test]
fn a_closed_pipe_ends_a_query_quietly() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    for query in ["select * from analytics.metric_nulls", "select * from range(1000000000000)"] {
        for format in [&[][..], &["--json"]] {
            let output = findata(&[&["sql", query], format].concat()).home(&home).with_closed_stdout().run();
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:#?}");
        }
    }
}

#[test]
fn a_query_is_one_select_that_reaches_only_the_warehouse() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let files = home.files();
    let target = home.path().join("copy.csv").display().to_string();
    let readable = home.path().join("stage/state/source.json").display().to_string();
    let refused = [
        "select 1; delete from analytics.dim_company".to_owned(),
        format!("copy (select 1) to '{target}'"),
        format!("attach '{target}'"),
        format!("select * from read_text('{readable}')"),
        format!("select * from '{readable}'"),
        "set memory_limit = '1TB'".into(),
        "install httpfs".into(),
        "select 1) q; select (1".into(),
    ];
    for query in &refused {
        for extra in [&[][..], &["--json"], &["--as-of", "2026-09-18"]] {
            let output = findata(&[&["sql", query], extra].concat()).home(&home).run();
            assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{query} {output:#?}");
        }
    }
    assert_eq!(home.files(), files);
    let allowed = findata(&["sql", "--allow-external", &refused[3]]).home(&home).run();
    assert!(allowed.code == Some(0) && allowed.stdout.contains("1 row"), "{allowed:#?}");
    let two = findata(&["sql", "--allow-external", &refused[0]]).home(&home).run();
    assert_eq!((two.code, two.stdout.as_str()), (Some(2), ""), "{two:#?}");
}

#[test]
fn rows_keep_their_order_and_json_has_no_nan_or_infinity() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let sql = |query: &str| findata(&["sql", "--json", query]).home(&home).run();
    let rows = sql("select i from range(100000) t(i) order by i desc").json();
    let numbers: Vec<u64> = rows.as_array().unwrap().iter().map(|row| row["i"].as_u64().unwrap()).collect();
    assert!(numbers.len() == 100_000 && numbers.is_sorted_by(|a, b| a > b));
    let odd = sql("select 'nan'::double a, ['inf'::float, -1] b, 'NaN' c; -- one statement").json();
    assert_eq!(odd, serde_json::json!([{"a": null, "b": [null, -1.0], "c": "NaN"}]));
    // A query that fails midway prints an incomplete JSON array, which every parser rejects.
    let half = sql("select cast(if(i > 90000, 'x', '1') as int) from range(100000) t(i)");
    assert_eq!(half.code, Some(2), "{half:#?}");
    assert!(serde_json::from_str::<serde_json::Value>(&half.stdout).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_result_needs_little_memory() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    // The result of 300,000 rows of 400 bytes has 120 MB.
    let query = "select i, repeat('x', 400) from range(300000) t(i)";
    for format in [&["--format", "csv"][..], &["--json"]] {
        let mut running = findata(&[&["sql", query], format].concat()).home(&home).start();
        let mut peak = 0;
        while !running.has_ended() {
            peak = running.peak_memory().max(peak);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let output = running.wait();
        assert!(output.code == Some(0) && output.stdout.len() > 120_000_000, "{}", output.stderr);
        // Usually 130 MB. One run measured 475 MB, and the reason is not known. A build that collects the
        // whole result needs 1.2 GB.
        assert!((1..700 << 20).contains(&peak), "{peak} bytes");
    }
}
