//! What stands in the way of a run: key, stage, warehouse and every grant that load and analytics need, each with its fix.

mod grants;

use findata_domain::{Error, Result};
use findata_models::{TABLES, hashes};
use findata_pipeline::ports::{stage::Stage, warehouse::Warehouse};
use findata_snowflake::{Settings, Snowflake};
use serde::Serialize;

/// What was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What was found, in a line.
    pub found: String,
    /// What to do; none where all is well.
    pub fix: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(what: &str, found: impl Into<String>) -> Self {
        Check { what: what.into(), found: found.into(), fix: None }
    }

    /// Something is to be done.
    pub fn failed(what: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Check { what: what.into(), found: found.into(), fix: Some(fix.into()) }
    }

    fn from_error(what: &str, error: &Error, fix: &str) -> Self {
        Check::failed(what, error.to_string(), fix)
    }
}

/// Writes to the stage, reads it back and lists it. What is written stays: a stage takes nothing back.
pub async fn stage(stage: &impl Stage, place: &str) -> Check {
    const KEY: &str = "state/doctor.json";
    let tried = async {
        stage.put_if_absent(KEY, "{}".into()).await?;
        let there = stage.get(KEY).await?.ok_or_else(|| Error::Stop("what was written is not there".into()))?;
        stage.put_if_match(KEY, there.body, &there.etag).await?;
        stage.list("state/").await
    };
    match tried.await {
        Ok(_) => Check::ok("stage", format!("{place} can be written, read and listed")),
        Err(error) => Check::from_error("stage", &error, "see what it says, then run doctor again"),
    }
}

/// Logs in to Snowflake and looks at grants and tables. Only when no grant is missing it wakes the warehouse, which is billed a
/// minute.
///
/// # Errors
/// `Config` for names that cannot be any.
pub async fn snowflake(settings: &Settings) -> Result<Vec<Check>> {
    let mut warehouse = Snowflake::new(settings.clone())?;
    let checks = looked_at(settings, &mut warehouse).await;
    let _ = warehouse.close().await;
    Ok(checks)
}

async fn looked_at(settings: &Settings, warehouse: &mut Snowflake) -> Vec<Check> {
    let mut checks = Vec::new();
    let held = match grants::held(&settings.role, warehouse).await {
        Ok(held) => held,
        Err(error) => {
            let fix = "check account, user, key and role; `findata setup-sql` makes user and role";
            return vec![Check::from_error("snowflake login", &error, fix)];
        }
    };
    let who = format!("{} as {} on {}", settings.user, settings.role, settings.account);
    checks.push(Check::ok("snowflake login", who));
    let needed = grants::needed(settings);
    let missing = grants::missing(&settings.role, &needed, &held);
    if missing.is_empty() {
        checks.push(Check::ok("grants", format!("{} has all {} that it needs", settings.role, needed.len())));
        checks.push(tables(warehouse).await);
    }
    for (what, fix) in missing {
        checks.push(Check::failed("grant", what, format!("{fix}; -- or run the script of `findata setup-sql` again")));
    }
    checks
}

/// Whether the tables are those of this version.
async fn tables(warehouse: &mut Snowflake) -> Check {
    match warehouse.query("select file, sha256 from ops.models").await {
        Err(error) => Check::from_error("tables", &error, "run the script of `findata setup-sql`"),
        Ok(rows) => {
            let known = hashes::known(rows);
            let other = hashes::hashes(TABLES).into_iter().filter(|(f, hash)| known.get(f) != Some(hash)).count();
            match other {
                0 => Check::ok("tables", format!("all {} tables and views are of this version", TABLES.len())),
                n => Check::failed(
                    "tables",
                    format!("{n} tables or views are of another version of findata"),
                    "run the script of `findata setup-sql --replace-figures`; the next run computes all figures anew",
                ),
            }
        }
    }
}
