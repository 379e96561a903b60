//! `findata prune`: deletes the objects of old runs, except those that a rebuild of the warehouse
//! needs.

use chrono::Utc;
use findata_pipeline::prune::{self, Pruned};

use super::{Failure, global::Global, last_home::DefaultHome, print, print_json};
use crate::{render, stage::DirectoryStage};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
pub(crate) async fn prune(global: &Global, _: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let Some(keep) = config.keep else {
        return Err(Failure::Usage("--keep-days 0 keeps everything: use 1 or more days".into()));
    };
    let before = Utc::now() - keep;
    let pruned = match &config.cloud {
        Some(cloud) => prune::prune(&cloud.open_stage().await?, before).await?,
        None => {
            config.data_dir.require_stage()?;
            prune::prune(&DirectoryStage::open(&config.data_dir.stage)?, before).await?
        }
    };
    let Pruned { runs, objects } = pruned;
    if config.json {
        print_json(&pruned)?;
    } else {
        print(&format!(
            "deleted {}, including all objects of {}\n",
            render::counted(objects, "object"),
            render::counted(runs, "run")
        ))?;
    }
    Ok(0)
}
