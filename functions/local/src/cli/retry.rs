//! `findata retry`: repeats the failed tasks of a run.

use findata_pipeline::{
    command_input::CommandInput,
    run::{RunId, Universe},
};

use super::{Failure, Signals, global::Global, last_home::DefaultHome, request, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the run, as printed in its summary
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Stop after this many calls to FMP, retries included
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
}

pub(crate) async fn retry(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    // The universe and all other options are taken from the earlier run.
    let input = CommandInput { max_calls: args.max_calls, ..CommandInput::default() };
    let mut request = request::new_request(Universe::Symbols(Vec::new()), input, &config);
    request.retry_of = Some(args.run.clone());
    let fmp = config.fmp(global.key()?);
    let summary = run::execute(&config, &request, &fmp, run::Work::Run, signals).await?;
    run::print_summary(config.json, &config.warehouse(), &summary)
}
