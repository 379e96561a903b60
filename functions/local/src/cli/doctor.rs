//! `findata doctor`: checks the setup.

use super::{
    Failure,
    global::{self, Global},
    print, print_json,
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
        Err(error) => Check::failed("key", error.text(), "set the variable FMP_API_KEY"),
    }];
    match &config.cloud {
        None => checks.extend(doctor::data_dir(&config.data_dir, config.memory).await),
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            checks.push(doctor::stage(&stage, &cloud.stage.to_string()).await);
            checks.extend(doctor::snowflake(&cloud.snowflake, findata_models::Models::built_in()?).await?);
        }
    }
    if config.json {
        print_json(&checks)?;
    } else {
        for check in &checks {
            print(&match &check.fix {
                None => format!("ok    {}: {}\n", check.what, check.found),
                Some(fix) => format!("FAIL  {}: {}\n      {fix}\n", check.what, check.found),
            })?;
        }
    }
    Ok(if checks.iter().all(|check| check.fix.is_none()) { 0 } else { 5 })
}
