//! `findata fmp-server`: the synthetic FMP on a local port.

use findata_domain::{Error, clock::Clock};

use super::{Failure, global::Global, note, print};

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    server: findata_fmp_simulator::Args,
}

pub(crate) async fn serve(
    global: &Global,
    from_environment: &[&'static str],
    args: &Args,
) -> Result<u8, Failure> {
    let today = global.resolve(from_environment, "./findata-home")?.clock.today();
    let options = args.server.clone().options(today);
    let server = findata_fmp_simulator::start(options)
        .await
        .map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
    print(&format!("{}\n", server.url()))?;
    note(&format!(
        "any key works: FMP_API_KEY=demo findata run --symbols AAPL,MSFT --fmp-url {}",
        server.url()
    ));
    tokio::signal::ctrl_c()
        .await
        .map_err(|e| Error::Stop(format!("cannot wait for Ctrl-C: {e}")))?;
    Ok(0)
}
