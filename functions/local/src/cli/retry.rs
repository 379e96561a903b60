//! `findata retry`: what failed in a run, and nothing else.

use findata_pipeline::run::{RunId, Universe};

use super::{
    Failure,
    global::{self, Global},
    request::HistoryArgs,
    run,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run, as its summary names it
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Never make more calls than this, retries included
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
}

pub(crate) async fn retry(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let config = global.settle(from_environment, "./findata-home")?;
    let extent = HistoryArgs { max_calls: args.max_calls, ..HistoryArgs::default() };
    // Universe and extent are those of the run.
    let mut request = extent.request(Universe::Symbols(Vec::new()), &config, false);
    request.retry_of = Some(args.run.clone());
    let fmp = config.fmp(global::key()?);
    let summary = run::whole_job(&config, &request, &fmp).await?;
    run::print_summary(config.json, &config.warehouse(), &summary)
}
