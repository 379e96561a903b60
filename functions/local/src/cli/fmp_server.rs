//! `findata fmp-server`: the synthetic FMP on a local port.

use findata_domain::{Error, clock::Clock};

use super::{Failure, Signals, global::Global, last_home::DefaultHome, note, print};

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    server: findata_fmp_simulator::Args,
}

pub(crate) async fn serve(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    signals.finish();
    let today = global.resolve(DefaultHome::Own)?.clock.today();
    let options = args.server.clone().options(today);
    let key = match &options.key {
        Some(_) => "only the key of --key works: FMP_API_KEY=...",
        None => "any key works: FMP_API_KEY=demo",
    };
    let server = findata_fmp_simulator::start(options)
        .await
        .map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
    print(&format!("{}\n", server.url()))?;
    note(&format!("{key} findata run --symbols AAPL,MSFT --fmp-url {}", server.url()));
    note(&format!(
        "trades: findata stream --symbols AAPL,MSFT --websocket {}",
        server.websocket_url()
    ));
    // The server runs until a signal ends the process.
    std::future::pending().await
}
