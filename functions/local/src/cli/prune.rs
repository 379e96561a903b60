//! `findata prune`: removes old objects of the stage that are no longer of use.

use chrono::Utc;
use findata_domain::Error;
use findata_pipeline::prune::{self, Pruned};

use super::{Failure, global::Global, output::print};
use crate::{render, stage::DirectoryStage};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
pub(crate) async fn prune(
    global: &Global,
    from_environment: &[&'static str],
    _: &Args,
) -> Result<u8, Failure> {
    let config = global.resolve(from_environment, "./findata-home")?;
    let Some(keep) = config.keep else {
        return Err(Failure::Usage("--keep-days 0 keeps everything: choose a number of days".into()));
    };
    let before = Utc::now() - keep;
    let pruned = match &config.cloud {
        Some(cloud) => prune::prune(&cloud.open_stage().await?, before).await?,
        None => {
            let folder = &config.data_dir.stage;
            if !folder.is_dir() {
                let fix = "set the data directory with --home, or the stage with --stage";
                return Err(Error::Config(format!("there is no stage at {}: {fix}", folder.display())).into());
            }
            prune::prune(&DirectoryStage::open(folder)?, before).await?
        }
    };
    let Pruned { runs, objects } = pruned;
    print(&if config.json {
        format!("{}\n", serde_json::json!(pruned))
    } else {
        format!(
            "removed {}, {} as a whole\n",
            render::counted(objects, "object"),
            render::counted(runs, "run")
        )
    })?;
    Ok(0)
}
