//! The contract of the warehouse port. The same tests run on DuckDB, on the fake Snowflake, and on
//! a Snowflake account if the `SNOWFLAKE_` variables name one.

mod attempts;
pub(crate) mod command;
pub(crate) mod comparison;
pub(crate) mod contract;
mod crash_recovery;
mod custom_metrics;
mod fake;
mod fault_recovery;
mod faults;
mod full_run;
mod landing;
pub(crate) mod multi_day;
mod privileges;
mod readmission;
mod statement_grammar;
mod ticks;

use findata_duckdb::{DuckDb, MemoryLimit};
use findata_local::stage::DirectoryStage;
use findata_pipeline::{
    landing::StagedFile,
    ports::{stage::Stage, warehouse::Warehouse},
};
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{FakeSnowflake, Home, wait};
use secrecy::SecretString;

/// Five companies of the sector Technology, enough for ranks.
pub(crate) const ONE_SECTOR: [&str; 5] = ["AAPL", "MSFT", "NVDA", "SPLIT", "EURRP"];

/// The place from which a warehouse reads its landing files.
enum Files {
    Folder(Home),
    Fake(&'static FakeSnowflake),
    /// A bucket that the tests cannot write to.
    Elsewhere,
}

impl Files {
    /// Copies files from a stage to this place. Returns `false` if the tests cannot write to it.
    async fn copy_files(&self, stage: &DirectoryStage, files: &[StagedFile]) -> bool {
        for file in files {
            let body = stage.get(&file.key).await.unwrap().unwrap().body.to_vec();
            match self {
                Files::Folder(home) => {
                    DirectoryStage::open(&home.stage())
                        .unwrap()
                        .put_if_absent(&file.key, body.into())
                        .await
                        .unwrap();
                }
                Files::Fake(fake) => {
                    let key = file.key.clone();
                    tokio::task::block_in_place(|| fake.put(&key, body));
                }
                Files::Elsewhere => return false,
            }
        }
        true
    }
}

fn duckdb() -> (DuckDb, Files) {
    let home = Home::new();
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    (
        DuckDb::open(&home.warehouse(), stage.root(), MemoryLimit::of_machine(), findata_tests::models())
            .unwrap(),
        Files::Folder(home),
    )
}

fn fake(database: &str) -> Option<(Snowflake, Files)> {
    let fake = FakeSnowflake::shared()?;
    Some((fake.warehouse(database), Files::Fake(fake)))
}

/// A session on a real account. The account needs a database reserved for tests, with an external
/// stage.
#[expect(clippy::disallowed_methods, reason = "test entry points may read the environment")]
fn account(_: &str) -> Option<(Snowflake, Files)> {
    let variable =
        |name: &str| std::env::var(format!("SNOWFLAKE_{name}")).ok().filter(|text| !text.is_empty());
    let required = ["ACCOUNT", "USER", "PRIVATE_KEY", "ROLE", "WAREHOUSE", "DATABASE"];
    let missing: Vec<&str> = required.into_iter().filter(|name| variable(name).is_none()).collect();
    if !missing.is_empty() {
        println!("skipped: no Snowflake account; missing SNOWFLAKE_{}", missing.join(", SNOWFLAKE_"));
        return None;
    }
    let text = |name: &str| variable(name).unwrap_or_default();
    let settings = Settings {
        rows_per_slice: u64::MAX,
        account: text("ACCOUNT"),
        user: text("USER"),
        key: SecretString::from(text("PRIVATE_KEY")),
        role: text("ROLE"),
        warehouse: text("WAREHOUSE"),
        database: text("DATABASE"),
        schema: variable("SCHEMA").unwrap_or_else(|| "public".into()),
        stage: variable("STAGE").unwrap_or_else(|| "public.landing".into()),
        prefix: text("STAGE_PREFIX"),
        statement_timeout: std::time::Duration::from_secs(300),
        ends_at: None,
        retry_pause: std::time::Duration::from_millis(500),
        url: None,
    };
    Some((Snowflake::new(settings).unwrap(), Files::Elsewhere))
}

/// Ends a session.
fn close(warehouse: &mut impl Warehouse) {
    wait(warehouse.close()).unwrap();
}

/// Generates each test once per warehouse.
macro_rules! on_every_warehouse {
    ($($contract:ident),* $(,)?) => {
        mod on_duckdb {
            $(#[test]
            fn $contract() {
                let (mut warehouse, files) = super::super::duckdb();
                super::super::wait(super::$contract(&mut warehouse, &files));
            })*
        }
        mod on_the_fake {
            $(#[test]
            fn $contract() {
                let Some((mut warehouse, files)) = super::super::fake(stringify!($contract)) else { return };
                super::super::wait(super::$contract(&mut warehouse, &files));
                super::super::close(&mut warehouse);
            })*
        }
        mod on_an_account {
            $(#[test]
            fn $contract() {
                let Some((mut warehouse, files)) = super::super::account(stringify!($contract)) else { return };
                super::super::wait(super::$contract(&mut warehouse, &files));
                super::super::close(&mut warehouse);
            })*
        }
    };
}
use on_every_warehouse;
