//! The warehouse on Snowflake: one session, opened by the first statement, one statement at a time.
//!
//! The client is crate `snowflake-api`; `wire` stands between it and the network and adds what it leaves out, `answer` and
//! `failure` read what Snowflake says, `sql` writes what it wants written its own way. Nothing of the client's leaves this
//! module.

mod answer;
mod failure;
mod middleware;
mod settings;
mod sql;

pub use settings::SECRET_VARIABLE;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

// Only for its features: they cap what crates may log, so that the client's lines with tokens are not compiled in.
use log as _;
use middleware::{Call, Wire, lock};
use reqwest::{Client, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use snowflake_api::{
    AuthArgs, AuthType, CertificateArgs, QueryResult, SnowflakeApi, SnowflakeApiBuilder, SnowflakeApiError,
};

use findata_domain::{Error, Result, catalog::Dataset};
use findata_pipeline::{
    landing::StagedFile,
    ports::warehouse::Warehouse,
    run::RunId,
    usage::{AUTO_SUSPEND, Statement, Usage},
};

/// Snowflake answers "not finished yet" after 45 seconds; an answer takes longer only when it is lost.
const TO_ANSWER: Duration = Duration::from_secs(75);
/// What closing the session may take.
const TO_CLOSE: Duration = Duration::from_secs(10);

const UNREADABLE_KEY: &str = "the Snowflake key cannot be read: it must be PKCS#8 PEM without a pass phrase";

/// Where and as whom to work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Account, as `organisation-account`.
    pub account: String,
    /// User; one of TYPE = SERVICE.
    pub user: String,
    /// The private key as PEM: PKCS#8, without a pass phrase.
    pub key: SecretString,
    /// Role.
    pub role: String,
    /// Virtual warehouse.
    pub warehouse: String,
    /// Database of the four schemas.
    pub database: String,
    /// Schema in which temporary tables are made; the role needs CREATE TEMPORARY TABLE there.
    pub schema: String,
    /// The external stage over the folder in which the stage's keys are, with its schema.
    pub stage: String,
    /// That folder inside its bucket; empty for the bucket itself.
    pub prefix: String,
    /// What one statement may take.
    pub statement_timeout: Duration,
    /// When all must have ended, where the caller's time is limited: no statement gets more than what is left.
    pub ends_at: Option<Instant>,
    /// The pause before a request is sent a second time; each further one is twice as long.
    pub retry_pause: Duration,
    /// Another address than the account's own.
    pub url: Option<String>,
}

/// A session on Snowflake.
pub struct Snowflake {
    settings: Settings,
    base: Url,
    http: Client,
    call: Arc<Mutex<Call>>,
    session: Option<SnowflakeApi>,
    /// What only this session has, so that another cannot take its place.
    in_transaction: bool,
    has_temporary: bool,
    /// What the statements are part of.
    step: String,
    usage: Usage,
    /// When the last statement ended.
    last_ended: Option<Instant>,
}

impl Snowflake {
    /// A warehouse that is not called yet.
    ///
    /// # Errors
    /// `Config` for a name or an address that cannot be one; all of them are named.
    pub fn new(settings: Settings) -> Result<Self> {
        let base = check(&settings)?;
        // The first caller installs the one crypto provider of the process; later calls find it there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("findata/", env!("CARGO_PKG_VERSION")))
            .gzip(true)
            // A redirect would carry the token to another host.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(TO_ANSWER)
            .build()
            .map_err(|e| Error::Config(format!("cannot set up HTTPS: {e}")))?;
        Ok(Snowflake {
            settings,
            base,
            http,
            call: Arc::new(Mutex::new(Call::new(Instant::now()))),
            session: None,
            in_transaction: false,
            has_temporary: false,
            step: String::new(),
            usage: Usage::default(),
            last_ended: None,
        })
    }

    /// What the layer says of a failure; the client knows less.
    fn failure(&self, error: &impl std::fmt::Display) -> Error {
        let told = lock(&self.call).failed.take();
        told.unwrap_or_else(|| Error::Stop(format!("the Snowflake client fails: {error}")))
    }

