//! `findata export`: Parquet, CSV and Excel files.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use duckdb::Connection;
use findata_tests::{Command, Home, Output, Simulator, findata, lines_of, wait_until};

use super::run;

/// A home with a company, made once for a test.
fn filled() -> (Home, Home) {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL,KO").run().code, Some(0));
    (home, Home::new())
}

fn export(home: &Home, arguments: &[&str], output: &Path) -> Command {
    findata(&[&["export"], arguments].concat()).home(home).no_key().option("-o", output)
}

fn written(command: &Command) -> Output {
    let output = command.run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:#?}");
    output
}

/// The rows of a query on exported files.
fn read(query: &str) -> Vec<String> {
    lines_of(&Connection::open_in_memory().unwrap(), query)
}

/// The names in a folder, including hidden ones.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn parquet_and_csv_files_have_the_rows_and_types_of_the_tables() {
    let (home, target) = filled();
    let folder = target.path().join("all");
    let output = written(&export(&home, &[], &folder));
    assert!(
        output.stdout.contains("fact_market_metrics.parquet (") && output.stdout.contains("rows, "),
        "{output:#?}"
    );
    assert_eq!(names(target.path()), ["all"], "no temporary folder remains");
    let tables = "select (select count(*) from duckdb_tables() where schema_name = 'analytics') + \
                  (select count(*) from duckdb_views() where schema_name = 'analytics')";
    assert_eq!(names(&folder).len() as i64, home.count(tables));
    for table in ["dim_company", "fact_market_metrics", "fact_financial_ratios", "fact_financials_history"] {
        let file = folder.join(format!("{table}.parquet")).display().to_string();
        let content = |columns: &str, from: &str| {
            format!("select count(*), sum(hash(t)) from (select {columns} from {from}) t")
        };
        // Prices are doubles in Parquet files.
        let prices = home.lines(&format!(
            "select column_name || '::double as ' || column_name from duckdb_columns() \
             where schema_name = 'analytics' and table_name = '{table}' and data_type like 'DECIMAL%'"
        ));
        let columns = match prices.is_empty() {
            true => "*".to_owned(),
            false => format!("* replace ({})", prices.join(", ")),
        };
        assert_eq!(
            read(&content("*", &format!("'{file}'"))),
            home.lines(&content(&columns, &format!("analytics.{table}"))),
            "{table}"
        );
    }
    let csv = target.path().join("quality.csv");
    written(&export(&home, &["ops.quality"], &csv));
    let rows = home.count("select count(*) from ops.quality").to_string();
    assert_eq!(read(&format!("select count(*) from read_csv('{}')", csv.display())), [rows]);
}

#[test]
fn csv_quotes_what_needs_it_and_tells_null_from_an_empty_text() {
    let (home, target) = filled();
    let file = target.path().join("x.csv");
    let query = "select 'a,\"b' x, null y, '' z, date '2026-01-02' d, 1.50::decimal(9,2) n, '=1+1' f";
    written(&export(&home, &["--query", query], &file));
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "x,y,z,d,n,f\n\"a,\"\"b\",,\"\",2026-01-02,1.50,=1+1\n"
    );
}

#[test]
fn partitions_are_folders_that_other_tools_read() {
    let (home, target) = filled();
    let folder = target.path().join("prices");
    let query = "select symbol, year(price_date) y, close_price from analytics.fact_daily_prices";
    let partitioned = |force: &[&str]| {
        export(&home, &[&["--query", query, "--partition-by", "SYMBOL"], force].concat(), &folder)
    };
    written(&partitioned(&[]));
    assert_eq!(names(&folder), ["symbol=AAPL", "symbol=KO"]);
    let count =
        format!("select symbol, count(*) from '{}/*/*.parquet' group by 1 order by 1", folder.display());
    let expected =
        home.lines("select symbol, count(*) from analytics.fact_daily_prices group by 1 order by 1");
    assert_eq!(read(&count), expected);
    assert!(partitioned(&[]).run().failed(2).contains("--force"));
    written(&partitioned(&["--force"]));
    assert_eq!(read(&count), expected);
    // A folder with anything else in it is never replaced.
    fs::write(folder.join("mine.txt"), "x").unwrap();
    assert!(partitioned(&["--force"]).run().failed(2).contains("other files"));
    assert!(folder.join("mine.txt").is_file());
    let tables = target.path().join("tables");
    written(&export(
        &home,
        &["fact_growth_rates", "--partition-by", "basis", "--format", "csv"],
        &tables,
    ));
    assert!(names(&tables.join("fact_growth_rates")).iter().all(|name| name.starts_with("basis=")));
    let output = export(&home, &["dim_company", "--partition-by", "nothing"], &tables).run();
    assert!(output.failed(2).contains("no column nothing"), "{output:#?}");
}

/// The parts of a workbook.
fn workbook(file: &Path) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(fs::File::open(file).unwrap()).unwrap();
    let mut parts = BTreeMap::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        parts.insert(part.name().unwrap().into_owned(), text);
    }
    parts
}

