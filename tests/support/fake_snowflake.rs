//! The fake Snowflake and its S3, both in one Python process.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::{Settings, Snowflake};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::Value;

use super::{
    command,
    python::{self, Program},
    wait,
};

/// The bucket, and the prefix in the bucket, that the stages use.
const BUCKET: &str = "findata";
const PREFIX: &str = "some/home";

/// A running fake Snowflake. It starts empty, and ends when dropped or with the test process.
pub struct FakeSnowflake {
    _program: Program,
    url: String,
    s3: String,
    key: String,
    http: Client,
    put: Mutex<HashSet<String>>,
}

impl FakeSnowflake {
    /// The path of the Python that `./dev test` prepared. If there is none, prints that the test is
    /// skipped and returns `None`.
    pub fn python() -> Option<PathBuf> {
        python::prepared_python("FINDATA_TEST_PYTHON", "tests/snowflake/requirements.txt")
    }

    /// The instance that tests share. Each test uses its own database. Returns `None` if the Python
    /// is missing.
    pub fn shared() -> Option<&'static FakeSnowflake> {
        static SHARED: OnceLock<Option<FakeSnowflake>> = OnceLock::new();
        SHARED.get_or_init(|| FakeSnowflake::start(&[])).as_ref()
    }

    /// Starts a separate instance with these options. Returns `None` if the Python is missing.
    pub fn start(options: &[&str]) -> Option<FakeSnowflake> {
        let fake = Self::launch(options)?;
        fake.put_object("", Vec::new());
        Some(fake)
    }

    /// Starts an instance that reads from another S3, with more options. Returns `None` if the Python is missing.
    pub fn with_s3(s3: &str, options: &[&str]) -> Option<FakeSnowflake> {
        Self::launch(&[&["--s3-endpoint", s3], options].concat())
    }

    /// The HTTP client for the control endpoints.
    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    fn launch(options_of_test: &[&str]) -> Option<FakeSnowflake> {
        let python = Self::python()?;
        // The folder is shared by all fakes and all runs of the tests, because parsing the models takes most of the
        // fake's time.
        let prepared = command::build_folder().join("prepared-statements");
        let prepared = prepared.to_str().expect("a path in UTF-8");
        let options = ["--new-key", "key.pem", "--prepared", prepared];
        let options = options.iter().chain(options_of_test);
        let mut program = Program::start(&python, "snowflake/fake_snowflake.py", options);
        let ready = program.read_json();
        let text = |name: &str| ready[name].as_str().expect("an address").to_owned();
        Some(FakeSnowflake {
            url: text("url"),
            s3: text("s3"),
            key: std::fs::read_to_string(program.folder().join("key.pem")).expect("a key"),
            http: Client::builder().timeout(Duration::from_secs(30)).build().expect("a client"),
            put: Mutex::default(),
            _program: program,
        })
    }

    /// Settings of a session on one of the databases.
    pub fn settings(&self, database: &str) -> Settings {
        Settings {
            account: "org-account".into(),
            user: "findata".into(),
            key: SecretString::from(self.key.as_str()),
            role: "loader".into(),
            warehouse: "wh".into(),
            database: database.into(),
            schema: "public".into(),
            stage: "public.landing".into(),
            prefix: PREFIX.into(),
            statement_timeout: Duration::from_secs(300),
            ends_at: None,
            rows_per_slice: u64::MAX,
            retry_pause: Duration::from_millis(5),
            url: Some(self.url.clone()),
        }
    }

    /// A session on one of the databases, with an external stage.
    pub fn warehouse(&self, database: &str) -> Snowflake {
        let mut warehouse = Snowflake::new(self.settings(database)).expect("a warehouse");
        let stage = format!("create stage if not exists public.landing url = 's3://{BUCKET}/{PREFIX}/'");
        wait(warehouse.execute(&stage)).expect("a stage");
        warehouse
    }

    /// The URL of a stage in the bucket, for one database.
    pub fn stage_url(&self, database: &str) -> String {
        format!("s3://{BUCKET}/{database}")
    }

    /// The URL of the S3 beside the fake.
    pub fn s3(&self) -> &str {
        &self.s3
    }

    /// The only private key that the fake accepts.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Puts a file on the stage.
    pub fn put(&self, key: &str, body: Vec<u8>) {
        // A landing file never changes, and the emulator does not let anonymous callers overwrite
        // an object, so each file is put only once.
        if !self.put.lock().expect("no panic before").insert(key.to_owned()) {
            return;
        }
        self.put_object(&format!("/{PREFIX}/{key}"), body);
    }

    fn put_object(&self, path: &str, body: Vec<u8>) {
        let url = format!("{}/{BUCKET}{path}", self.s3);
        let done = wait(async { self.http.put(url).body(body).send().await }).expect("an answer");
        assert!(done.status().is_success(), "{path}: {}", done.status());
    }

    /// The requests so far. Each is a list whose first element is the kind of the request.
    pub fn log(&self) -> Vec<Value> {
        let url = format!("{}/_log?n=100000", self.url);
        let text =
            wait(async { self.http.get(url).send().await.expect("an answer").text().await }).expect("a text");
        let log: Value = serde_json::from_str(&text).expect("a log");
        log["log"].as_array().cloned().unwrap_or_default()
    }

    /// Writes a table of one of the databases to a Parquet file.
    pub fn export(&self, database: &str, table: &str, path: &std::path::Path) {
        let (url, path) = (format!("{}/_export", self.url), path.to_string_lossy());
        let question = [("database", database), ("table", table), ("path", &*path)];
        let answer = wait(async { self.http.get(url).query(&question).send().await }).expect("an answer");
        assert!(answer.status().is_success(), "{table}: {}", answer.status());
    }

    /// Makes the next statements of a database's sessions that match a pattern fail. Other tests may
    /// use the same server with other databases. `how` has pairs joined by `&`: `code=` and `state=`
    /// for an error, `http=` for an HTTP status (with `location=` for a redirect), `drop=1` to run the
    /// statement and lose the response, or `sql=` for statements that another session commits first.
    /// `times=` sets the number of statements.
    pub fn inject_failure(&self, database: &str, pattern: &str, how: &str) {
        let pairs = how.split('&').filter_map(|pair| pair.split_once('='));
        let question: Vec<(&str, &str)> =
            [("database", database), ("pattern", pattern)].into_iter().chain(pairs).collect();
        let url = format!("{}/_inject", self.url);
        let answer = wait(async { self.http.get(url).query(&question).send().await }).expect("an answer");
        assert!(answer.status().is_success(), "{pattern}: {}", answer.status());
    }

    /// Discards the failures of a database that were not used.
    pub fn clear_failures(&self, database: &str) {
        let request = self.http.get(format!("{}/_inject", self.url)).query(&[("database", database)]);
        wait(async { request.send().await }).expect("an answer");
    }

    /// Ends every session, as Snowflake does after hours without a request.
    pub fn expire_sessions(&self) {
        wait(async { self.http.get(format!("{}/_forget", self.url)).send().await }).expect("an answer");
    }

    /// The number of requests of a kind so far.
    pub fn requests(&self, kind: &str) -> usize {
        self.log().iter().filter(|entry| entry[0] == kind).count()
    }
}
