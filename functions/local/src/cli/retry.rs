//! `findata retry`: what failed in a run, and nothing else.

use findata_pipeline::run::{RunId, Universe};

use super::{
    Failure,
    global::{self, Global},
    request::Extent,
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
    let settled = global.settle(from_environment, "./findata-home")?;
    let extent = Extent { max_calls: args.max_calls, ..Extent::default() };
    // Universe and extent are those of the run.
    let mut request = extent.request(Universe::Symbols(Vec::new()), &settled, false);
    request.retry_of = Some(args.run.clone());
    let fmp = settled.fmp(global::key()?);
    let summary = run::whole_job(&settled, &request, &fmp).await?;
    run::print(settled.json, &settled.warehouse(), &summary)
}
