//! `findata doctor`: checks the setup.

use findata_domain::Error;
use findata_duckdb::DuckDb;

use super::{
    Failure,
    global::{self, Global},
    print,
};
use crate::doctor::{self, Check};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn doctor(
    global: &Global,
    from_environment: &[&'static str],
    _: &Args,
) -> Result<u8, Failure> {
    let config = global.resolve(from_environment, "./findata-home")?;
    let mut checks = vec![match global::key() {
        Ok(_) => Check::ok("key", "FMP_API_KEY is set; the first call shows whether FMP accepts it"),
        Err(Failure::Usage(why)) => Check::failed("key", why, "set the variable FMP_API_KEY"),
        Err(Failure::Run(error)) => Check::failed("key", error.to_string(), "set the variable FMP_API_KEY"),
    }];
    match &config.cloud {
        None => {
            let place = config.data_dir.stage.display().to_string();
            match config.data_dir.open_stage() {
                Ok(stage) => checks.push(doctor::stage(&stage, &place).await),
                Err(error) => checks.push(Check::failed(
                    "stage",
                    error.to_string(),
                    "choose another folder with --home or --stage",
                )),
            }
            checks.push(match DuckDb::open(&config.data_dir.warehouse, &config.data_dir.stage) {
                Ok(_) => {
                    Check::ok("warehouse", format!("{} can be opened", config.data_dir.warehouse.display()))
                }
                Err(error) => Check::failed(
                    "warehouse",
                    error.to_string(),
                    "fix what the message names, or choose another --home or --warehouse",
                ),
            });
        }
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            checks.push(doctor::stage(&stage, &cloud.stage.to_string()).await);
            checks.extend(doctor::snowflake(&cloud.snowflake).await?);
        }
    }
    if config.json {
        let text =
            serde_json::to_string(&checks).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
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
