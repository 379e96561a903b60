//! `findata upgrade`: brings the tables of a warehouse to the version of this build, or goes back.

use std::path::PathBuf;

use findata_domain::{Error, schema_version};
use findata_models::{
    Models,
    schema::{COLUMNS, Stored, Upgrade},
};
use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::Snowflake;
use serde::Serialize;

use super::{
    Failure,
    global::{Cloud, Global, ResolvedConfig},
    last_home::DefaultHome,
    note, print, print_json,
    replay::load_from_stage,
    run::{Work, patience},
    signals::Signals,
    terminal,
};
use crate::{
    doctor,
    render::{self, UpgradeState},
    setup_sql::{self, upgrade_script},
    working_copy,
};

/// Brings the tables to the version of this build, and computes again the figures whose tables have changed;
/// nothing is fetched. A run does the same with a DuckDB file. The file from before the upgrade is kept. On
/// Snowflake, prints the script for the owner of the tables, if the role may not change them itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show what an upgrade would change, and change nothing
    #[arg(long)]
    plan: bool,
    /// Go back to the DuckDB file from before the last upgrade, to use the earlier findata again
    #[arg(long, conflicts_with = "plan")]
    rollback: bool,
}

/// The output of `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    warehouse: String,
    #[serde(flatten)]
    upgrade: &'a Upgrade,
    applied: bool,
    /// The file from before the upgrade.
    previous_file: Option<PathBuf>,
    /// The script for the owner of the tables on Snowflake.
    script: Option<&'a str>,
}

pub(crate) async fn upgrade(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    match &config.cloud {
        Some(_) if args.rollback => Err(Failure::Usage(
            "--rollback works on DuckDB files: on Snowflake, clone the database before an upgrade, and swap it back; \
             see `Upgrade` in infra/README.md"
                .into(),
        )),
        Some(cloud) => on_snowflake(&config, cloud, args).await,
        None if args.rollback => roll_back(&config).await,
        None => on_duckdb(&config, args, signals).await,
    }
}

async fn on_duckdb(config: &ResolvedConfig, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let file = &config.data_dir.warehouse;
    let stage = crate::stage::DirectoryStage::read_only(&config.data_dir.stage);
    let models = config.models_with(&stage).await?;
    if !args.plan {
        // A run whose result could not be published may have upgraded the tables already.
        working_copy::publish_pending(file);
    }
    let planned = || findata_duckdb::planned_upgrade(file, config.memory, models);
    let upgrade = planned()?;
    if args.plan || upgrade.is_done() {
        return show(config, &upgrade, UpgradeState::Planned, None);
    }
    config.data_dir.require_stage()?;
    load_from_stage(config, Work::Replay, signals).await?;
    let state = if planned()?.is_done() {
        UpgradeState::Applied
    } else {
        UpgradeState::NotPublished
    };
    show(config, &upgrade, state, None)
}

async fn on_snowflake(config: &ResolvedConfig, cloud: &Cloud, args: &Args) -> Result<u8, Failure> {
    let models = config.models_with(&cloud.open_stage().await?).await?;
    let mut warehouse = Snowflake::new(cloud.snowflake.clone())?;
    let done = upgrade_snowflake(cloud, args, models, &mut warehouse).await;
    // An unclosed session times out.
    let _ = warehouse.close().await;
    let (upgrade, state, script) = done?;
    show(config, &upgrade, state, script.as_deref())
}

/// Upgrades the tables if the role, or a role that it has been granted, owns them. Otherwise returns the script.
async fn upgrade_snowflake(
    cloud: &Cloud,
    args: &Args,
    models: &Models,
    warehouse: &mut Snowflake,
) -> Result<(Upgrade, UpgradeState, Option<String>), Error> {
    let stored = Stored::new(warehouse.query(COLUMNS).await?);
    if !stored.is_set_up() {
        return Err(Error::Config(format!(
            "{} has no tables of findata: run the script of `findata setup-sql`",
            cloud.snowflake.database
        )));
    }
    let recorded = warehouse.query(schema_version::RECORDED).await?;
    schema_version::refuse_newer(&cloud.snowflake.database, schema_version::version(&recorded), "")?;
    let upgrade = Upgrade::of(&stored.with_recorded(recorded), models);
    if upgrade.is_done() {
        return Ok((upgrade, UpgradeState::Planned, None));
    }
    let owner = doctor::owner(&cloud.snowflake, warehouse).await?;
    let statements = upgrade.statements(models, setup_sql::creates(models));
    if let (Some(owner), false) = (&owner, args.plan) {
        warehouse.execute(&format!("use role {owner}")).await?;
        for statement in &statements {
            warehouse.execute(statement).await?;
        }
        return Ok((upgrade, UpgradeState::Applied, None));
    }
    let script = upgrade_script(&cloud.snowflake, owner.as_deref(), &statements);
    let state = if args.plan { UpgradeState::Planned } else { UpgradeState::ForOwner };
    Ok((upgrade, state, Some(script)))
}

fn show(
    config: &ResolvedConfig,
    upgrade: &Upgrade,
    state: UpgradeState,
    script: Option<&str>,
) -> Result<u8, Failure> {
    let previous = match (&config.cloud, state) {
        (None, UpgradeState::Applied) => working_copy::previous_file(&config.data_dir.warehouse),
        _ => None,
    };
    if config.json {
        print_json(&Report {
            warehouse: config.warehouse(),
            upgrade,
            applied: state == UpgradeState::Applied,
            previous_file: previous,
            script,
        })?;
    } else if let (UpgradeState::ForOwner, Some(script)) = (state, script) {
        print(script)?;
    } else {
        print(&render::upgrade(
            &config.warehouse(),
            upgrade,
            state,
            previous.as_deref(),
            terminal::width(),
        ))?;
    }
    if state == UpgradeState::ForOwner {
        note("the role may not change the tables: run the script as their owner");
    }
    // The message of `publish` has named the process that has the file open.
    Ok(u8::from(state == UpgradeState::NotPublished))
}

/// The output of `--rollback --json`.
#[derive(Debug, Serialize)]
struct RollbackReport {
    warehouse: String,
    from_version: Option<u32>,
    version: u32,
    upgraded_file: PathBuf,
}

async fn roll_back(config: &ResolvedConfig) -> Result<u8, Failure> {
    let file = &config.data_dir.warehouse;
    let done = working_copy::roll_back(file, config.memory, &patience(config)).await?;
    if config.json {
        print_json(&RollbackReport {
            warehouse: config.warehouse(),
            from_version: done.from,
            version: done.to,
            upgraded_file: done.upgraded,
        })?;
    } else {
        print(&format!(
            "{} has tables of version {} again\n\
             the upgraded file is {}: delete it when you no longer need it\n\
             use the earlier findata from now on: a run of this one upgrades the file again\n",
            file.display(),
            done.to,
            done.upgraded.display()
        ))?;
    }
    Ok(0)
}
