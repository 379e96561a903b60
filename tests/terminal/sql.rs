//! Output and input of `sql`.

use std::fs;

use super::{HOSTILE, assert_fits, at_all_widths, command, home};

#[test]
fn tables_fit_and_show_nulls() {
    let (narrow, wide) = at_all_widths(&["sql", "select * from analytics.dim_company order by symbol"]);
    assert!(
        narrow.contains(" of 22 columns fit") && wide.contains(" of 22 columns fit"),
        "{narrow}{wide}"
    );
    assert!(narrow.contains("| AAPL   |") && narrow.ends_with("8 rows\n"), "{narrow}");
    let query = "select symbol, company_name, null::double as nothing, 12.50 as price from analytics.dim_company \
                 where symbol = 'HOSTL'";
    let (narrow, wide) = at_all_widths(&["sql", query]);
    assert!(narrow.contains("|    NULL | 12.50 |") && wide.contains("|    NULL | 12.50 |"), "{narrow}");
    assert!(
        narrow.contains("| Evil \\u{1b}[31m| \\u{202e}name\\u{a}of a") && narrow.contains('…'),
        "{narrow}"
    );
    assert!(wide.contains("too long for one column of any table |"), "{wide}");
    let odd = command(&["sql", "select 1 as n"]).variable("COLUMNS", "zero").run();
    assert_fits(&odd, 200);
}

#[test]
fn a_terminal_shows_the_first_rows_and_counts_the_others() {
    let query = "select i, i::varchar || 'x' as text from range(51234) t(i)";
    let terminal = command(&["sql", query]).run_on_terminal(80);
    assert_fits(&terminal, 80);
    let end = "… 51,184 more rows; use --limit 0 or --format csv for all\n50 rows shown\n";
    assert!(terminal.stdout.ends_with(end), "{}", terminal.stdout);
    assert!(terminal.stdout.contains("| 49 | 49x  |") && !terminal.stdout.contains("50x"));
    let lines = |arguments: &[&str]| {
        let output = command(&[&["sql", query], arguments].concat()).run_on_terminal(80);
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.stdout.lines().count()
    };
    assert_eq!(lines(&["--limit", "0"]), 51_234 + 5);
    assert_eq!(lines(&["--limit", "3"]), 3 + 6);
    assert_eq!(lines(&["--format", "csv"]), 51_234 + 1);
    assert_eq!(lines(&["--format", "ndjson", "--limit", "60000"]), 51_234);
    let file = command(&["sql", query]).run();
    assert!(file.stdout.ends_with("51,234 rows\n") && !file.stdout.contains('…'), "not on a terminal");
    let endless = command(&["sql", "--limit", "2", "--format", "ndjson", "from range(1000000000000)"]).run();
    assert_eq!(endless.stdout, "{\"range\":0}\n{\"range\":1}\n");
}

