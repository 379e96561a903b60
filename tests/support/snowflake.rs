//! The double of Snowflake, with an S3 beside it, both in one process of Python.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use findata_shared::warehouse::{
    Warehouse,
    snowflake::{Settings, Snowflake},
};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::Value;

use super::{
    python::{self, Program},
    wait,
};

/// The bucket, and the folder in it that the stages are over.
const BUCKET: &str = "findata";
const PREFIX: &str = "some/home";

/// A running double with nothing in it; it ends when dropped, or with the tests.
pub struct Double {
    _program: Program,
    url: String,
    s3: String,
    key: String,
    http: Client,
    put: Mutex<HashSet<String>>,
}

impl Double {
    /// The Python that `./dev test` has prepared; `None`, and a word about it, where there is none.
    pub fn python() -> Option<PathBuf> {
        python::prepared("FINDATA_TEST_PYTHON", "tests/snowflake/requirements.txt")
    }

    /// The one that tests share, each with a database of its own; `None`, and a word about it, where there is no Python for it.
    pub fn shared() -> Option<&'static Double> {
        static SHARED: OnceLock<Option<Double>> = OnceLock::new();
        SHARED.get_or_init(|| Double::start(&[])).as_ref()
    }

    /// One of its own, with these options; `None` where there is no Python for it.
    pub fn start(options: &[&str]) -> Option<Double> {
        let double = Self::with(options)?;
        double.put_object("", Vec::new());
        Some(double)
    }

    /// One that reads from another S3; `None` where there is no Python for it.
    pub fn beside(s3: &str) -> Option<Double> {
        Self::with(&["--s3-endpoint", s3])
    }

    /// The client of what it is asked beside its wire.
    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    fn with(options: &[&str]) -> Option<Double> {
        let python = Self::python()?;
        let options = ["--new-key", "key.pem"].iter().chain(options);
        let mut program = Program::start(&python, "snowflake/fake_snowflake.py", options);
        let ready = program.said();
        let text = |name: &str| ready[name].as_str().expect("an address").to_owned();
        Some(Double {
            url: text("url"),
            s3: text("s3"),
            key: std::fs::read_to_string(program.folder().join("key.pem")).expect("a key"),
            http: Client::builder().timeout(Duration::from_secs(30)).build().expect("a client"),
            put: Mutex::default(),
            _program: program,
        })
    }

    /// What a session on one of its databases is built from.
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
            retry_pause: Duration::from_millis(5),
            url: Some(self.url.clone()),
        }
    }

    /// A session on one of its databases, with the external stage there.
    pub fn warehouse(&self, database: &str) -> Snowflake {
        let mut warehouse = Snowflake::new(self.settings(database)).expect("a warehouse");
        let stage = format!("create stage if not exists public.landing url = 's3://{BUCKET}/{PREFIX}/'");
        wait(warehouse.execute(&stage)).expect("a stage");
        warehouse
    }

    /// A place in the bucket for one database's stage.
    pub fn place(&self, database: &str) -> String {
        format!("s3://{BUCKET}/{database}")
    }

    /// The address of the S3 beside it.
    pub fn s3(&self) -> &str {
        &self.s3
    }

    /// The only key that it lets in.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Puts a file on the stage.
    pub fn put(&self, key: &str, body: Vec<u8>) {
        // It refuses strangers to write over what is there, and a landing file is the same for good.
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

    /// What it was asked so far: lists that begin with the kind of request.
    pub fn log(&self) -> Vec<Value> {
        let url = format!("{}/_log?n=100000", self.url);
        let text = wait(async { self.http.get(url).send().await.expect("an answer").text().await }).expect("a text");
        let log: Value = serde_json::from_str(&text).expect("a log");
        log["log"].as_array().cloned().unwrap_or_default()
    }

    /// Writes a table of one of its databases to a Parquet file.
    pub fn export(&self, database: &str, table: &str, path: &std::path::Path) {
        let (url, path) = (format!("{}/_export", self.url), path.to_string_lossy());
        let question = [("database", database), ("table", table), ("path", &*path)];
        let answer = wait(async { self.http.get(url).query(&question).send().await }).expect("an answer");
        assert!(answer.status().is_success(), "{table}: {}", answer.status());
    }

    /// Makes the next statements that match a pattern fail: with `code=` and `state=`, with `http=`, or with `drop=1` after they are
    /// done; `times=` says how many.
    pub fn inject(&self, pattern: &str, how: &str) {
        let pairs = how.split('&').filter_map(|pair| pair.split_once('='));
        let question: Vec<(&str, &str)> = std::iter::once(("pattern", pattern)).chain(pairs).collect();
        let url = format!("{}/_inject", self.url);
        let answer = wait(async { self.http.get(url).query(&question).send().await }).expect("an answer");
        assert!(answer.status().is_success(), "{pattern}: {}", answer.status());
    }

    /// Makes every session end, as when nobody has spoken for hours.
    pub fn forget_sessions(&self) {
        wait(async { self.http.get(format!("{}/_forget", self.url)).send().await }).expect("an answer");
    }

    /// How many requests of a kind it got.
    pub fn requests(&self, kind: &str) -> usize {
        self.log().iter().filter(|entry| entry[0] == kind).count()
    }
}
