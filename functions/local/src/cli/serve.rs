//! `findata fmp-server`.

use findata_shared::{
    Error,
    clock::{Clock, SystemClock},
};

use super::Failure;
use crate::fmp_server;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    server: fmp_server::Args,
}

pub(crate) async fn serve(args: &Args) -> Result<u8, Failure> {
    let options = args.server.clone().options(SystemClock.today());
    let server =
        fmp_server::start(options).await.map_err(|e| Error::Stop(format!("cannot start the synthetic FMP: {e}")))?;
    println!("{}", server.url());
    eprintln!("any key will do: FMP_API_KEY=demo findata run --symbols AAPL,MSFT --fmp-url {}", server.url());
    tokio::signal::ctrl_c().await.map_err(|e| Error::Stop(format!("cannot wait for Ctrl-C: {e}")))?;
    Ok(0)
}