#[test]
fn excel_cells_have_types_and_formulas_stay_texts() {
    let (home, target) = filled();
    let file = target.path().join("x.xlsx");
    let query = "select 42 n, 1.5::decimal(38,6) m, date '2026-01-02' d, timestamp '2026-01-02 12:00:00' t, true b, \
                 null e, '=1+1' f, 9007199254740993 big, 'nan'::double nan, date '1850-01-01' early, ['a'] l";
    written(&export(&home, &["--query", query], &file));
    let parts = workbook(&file);
    let sheet = &parts["xl/worksheets/sheet1.xml"];
    for cell in [
        "<c r=\"A2\"><v>42</v>",
        "<c r=\"B2\"><v>1.5</v>",
        "<v>46024</v>",
        "<v>46024.5</v>",
        "t=\"b\"",
    ] {
        assert!(sheet.contains(cell), "{cell} is missing in {sheet}");
    }
    assert!(!sheet.contains("<f>") && !sheet.contains("r=\"F2\""), "{sheet}");
    let texts = &parts["xl/sharedStrings.xml"];
    for text in ["=1+1", "9007199254740993", "NaN", "1850-01-01", "[a]"] {
        assert!(texts.contains(text), "{text} is missing in {texts}");
    }
    // Several tables become sheets.
    let file = target.path().join("two.xlsx");
    written(&export(&home, &["dim_company", "fact_financials_ttm"], &file));
    let book = &workbook(&file)["xl/workbook.xml"];
    assert!(book.contains("dim_company") && book.contains("fact_financials_ttm"), "{book}");
    let long = "select i from range(1048576) t(i)";
    let output = export(&home, &["--query", long], &target.path().join("long.xlsx")).run();
    assert!(output.failed(2).contains("1048575 rows, the limit of an Excel sheet"), "{output:#?}");
    let text = "select repeat('x', 40000) x";
    let output = export(&home, &["--query", text], &target.path().join("text.xlsx")).run();
    assert!(output.failed(2).contains("32,767"), "{output:#?}");
    assert_eq!(names(target.path()), ["two.xlsx", "x.xlsx"], "failed exports leave nothing");
}

#[test]
fn existing_files_are_replaced_only_on_request_and_failures_leave_nothing() {
    let (home, target) = filled();
    let file = target.path().join("x.csv");
    fs::write(&file, "mine").unwrap();
    let before = home.content();
    let query =
        |query: &str, more: &[&str]| export(&home, &[&["--query", query], more].concat(), &file).run();
    assert!(query("select 1 x", &[]).failed(2).contains("--force"));
    // The query fails after many rows; the old file stays.
    let fails_late = "select cast(if(i > 900000, 'x', '1') as int) x from range(1000000) t(i)";
    assert_eq!(query(fails_late, &["--force"]).code, Some(2));
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), names(target.path()).len()), ("mine", 1));
    assert_eq!(query("select 1 x", &["--force"]).code, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), "x\n1\n");
    for (arguments, output, message) in [
        (&["dim_company"][..], "no/x.csv", "does not exist"),
        (&["dim_compani"], "y.csv", "did you mean dim_company?"),
        (&["dim_company", "fact_growth_rates"], "y.csv", "name a folder for several"),
        (&["--query", "select 1"], "folder", "name a file"),
        (&["--query", " ; "], "y.csv", "empty"),
        (&["--query", "delete from ops.runs"], "y.csv", "Error"),
        (&["--query", "select * from read_text('/etc/hostname')"], "y.csv", "Error"),
        (&["dim_company", "--format", "csv"], "y.parquet", "not csv"),
        (&["dim_company", "--partition-by", "symbol"], "y.parquet", "name a folder"),
        (&["dim_company", "--partition-by", "symbol", "--format", "xlsx"], "y", "parquet or csv"),
        (&["dim_company"], "y.txt", "must end in .parquet, .csv or .xlsx"),
    ] {
        let output = export(&home, arguments, &target.path().join(output)).run();
        assert!(output.failed(2).contains(message), "{message} is missing in {output:#?}");
    }
    let unwritable = export(&home, &["dim_company"], Path::new("/proc/x.csv")).run();
    assert_eq!(unwritable.code, Some(1), "{unwritable:#?}");
    assert_eq!(names(target.path()), ["x.csv"]);
    assert_eq!(home.content(), before);
    let json =
        export(&home, &["dim_company", "--json", "--as-of", "2026-09-17"], &target.path().join("z.csv"))
            .run();
    assert_eq!(json.json()[0]["rows"], 2);
}

#[test]
fn an_export_that_cannot_be_finished_leaves_nothing() {
    let (home, target) = filled();
    // Every row differs, so that no format compresses the megabytes away.
    let query = "select md5(i::varchar) x, md5((i + 1)::varchar) y from range(200000) t(i)";
    for (format, message) in [("csv", "ulimit -f"), ("parquet", "ulimit -f"), ("xlsx", "raise the limit")] {
        let file = target.path().join(format!("x.{format}"));
        let output = export(&home, &["--query", query], &file).with_file_limit(500).run();
        let error = output.failed(1);
        assert!(error.contains("nothing was written") && error.contains(message), "{error}");
        assert_eq!(names(target.path()), Vec::<String>::new(), "{format}");
    }
    let endless = "select count(*) x from range(100000000000) a(i), range(1000) b(j) where i * j = 7";
    let started = export(&home, &["--query", endless], &target.path().join("x.csv")).start();
    wait_until("the export writes", || !names(target.path()).is_empty());
    started.signal("INT");
    let stopped = started.wait();
    assert!(stopped.failed(130).contains("wrote nothing"), "{stopped:#?}");
    assert_eq!(names(target.path()), Vec::<String>::new());
}