#[test]
fn every_format_has_every_value() {
    let query = "select 1.50 as n, 'a|b\"c,d' as \"t x\", null as \"null\", '' as empty, date '2026-01-02' as d, \
                 'nan'::double as nan union all select 2, 'two\nlines', 'x', ' ', null, -0.1";
    let print = |format: &str| {
        let output = command(&["sql", query, "--format", format]).variable("COLUMNS", "30").run();
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.stdout
    };
    assert_eq!(
        print("csv"),
        "n,t x,null,empty,d,nan\n1.50,\"a|b\"\"c,d\",,\"\",2026-01-02,nan\n\
         2.00,\"two\nlines\",x, ,,-0.1\n"
    );
    assert_eq!(
        print("markdown"),
        "| n | t x | null | empty | d | nan |\n| ---: | --- | --- | --- | --- | ---: |\n\
         | 1.50 | a\\|b\"c,d | NULL |  | 2026-01-02 | nan |\n| 2.00 | two\\\\u{a}lines | x |   | NULL | -0.1 |\n"
    );
    let objects =
        "{\"n\":1.5,\"t x\":\"a|b\\\"c,d\",\"null\":null,\"empty\":\"\",\"d\":\"2026-01-02\",\"nan\":null}";
    let ndjson = print("ndjson");
    assert!(ndjson.starts_with(&format!("{objects}\n{{")) && ndjson.lines().count() == 2, "{ndjson}");
    let json = print("json");
    assert_eq!(json, format!("[{}]\n", ndjson.trim_end().replace("}\n{", "},\n{")));
    assert_eq!(command(&["sql", query, "--json"]).run().stdout, json);
    assert_eq!(command(&["sql", query]).variable("FINDATA_JSON", "true").run().stdout, json);
    let both = command(&["sql", query, "--json", "--format", "csv"]).run();
    assert!(both.failed(2).contains("--json means --format json"), "{both:#?}");
    let unknown = command(&["sql", query, "--format", "xml"]).run();
    assert!(unknown.code == Some(2) && unknown.stderr.contains("ndjson"), "{unknown:#?}");
    // A terminal gets data without characters that act on it, and a file gets the data itself.
    let name = "select company_name from analytics.dim_company where symbol = 'HOSTL'";
    let csv = command(&["sql", name, "--format", "csv"]);
    assert_eq!(csv.run().stdout, format!("company_name\n\"{HOSTILE}\"\n"));
    assert!(!csv.run_on_terminal(80).stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn queries_come_from_an_argument_a_file_or_standard_input() {
    let file = home().path().join("query.sql");
    let text = "-- first; one\nselect ';' as a;\n\nselect 2 as b -- last\n;";
    fs::write(&file, text).unwrap();
    let expected = "a\n;\n\nb\n2\n";
    let csv = |arguments: &[&str]| command(&[&["sql", "--format", "csv"], arguments].concat());
    assert_eq!(csv(&[&format!(" {text}")]).run().stdout, expected);
    assert_eq!(csv(&["--file", file.to_str().unwrap()]).run().stdout, expected);
    for arguments in [&[][..], &["-"], &["--file", "-"]] {
        assert_eq!(csv(arguments).run_with_input(text).stdout, expected);
    }
    assert!(csv(&["--file", "/no/such.sql"]).run().failed(2).contains("/no/such.sql"));
    assert!(csv(&["--file", "x", "select 1"]).run().code == Some(2), "two queries");
    for empty in ["", " ;; ", "-- nothing"] {
        assert!(csv(&[]).run_with_input(empty).failed(2).contains("empty"));
    }
    let terminal = csv(&[]).run_on_terminal(80);
    assert!(terminal.code == Some(2) && terminal.stdout.contains("--file"), "{terminal:#?}");
}

#[test]
fn several_statements_are_checked_before_the_first_one_runs() {
    let json = command(&["sql", "--json", "select 1 a; select 2 b where false; select 3 c"]).run();
    assert_eq!(json.json(), serde_json::json!([[{"a": 1}], [], [{"c": 3}]]));
    let (narrow, _) = at_all_widths(&["sql", "select 1 a; show tables; describe analytics.dim_company"]);
    assert!(narrow.contains("1 row\n\n+") && narrow.contains("| company_name "), "{narrow}");
    let wrong = command(&["sql", "select 1 a; select nothing; select 3"]).run();
    let line = wrong.failed(2);
    assert!(line.contains("statement 2 of 3") && line.contains("nothing"), "{line}");
    assert_eq!(wrong.stdout, "");
    let write = command(&["sql", "select 1; drop table analytics.dim_date"]).run();
    assert!(write.failed(2).contains("statement 2 of 2"), "{write:#?}");
}

#[test]
fn a_file_is_complete_or_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |query: &str, name: &str, more: &[&str]| {
        command(&[&["sql", query], more].concat()).option("-o", path(name)).run()
    };
    for (name, start) in [
        ("a.csv", "i\n0\n"),
        ("a.json", "[{\"i\":0},\n"),
        ("a.ndjson", "{\"i\":0}\n"),
        ("a.md", "| i |\n| ---: |\n"),
        ("a.txt", "+-----+\n|   i |\n"),
    ] {
        let output = write("select i from range(200) t(i)", name, &[]);
        let text = fs::read_to_string(path(name)).unwrap();
        assert!(text.starts_with(start), "{text}");
        let expected = format!("wrote {} (200 rows, ", path(name).display());
        assert!(output.stdout.starts_with(&expected) && output.code == Some(0), "{output:#?}");
    }
    let json = write("select 1", "b", &["--json"]).json();
    assert_eq!((&json["rows"], &json["bytes"]), (&1.into(), &10.into()));
    let csv = write("select 1", "c.dat", &["--format", "csv", "--limit", "1"]);
    assert_eq!(csv.code, Some(0), "{csv:#?}");
    // A query that fails midway keeps the earlier file.
    let broken = write("select cast(if(i > 90000, 'x', '1') as int) from range(100000) t(i)", "a.csv", &[]);
    // DuckDB sometimes reports that it interrupted another thread instead of that thread's error.
    assert!(broken.failed(2).contains(" Error: "), "{broken:#?}");
    assert!(fs::read_to_string(path("a.csv")).unwrap().starts_with("i\n0\n"));
    assert!(write("select 1", "", &[]).failed(2).contains("is a folder"));
    assert!(write("select 1", "none/a.csv", &[]).failed(1).contains("none/a.csv"));
    assert!(write("select 1", "name", &[]).failed(2).contains("--format"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path("a.csv"), path("link.csv")).unwrap();
        assert_eq!(write("select 7 as n", "link.csv", &[]).code, Some(0));
        assert_eq!(fs::read_to_string(path("a.csv")).unwrap(), "n\n7\n");
        assert!(path("link.csv").is_symlink());
        let full = command(&["sql", "select 1", "--format", "csv", "-o", "/dev/full"]).run();
        assert!(full.failed(1).contains("/dev/full"), "{full:#?}");
    }
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 8, "no temporary files: {names:?}");
}
