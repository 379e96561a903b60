//! `findata replay`: loads the runs that are on the stage but not in the warehouse, without calling
//! FMP.

use findata_pipeline::{command_input::CommandInput, run::Universe, summary::Summary};
use secrecy::SecretString;

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    request,
    run::{self, Work},
    signals::Signals,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set the DuckDB file aside and build a new one from every landing file
    #[arg(long)]
    rebuild: bool,
}

pub(crate) async fn replay(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    if args.rebuild && config.cloud.is_some() {
        return Err(Failure::Usage(
            "--rebuild replaces a DuckDB file: for Snowflake, create an empty database with `findata setup-sql`, then run \
             `findata replay`"
                .into(),
        ));
    }
    if config.cloud.is_none() {
        config.data_dir.require_stage()?;
    }
    let work = if args.rebuild { Work::Rebuild } else { Work::Replay };
    let summary = load_from_stage(&config, work, signals).await?;
    run::print_summary(config.json, &config.warehouse(), &summary)
}

/// Loads what the warehouse lacks and computes figures that are due.
pub(super) async fn load_from_stage(
    config: &ResolvedConfig,
    work: Work,
    signals: &Signals,
) -> Result<Summary, Failure> {
    let request = request::new_request(Universe::Symbols(Vec::new()), CommandInput::default(), config);
    // The client is not called, so it needs no key.
    let fmp = config.fmp(SecretString::from("not used"));
    run::execute(config, &request, &fmp, work, signals).await
}
