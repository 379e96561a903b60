//! `findata demo`.

use std::time::Duration;

use findata_domain::{Error, Symbol, clock::Clock};
use findata_pipeline::run::Universe;
use secrecy::SecretString;

use super::{Failure, global::Global, request::HistoryArgs, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Companies of the synthetic FMP
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=50_000))]
    companies: u32,
    /// Milliseconds that each answer takes
    #[arg(long, default_value_t = 40, value_name = "MS")]
    latency: u64,
    #[command(flatten)]
    extent: HistoryArgs,
}

pub(crate) async fn demo(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let mut config = global.settle(from_environment, "./findata-demo")?;
    let options = findata_fmp_simulator::Options {
        symbols: args.companies as usize,
        today: config.clock.today(),
        latency: Duration::from_millis(args.latency),
        ..findata_fmp_simulator::Options::default()
    };
    let server = findata_fmp_simulator::start(options)
        .await
        .map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
    config.fmp_url = server.url();
    if global.fmp_plan.is_none() {
        config.fmp_plan = findata_fmp::FmpPlan::Unlimited;
    }
    let symbols: Vec<Symbol> =
        findata_fmp_simulator::symbols(args.companies as usize).iter().map(|s| s.parse()).collect::<Result<_, _>>()?;
    let mut request = args.extent.request(Universe::Symbols(symbols), &config, false);
    // No call costs anything here, so the demo shows all there is.
    request.options.reconcile = true;
    let fmp = config.fmp(SecretString::from("demo"));
    let summary = run::whole_job(&config, &request, &fmp).await?;
    run::print_summary(config.json, &config.warehouse(), &summary)
}
