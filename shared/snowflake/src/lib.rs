//! The warehouse, implemented on Snowflake. The first statement opens a session, which runs one statement at a time.
//!
//! The client is the crate `snowflake-api`. `middleware` handles its requests and adds features that the client lacks.
//! `response` and `failure` interpret Snowflake's responses. `sql` generates SQL in Snowflake's dialect. This crate
//! exports no type of the client.

mod failure;
mod middleware;
mod response;
mod rows;
mod settings;
mod sql;
mod statement;
mod transport;

pub use settings::{SECRET_VARIABLE, Settings};

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use failure::Rejection;
// Imported only to set features of `log` that disable low log levels at compile time. At these levels, the client logs
// tokens.
use log as _;
use middleware::SessionMiddleware;
use reqwest::{Client, Url, redirect};
use rows::Rows;
use secrecy::ExposeSecret;
use serde_json::json;
use settings::UNREADABLE_KEY;
use snowflake_api::{
    AuthArgs, AuthType, CertificateArgs, QueryResult, SnowflakeApi, SnowflakeApiBuilder, SnowflakeApiError,
};
use statement::{StatementKind, StatementState, lock};

use findata_domain::{Error, Result, catalog::Column};
use findata_pipeline::{
    landing::StagedFile,
    ports::warehouse::{Statement, Warehouse},
    run::RunId,
    usage::{self, AUTO_SUSPEND, Usage},
};

/// Timeout of one request. Snowflake responds within 45 seconds, even if the statement is still running. A response
/// that takes longer than this timeout counts as lost.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(75);
/// Time limit for closing the session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A session on Snowflake.
pub struct Snowflake {
    settings: Settings,
    base: Url,
    http: Client,
    statement: Arc<Mutex<StatementState>>,
    session: Option<SnowflakeApi>,
    /// Whether a transaction is open. A new session cannot continue it.
    in_transaction: bool,
    /// Whether the session has temporary tables. A new session does not have them.
    has_temporary: bool,
    /// The step to which the statements belong.
    step: String,
    usage: Usage,
    /// When the last statement ended.
    last_ended: Option<Instant>,
    /// Whether a login fails if the warehouse, the database or the schema does not exist.
    is_validated: bool,
}

impl Snowflake {
    /// Creates the adapter. Sends no request.
    ///
    /// # Errors
    /// `Config` that names every invalid setting.
    pub fn new(settings: Settings) -> Result<Self> {
        let base = settings::check(&settings)?;
        // The first call installs the process-wide crypto provider; later calls have no effect.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("findata/", env!("CARGO_PKG_VERSION")))
            .gzip(true)
            // `transport` follows redirects, but not to other hosts.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(RESPONSE_TIMEOUT)
            .build()
            .map_err(|e| Error::Config(format!("cannot set up HTTPS: {e}")))?;
        Ok(Snowflake {
            settings,
            base,
            http,
            statement: Arc::new(Mutex::new(StatementState::new(Instant::now()))),
            session: None,
            in_transaction: false,
            has_temporary: false,
            step: String::new(),
            usage: Usage::default(),
            last_ended: None,
            is_validated: true,
        })
    }

    /// Allows a login with a warehouse, database or schema that does not exist, to find out what is missing.
    #[must_use]
    pub fn without_validation(self) -> Self {
        Snowflake { is_validated: false, ..self }
    }

    /// The error that the middleware recorded, which is more precise than the client's error.
    fn failure(&self, error: &impl std::fmt::Display) -> Error {
        let recorded = lock(&self.statement).error.take();
        recorded.unwrap_or_else(|| Error::Stop(format!("the Snowflake client failed: {error}")))
    }

