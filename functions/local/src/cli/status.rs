//! `findata status`: past runs, a run in progress, the call budget, and what is due.

use chrono::Utc;
use findata_fmp::SourceKind;
use findata_pipeline::ports::stage::Stage;
use secrecy::ExposeSecret;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    print, print_json, terminal,
};
use crate::{
    render,
    stage::DirectoryStage,
    status::{Inputs, Status, WarehouseState},
};

/// Shows the last 10 runs, a run in progress, the use of the call budget, what is due now and within a
/// day, and doubtful data. Creates nothing, calls nothing, and works while a run goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn status(global: &Global, _: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let status = match &config.cloud {
        None => {
            let warehouse = WarehouseState::read(&config.data_dir.warehouse, config.memory);
            let name = config.data_dir.stage.display().to_string();
            read(global, &config, &DirectoryStage::read_only(&config.data_dir.stage), name, warehouse).await?
        }
        Some(cloud) => {
            let warehouse = WarehouseState::on_snowflake(config.warehouse());
            read(global, &config, &cloud.open_stage().await?, cloud.stage.to_string(), warehouse).await?
        }
    };
    if config.json {
        print_json(&status)?;
    } else {
        print(&render::status(&status, &config.fmp_plan.to_string(), terminal::width()))?;
    }
    Ok(0)
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
async fn read(
    global: &Global,
    config: &ResolvedConfig,
    stage: &impl Stage,
    stage_name: String,
    warehouse: WarehouseState,
) -> Result<Status, Failure> {
    // Without a key, the budget of all keys is shown.
    let key = global.key().ok();
    let inputs = Inputs {
        stage,
        stage_name,
        warehouse,
        limits: config.fmp_plan.limits().with(config.fmp_bytes, config.fmp_burst),
        fmp_key: key.as_ref().map(|key| key.expose_secret()),
        clock: SourceKind::of(&config.fmp_url).planning(config.clock),
        now: Utc::now(),
    };
    Ok(Status::read(inputs).await?)
}
