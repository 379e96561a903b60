//! `findata doctor`.

use findata_domain::Error;

use super::{
    Failure,
    global::{self, Global},
    print,
};
use crate::doctor::{self, Check};
use findata_duckdb::DuckDb;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn doctor(global: &Global, from_environment: &[&'static str], _: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let mut checks = vec![match global::key() {
        Ok(_) => Check::ok("key", "FMP_API_KEY is set; whether FMP takes it shows with the first call"),
        Err(_) => Check::failed("key", "there is no FMP key", "put it in the variable FMP_API_KEY"),
    }];
    match &config.cloud {
        None => {
            let place = config.home.stage.display().to_string();
            match config.home.open_stage() {
                Ok(stage) => checks.push(doctor::stage(&stage, &place).await),
                Err(error) => {
                    checks.push(Check::failed("stage", error.to_string(), "choose another --home or --stage"))
                }
            }
            checks.push(match DuckDb::open(&config.home.warehouse, &config.home.stage) {
                Ok(_) => Check::ok("warehouse", format!("{} can be opened", config.home.warehouse.display())),
                Err(error) => Check::failed("warehouse", error.to_string(), "see what it says"),
            });
        }
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            checks.push(doctor::stage(&stage, &cloud.stage.to_string()).await);
            checks.extend(doctor::snowflake(&cloud.snowflake).await?);
        }
    }
    if config.json {
        let text = serde_json::to_string(&checks).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        print(&format!("{text}\n"))?;
    } else {
        for check in &checks {
            match &check.fix {
                None => print(&format!("ok    {}: {}\n", check.what, check.found))?,
                Some(fix) => print(&format!("FAIL  {}: {}\n      {fix}\n", check.what, check.found))?,
            }
        }
    }
    Ok(if checks.iter().all(|check| check.fix.is_none()) { 0 } else { 5 })
}