    /// Returns the current session. Creates one if there is none.
    fn session(&mut self) -> Result<&SnowflakeApi> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.client()?,
        };
        Ok(self.session.insert(session))
    }

    /// Creates a client. It logs in when it sends its first statement.
    fn client(&self) -> Result<SnowflakeApi> {
        let settings = &self.settings;
        let middleware = SessionMiddleware::new(
            self.base.clone(),
            self.http.clone(),
            settings.retry_pause,
            Arc::clone(&self.statement),
            self.is_validated,
        );
        let client = reqwest_middleware::ClientBuilder::new(self.http.clone()).with(middleware).build();
        let auth = AuthArgs {
            account_identifier: settings.account.clone(),
            warehouse: Some(settings.warehouse.clone()),
            database: Some(settings.database.clone()),
            schema: Some(settings.schema.clone()),
            username: settings.user.clone(),
            role: Some(settings.role.clone()),
            auth_type: AuthType::Certificate(CertificateArgs {
                private_key_pem: settings.key.expose_secret().into(),
            }),
        };
        SnowflakeApiBuilder::new(auth)
            .with_client(client)
            .build()
            .map_err(|_| Error::Config("the Snowflake client cannot be set up".into()))
    }

    /// Runs statements with one request. If the session has ended, repeats them in a new session, unless the old
    /// session had an open transaction or temporary tables.
    async fn run(&mut self, statements: &[Statement<'_>]) -> Result<Rows> {
        let begun = Instant::now();
        let result = match self.run_once(statements).await {
            Err(error) if lock(&self.statement).session_ended => {
                let replaceable = !self.in_transaction && !self.has_temporary;
                self.session = None;
                (self.in_transaction, self.has_temporary) = (false, false);
                if replaceable { self.run_once(statements).await } else { Err(error) }
            }
            result => result,
        };
        self.count(statements, begun, result.is_ok());
        let failed_batch = lock(&self.statement).failed_batch.take();
        let result = match (result, failed_batch) {
            (Err(error), Some(query_id)) => Err(self.cause(&query_id).await.unwrap_or(error)),
            (result, _) => result,
        };
        let head: String = statements.first().map(|s| s.sql.chars().take(100).collect()).unwrap_or_default();
        tracing::debug!(
            seconds = begun.elapsed().as_secs_f64(),
            statements = statements.len(),
            statement = head,
            "statement"
        );
        // If one of several statements has failed, those before it have been executed.
        let is_executed = |kind: &StatementKind| {
            let may_be = matches!(kind, StatementKind::CreateTemporary | StatementKind::BeginTransaction);
            result.is_ok() || (statements.len() > 1 && may_be && self.session.is_some())
        };
        for kind in statements.iter().map(|s| StatementKind::of(s.sql)).filter(is_executed) {
            match kind {
                StatementKind::BeginTransaction => self.in_transaction = true,
                StatementKind::EndTransaction => self.in_transaction = false,
                StatementKind::CreateTemporary => self.has_temporary = true,
                StatementKind::Other => {}
            }
        }
        result
    }

    /// The error of the failed statement of a batch, which has this query id; `None` if the query history lacks it.
    async fn cause(&mut self, batch: &str) -> Option<Error> {
        let sql = sql::failure_within(batch);
        let rows = self.run_once(&[Statement { step: "", sql: &sql }]).await.ok()?;
        let [query_id, code, message] = <[_; 3]>::try_from(rows.values.into_iter().next()?).ok()?;
        let rejection = Rejection {
            code: code?,
            sql_state: String::new(),
            query_id: query_id.unwrap_or_default(),
            message: message.unwrap_or_default(),
        };
        Some(rejection.error())
    }

    async fn run_one(&mut self, sql: &str) -> Result<Rows> {
        self.run(&[Statement { step: "", sql }]).await
    }

    /// Adds the statements of a request to the usage. Also adds the pause before the request, unless the pause was so
    /// long that the virtual warehouse suspended itself: Snowflake does not bill a suspended warehouse.
    fn count(&mut self, statements: &[Statement<'_>], begun: Instant, succeeded: bool) {
        let now = Instant::now();
        let query_ids = std::mem::take(&mut lock(&self.statement).query_ids);
        let seconds = now.duration_since(begun).as_secs_f64();
        let pause = self.last_ended.map(|ended| begun.saturating_duration_since(ended).as_secs_f64());
        let number = statements.len() as u64;
        self.usage.requests += 1;
        self.usage.statements += number;
        match pause.filter(|pause| *pause < AUTO_SUSPEND) {
            Some(pause) => self.usage.seconds += pause + seconds,
            None => {
                self.usage.resumes += 1;
                self.usage.seconds += seconds;
            }
        }
        self.last_ended = Some(now);
        // The duration of each statement is in Snowflake's query history; the response has that of all.
        let seconds = seconds / number.max(1) as f64;
        for (query_id, statement) in query_ids.into_iter().zip(statements) {
            let step = if statement.step.is_empty() {
                self.step.as_str()
            } else {
                statement.step
            };
            let step = step.to_owned();
            self.usage.log.push(usage::Statement { query_id, step, seconds, succeeded });
        }
    }

    async fn run_once(&mut self, statements: &[Statement<'_>]) -> Result<Rows> {
        let timeout = self.settings.statement_timeout * statements.len().try_into().unwrap_or(1);
        let deadline = Instant::now() + timeout;
        let deadline = self.settings.ends_at.map_or(deadline, |end| end.min(deadline));
        lock(&self.statement).begin(deadline, statements.len());
        let result = self.session()?.exec(&sql::join(statements.iter().map(|s| s.sql))).await;
        match result {
            Ok(QueryResult::Json(json)) => {
                Rows::new(json.schema.into_iter().map(|field| field.name).collect(), json.value)
            }
            Ok(QueryResult::Empty) => Ok(Rows::default()),
            Ok(QueryResult::Arrow(_)) => {
                Err(Error::Stop("Snowflake returned Arrow data, which findata does not support".into()))
            }
            Err(SnowflakeApiError::AuthError(_)) => {
                let recorded = lock(&self.statement).error.take();
                // If no error was recorded, no request was sent, because the key cannot be read. The client's message
                // is omitted, because it may contain the key.
                Err(recorded.unwrap_or_else(|| Error::Config(UNREADABLE_KEY.into())))
            }
            Err(error) => Err(self.failure(&error)),
        }
    }
}

impl Warehouse for Snowflake {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        Ok(self.run_one(sql).await?.changed())
    }

    fn sends_batches(&self) -> bool {
        true
    }

    async fn execute_all(&mut self, statements: &[Statement<'_>]) -> Result<()> {
        for request in sql::requests(statements) {
            self.run(request).await?;
        }
        Ok(())
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        Ok(self.run_one(sql).await?.values)
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        for insert in sql::inserts(table, &rows) {
            self.run_one(&insert).await?;
        }
        Ok(())
    }

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        sql::copies(columns, files, &self.settings.stage, &self.settings.prefix)
    }

    async fn release(&mut self, _: &[&str]) -> Result<()> {
        Ok(())
    }

    fn rows_per_slice(&self) -> u64 {
        match self.settings.ends_at {
            Some(_) => self.settings.rows_per_slice,
            None => u64::MAX,
        }
    }

    fn ends_at(&self) -> Option<Instant> {
        self.settings.ends_at
    }

    fn begin_step(&mut self, run: &RunId, function: &'static str, step: &str) {
        self.step = step.to_owned();
        let tag = json!({ "app": "findata", "run": run.as_str(), "function": function, "step": step });
        lock(&self.statement).tag = tag.to_string();
    }

    fn take_usage(&mut self) -> Usage {
        std::mem::take(&mut self.usage)
    }

    fn is_billed(&self) -> bool {
        true
    }

    /// Ends the session, if one is open. Its temporary tables and uncommitted changes are lost. If the request does not
    /// reach Snowflake, Snowflake ends the session after four hours.
    async fn close(&mut self) -> Result<()> {
        let Some(mut session) = self.session.take() else {
            return Ok(());
        };
        (self.in_transaction, self.has_temporary) = (false, false);
        lock(&self.statement).begin(Instant::now() + CLOSE_TIMEOUT, 1);
        session.close_session().await.map_err(|e| self.failure(&e))
    }
}