    fn open(&mut self) -> Result<&SnowflakeApi> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.client()?,
        };
        Ok(self.session.insert(session))
    }

    /// A client without a session; it opens one with its first statement.
    fn client(&self) -> Result<SnowflakeApi> {
        let own = &self.settings;
        let wire = Wire::new(self.base.clone(), self.http.clone(), own.retry_pause, Arc::clone(&self.call));
        let client = reqwest_middleware::ClientBuilder::new(self.http.clone()).with(wire).build();
        let auth = AuthArgs {
            account_identifier: own.account.clone(),
            warehouse: Some(own.warehouse.clone()),
            database: Some(own.database.clone()),
            schema: Some(own.schema.clone()),
            username: own.user.clone(),
            role: Some(own.role.clone()),
            auth_type: AuthType::Certificate(CertificateArgs { private_key_pem: own.key.expose_secret().into() }),
        };
        SnowflakeApiBuilder::new(auth)
            .with_client(client)
            .build()
            .map_err(|_| Error::Config("the Snowflake client cannot be set up".into()))
    }

    /// Runs a statement; on another session where the one before is gone and left nothing behind that this one needs.
    async fn run(&mut self, sql: &str) -> Result<Rows> {
        let begun = Instant::now();
        let done = match self.run_once(sql).await {
            Err(error) if lock(&self.call).session_is_gone => {
                let replaceable = !self.in_transaction && !self.has_temporary;
                self.session = None;
                (self.in_transaction, self.has_temporary) = (false, false);
                if replaceable { self.run_once(sql).await } else { Err(error) }
            }
            done => done,
        };
        self.note(begun, done.is_ok());
        let head: String = sql.chars().take(100).collect();
        tracing::debug!(seconds = begun.elapsed().as_secs_f64(), head, "statement");
        let done = done?;
        match Word::of(sql) {
            Word::Begin => self.in_transaction = true,
            Word::End => self.in_transaction = false,
            Word::Temporary => self.has_temporary = true,
            Word::Other => {}
        }
        Ok(done)
    }

    /// Counts a statement; a pause in which the warehouse suspends itself ends a span.
    fn note(&mut self, begun: Instant, succeeded: bool) {
        let now = Instant::now();
        let query_id = lock(&self.call).query_id.take();
        let seconds = now.duration_since(begun).as_secs_f64();
        let pause = self.last_ended.map(|ended| begun.saturating_duration_since(ended).as_secs_f64());
        self.usage.statements += 1;
        match pause.filter(|pause| *pause < AUTO_SUSPEND) {
            Some(pause) => self.usage.seconds += pause + seconds,
            None => {
                self.usage.resumes += 1;
                self.usage.seconds += seconds;
            }
        }
        self.last_ended = Some(now);
        if let Some(query_id) = query_id {
            self.usage.log.push(Statement { query_id, step: self.step.clone(), seconds, succeeded });
        }
    }

    async fn run_once(&mut self, sql: &str) -> Result<Rows> {
        let deadline = Instant::now() + self.settings.statement_timeout;
        let deadline = self.settings.ends_at.map_or(deadline, |end| end.min(deadline));
        lock(&self.call).begin(deadline);
        let done = self.open()?.exec(&sql::translated(sql)).await;
        match done {
            Ok(QueryResult::Json(json)) => {
                Ok(Rows { columns: json.schema.into_iter().map(|f| f.name).collect(), values: texts(json.value)? })
            }
            Ok(QueryResult::Empty) => Ok(Rows::default()),
            Ok(QueryResult::Arrow(_)) => Err(Error::Stop("Snowflake answers with Arrow".into())),
            Err(SnowflakeApiError::AuthError(_)) => {
                let told = lock(&self.call).failed.take();
                // Nobody was asked: it is the key that cannot be read. The client's words are not repeated, they may quote it.
                Err(told.unwrap_or_else(|| Error::Config(UNREADABLE_KEY.into())))
            }
            Err(error) => Err(self.failure(&error)),
        }
    }
}

/// What a statement leaves in its session.
enum Word {
    Begin,
    End,
    Temporary,
    Other,
}

impl Word {
    fn of(sql: &str) -> Word {
        let words: Vec<String> = sql.split_whitespace().take(5).map(str::to_ascii_lowercase).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["begin", ..] => Word::Begin,
            ["commit" | "rollback", ..] => Word::End,
            ["create", rest @ ..] if rest.iter().take(3).any(|word| *word == "temporary") => Word::Temporary,
            _ => Word::Other,
        }
    }
}

/// An answer's rows.
#[derive(Default)]
struct Rows {
    columns: Vec<String>,
    values: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// Rows that a statement changed, as its only row counts them.
    fn changed(&self) -> u64 {
        let counts = |name: &str| {
            ["inserted", "updated", "deleted"]
                .iter()
                .any(|what| name.eq_ignore_ascii_case(&format!("number of rows {what}")))
        };
        let number = |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
        let row = self.values.first().map(Vec::as_slice).unwrap_or_default();
        self.columns.iter().zip(row).filter(|(name, _)| counts(name)).map(|(_, cell)| number(cell)).sum()
    }
}

fn texts(rows: Value) -> Result<Vec<Vec<Option<String>>>> {
    let wrong = || Error::Stop("Snowflake answers with rows that are no lists of texts".into());
    let cell = |cell: Value| match cell {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(_) | Value::Bool(_) => Ok(Some(cell.to_string())),
        Value::Array(_) | Value::Object(_) => Err(wrong()),
    };
    let row = |row: Value| match row {
        Value::Array(cells) => cells.into_iter().map(cell).collect(),
        _ => Err(wrong()),
    };
    match rows {
        Value::Array(rows) => rows.into_iter().map(row).collect(),
        _ => Err(wrong()),
    }
}

