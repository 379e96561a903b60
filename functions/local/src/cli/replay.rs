//! `findata replay`: loads the runs that are on the stage but not in the warehouse, without calling
//! FMP.

use chrono::Utc;
use findata_pipeline::{command_input::CommandInput, run::Universe};
use secrecy::SecretString;

use super::{Failure, global::Global, last_home::DefaultHome, request, run, signals::Signals};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set the DuckDB file aside and build a new one from every landing file
    #[arg(long)]
    rebuild: bool,
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
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
    if args.rebuild && config.data_dir.warehouse.exists() {
        let kept = config.data_dir.set_warehouse_aside(Utc::now())?;
        tracing::warn!(kept = %kept.display(), "renamed the old warehouse file");
    }
    let request = request::new_request(Universe::Symbols(Vec::new()), CommandInput::default(), &config);
    // The client is not called, so it needs no key.
    let fmp = config.fmp(SecretString::from("not used"));
    let summary = run::execute(&config, &request, &fmp, run::Work::Replay, signals).await?;
    run::print_summary(config.json, &config.warehouse(), &summary)
}
