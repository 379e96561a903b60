//! Checks the requirements of a run: the stage, the Snowflake login, the tables, and every grant of
//! load and analytics. A failed check suggests a fix.

mod aws;
mod data_dir;
mod fmp;
mod grants;

pub use aws::aws;
pub use data_dir::data_dir;
use findata_domain::{Error, Result, schema_version};
use findata_models::{Models, hashes};
use findata_pipeline::ports::{stage::Stage, warehouse::Warehouse};
use findata_snowflake::{Settings, Snowflake};
pub use fmp::probe;
pub use grants::owner;
use serde::Serialize;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// What was found, on one line.
    pub found: String,
    /// How to fix a failed check; `None` if it passed.
    pub fix: Option<String>,
}

impl Check {
    /// Creates the result of a check that passed.
    pub fn ok(what: &str, found: impl Into<String>) -> Self {
        Check { what: what.into(), found: found.into(), fix: None }
    }

    /// Creates the result of a check that failed.
    pub fn failed(what: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Check {
            what: what.into(),
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    fn from_error(what: &str, error: &Error, fix: &str) -> Self {
        Check::failed(what, error.to_string(), fix)
    }
}

/// Checks that the stage can be written, read and listed, without creating an object: S3 checks the
/// permissions of a write before its condition, which no object fulfils.
pub async fn stage(stage: &impl Stage, location: &str) -> Check {
    const KEY: &str = "state/doctor.json";
    let attempt = async {
        stage.put_if_match(KEY, "{}".into(), "\"no object has this tag\"").await?;
        stage.get(KEY).await?;
        stage.list("state/").await
    };
    match attempt.await {
        Ok(_) => Check::ok("stage", format!("{location} can be written, read and listed")),
        Err(error) => Check::from_error(
            "stage",
            &error,
            "fix the problem that the message names, then run `findata doctor` again",
        ),
    }
}

/// Logs in to Snowflake and checks grants and tables. The tables are checked only if no grant is
/// missing, because that check resumes the warehouse, which is billed for at least a minute.
///
/// # Errors
/// `Config` for invalid object names.
pub async fn snowflake(settings: &Settings, models: &Models) -> Result<Vec<Check>> {
    // A login that is validated would fail without naming the missing grant.
    let mut warehouse = Snowflake::new(settings.clone())?.without_validation();
    let checks = snowflake_checks(settings, &mut warehouse, models).await;
    let _ = warehouse.close().await;
    Ok(checks)
}

async fn snowflake_checks(settings: &Settings, warehouse: &mut Snowflake, models: &Models) -> Vec<Check> {
    let mut checks = Vec::new();
    let held = match grants::held(&settings.role, warehouse).await {
        Ok(held) => held,
        Err(error) => {
            let fix =
                "check account, user, key and role; the script of `findata setup-sql` creates user and role";
            return vec![Check::from_error("snowflake login", &error, fix)];
        }
    };
    let login = format!("{} as {} on {}", settings.user, settings.role, settings.account);
    checks.push(Check::ok("snowflake login", login));
    let needed = grants::needed(settings, models);
    let missing = grants::missing(&settings.role, &needed, &held);
    if missing.is_empty() {
        checks.push(Check::ok(
            "grants",
            format!("{} has all {} grants that it needs", settings.role, needed.len()),
        ));
        checks.push(stage_access(settings, warehouse).await);
        checks.push(tables(warehouse, models).await);
    }
    for (what, fix) in missing {
        checks.push(Check::failed(
            "grant",
            what,
            format!("{fix}; -- or run the script of `findata setup-sql` again"),
        ));
    }
    checks
}

/// Checks that Snowflake may assume the AWS role and list the landing files. Lists a folder without files, because a
/// stage may have many files. Needs no virtual warehouse.
async fn stage_access(settings: &Settings, warehouse: &mut Snowflake) -> Check {
    let stage = &settings.stage;
    match warehouse.query(&format!("list @{stage}/landing/doctor/")).await {
        Ok(_) => Check::ok("stage access", format!("Snowflake can list the landing files of {stage}")),
        Err(error) => Check::from_error(
            "stage access",
            &error,
            "compare the trust policy and the permissions of the AWS role with infra/README.md, \"Set up Snowflake\", steps 2 and 4",
        ),
    }
}

/// Checks that this version of findata created the tables and views.
async fn tables(warehouse: &mut Snowflake, models: &Models) -> Check {
    match warehouse.query(schema_version::RECORDED).await {
        Err(error) => Check::from_error("tables", &error, "run the script of `findata setup-sql`"),
        Ok(rows) => {
            if let Err(error) = schema_version::require_current(&rows) {
                return Check::from_error("tables", &error, "`findata upgrade --plan` shows the changes");
            }
            let deployed = hashes::known(rows);
            let outdated = hashes::hashes(&models.tables)
                .into_iter()
                .filter(|(f, hash)| deployed.get(f) != Some(hash))
                .count();
            match outdated {
                0 => Check::ok(
                    "tables",
                    format!("all {} tables and views match this version", models.tables.len()),
                ),
                n => Check::failed(
                    "tables",
                    format!("{n} tables or views are from another version of findata"),
                    "run `findata upgrade`; the next run recomputes all figures",
                ),
            }
        }
    }
}
