//! `findata doctor`.

use findata_domain::Error;

use super::{
    Failure,
    global::{self, Global},
    say,
};
use crate::doctor::{self, Check};
use findata_duckdb::DuckDb;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn doctor(global: &Global, from_environment: &[&'static str], _: &Args) -> Result<u8, Failure> {
    let settled = global.settle(from_environment, "./findata-home")?;
    let mut checks = vec![match global::key() {
        Ok(_) => Check::well("key", "FMP_API_KEY is set; whether FMP takes it shows with the first call"),
        Err(_) => Check::ill("key", "there is no FMP key", "put it in the variable FMP_API_KEY"),
    }];
    match &settled.cloud {
        None => {
            let place = settled.home.stage.display().to_string();
            match settled.home.open_stage() {
                Ok(stage) => checks.push(doctor::stage(&stage, &place).await),
                Err(error) => checks.push(Check::ill("stage", error.to_string(), "choose another --home or --stage")),
            }
            checks.push(match DuckDb::open(&settled.home.warehouse, &settled.home.stage) {
                Ok(_) => Check::well("warehouse", format!("{} can be opened", settled.home.warehouse.display())),
                Err(error) => Check::ill("warehouse", error.to_string(), "see what it says"),
            });
        }
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            checks.push(doctor::stage(&stage, &cloud.stage.to_string()).await);
            checks.extend(doctor::snowflake(&cloud.snowflake).await?);
        }
    }
    if settled.json {
        let text = serde_json::to_string(&checks).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        say(&format!("{text}\n"))?;
    } else {
        for check in &checks {
            match &check.cure {
                None => say(&format!("ok    {}: {}\n", check.what, check.found))?,
                Some(cure) => say(&format!("FAIL  {}: {}\n      {cure}\n", check.what, check.found))?,
            }
        }
    }
    Ok(if checks.iter().all(|check| check.cure.is_none()) { 0 } else { 5 })
}