impl Warehouse for Snowflake {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        Ok(self.run(sql).await?.changed())
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        Ok(self.run(sql).await?.values)
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        for insert in sql::inserts(table, &rows) {
            self.run(&insert).await?;
        }
        Ok(())
    }

    async fn copy_in(&mut self, dataset: &'static Dataset, files: &[StagedFile]) -> Result<()> {
        for statement in sql::copies(dataset, files, &self.settings.stage, &self.settings.prefix) {
            self.run(&statement).await?;
        }
        Ok(())
    }

    async fn release(&mut self, _: &[&str]) -> Result<()> {
        Ok(())
    }

    fn begin_step(&mut self, run: &RunId, function: &'static str, step: &str) {
        self.step = step.to_owned();
        let tag = json!({ "app": "findata", "run": run.as_str(), "function": function, "step": step });
        lock(&self.call).tag = tag.to_string();
    }

    fn take_usage(&mut self) -> Usage {
        std::mem::take(&mut self.usage)
    }

    fn is_billed(&self) -> bool {
        true
    }

    /// Ends the session, if one is open. Its temporary tables and uncommitted work are gone. If Snowflake
    /// does not receive the request, it ends the session itself after four hours.
    async fn close(&mut self) -> Result<()> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        (self.in_transaction, self.has_temporary) = (false, false);
        lock(&self.call).begin(Instant::now() + TO_CLOSE);
        session.close_session().await.map_err(|e| self.failure(&e))
    }
}

/// Checks every name and gives the address.
fn check(settings: &Settings) -> Result<Url> {
    let identifier = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
            && !text.starts_with(|c: char| c.is_ascii_digit() || c == '$')
    };
    let account =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    // A user's name may be an address; it stays in the login.
    let user = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"');
    let stage = |text: &str| (1..=3).contains(&text.split('.').count()) && text.split('.').all(identifier);
    // It never stands in a statement, but names that no bucket needs are refused all the same.
    let prefix = |text: &str| {
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '='))
        };
        text.is_empty() || text.split('/').all(part)
    };
    let wrong: Vec<String> = [
        ("account", settings.account.as_str(), account(&settings.account)),
        ("user", &settings.user, user(&settings.user)),
        ("role", &settings.role, identifier(&settings.role)),
        ("warehouse", &settings.warehouse, identifier(&settings.warehouse)),
        ("database", &settings.database, identifier(&settings.database)),
        ("schema", &settings.schema, identifier(&settings.schema)),
        ("stage", &settings.stage, stage(&settings.stage)),
        ("prefix", &settings.prefix, prefix(&settings.prefix)),
    ]
    .into_iter()
    .filter(|(_, _, right)| !right)
    .map(|(name, text, _)| format!("{text:?} is no {name} of Snowflake's"))
    // Its text is not repeated.
    .chain((!settings.key.expose_secret().contains("BEGIN PRIVATE KEY")).then(|| UNREADABLE_KEY.to_owned()))
    .collect();
    if !wrong.is_empty() {
        return Err(Error::Config(wrong.join("; ")));
    }
    // Host names have no underscore.
    let own = || format!("https://{}.snowflakecomputing.com", settings.account.replace('_', "-").to_ascii_lowercase());
    let base = settings.url.clone().unwrap_or_else(own);
    let loopback = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match Url::parse(&base) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && loopback(&url)) => Ok(url),
        _ => Err(Error::Config("Snowflake's address must begin with https://".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            account: "org-account".into(),
            user: "findata".into(),
            key: SecretString::from("-----BEGIN PRIVATE KEY-----"),
            role: "loader".into(),
            warehouse: "wh".into(),
            database: "findata".into(),
            schema: "ops".into(),
            stage: "ops.landing".into(),
            prefix: "home".into(),
            statement_timeout: Duration::from_secs(1),
            ends_at: None,
            retry_pause: Duration::from_millis(1),
            url: None,
        }
    }

    #[test]
    fn names_are_checked_all_at_once() {
        assert_eq!(check(&settings()).unwrap().as_str(), "https://org-account.snowflakecomputing.com/");
        let wrong = Settings { stage: "x; drop".into(), database: "a'b".into(), ..settings() };
        let Err(Error::Config(text)) = check(&wrong) else { panic!("taken") };
        assert!(text.contains("\"x; drop\" is no stage") && text.contains("is no database"), "{text}");
    }

    #[test]
    fn tokens_never_travel_unencrypted() {
        let to = |url: &str| check(&Settings { url: Some(url.into()), ..settings() });
        assert!(to("http://127.0.0.1:1").is_ok());
        assert!(to("http://example.com").is_err());
    }

    #[test]
    fn the_key_is_not_shown() {
        let settings = Settings { key: SecretString::from("s3cret"), ..settings() };
        assert!(!format!("{settings:?}").contains("s3cret"));
        let Err(Error::Config(text)) = check(&settings) else { panic!("taken") };
        assert_eq!(text, UNREADABLE_KEY);
    }

    #[test]
    fn what_a_session_holds_is_seen() {
        assert!(matches!(Word::of("create or replace temporary table x (a int)"), Word::Temporary));
        assert!(matches!(Word::of("create table x as select 'temporary'"), Word::Other));
        assert!(matches!(Word::of(" BEGIN transaction"), Word::Begin));
        assert!(matches!(Word::of("commit"), Word::End));
    }
}
