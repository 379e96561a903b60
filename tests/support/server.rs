//! The synthetic FMP in this process.

use std::collections::BTreeMap;

use findata_fmp_simulator::{Fault, FmpServer, Kind, Options};

use super::{home::today, wait};

/// A server that stops when it is dropped.
pub struct Server(Option<FmpServer>);

impl Server {
    /// Starts one.
    pub fn start(options: Options) -> Self {
        Server(Some(wait(findata_fmp_simulator::start(options)).expect("a server")))
    }

    /// A world of that many symbols on [`today`], without a fault.
    pub fn of(symbols: usize) -> Self {
        Server::start(Options { symbols, today: today(), ..Options::default() })
    }

    /// The same with faults, in the grammar of `--fault`.
    pub fn with(symbols: usize, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|text| text.parse::<Fault>().expect(text)).collect();
        Server::start(Options { symbols, today: today(), faults, ..Options::default() })
    }

    fn inner(&self) -> &FmpServer {
        self.0.as_ref().expect("a running server")
    }

    /// Its address, `/stable` included.
    pub fn url(&self) -> String {
        self.inner().url()
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.inner().calls()
    }

    /// Calls so far that were too many for their minute or day.
    pub fn refused(&self) -> u64 {
        self.inner().refused()
    }

    /// Bulk calls so far that came too soon after another.
    pub fn refused_bulk(&self) -> u64 {
        self.inner().refused_bulk()
    }

    /// Calls so far by endpoint.
    pub fn calls_by_endpoint(&self) -> BTreeMap<&'static str, u64> {
        self.inner().calls_by_endpoint()
    }

    /// How often faults struck, all kinds together.
    pub fn struck(&self) -> u64 {
        self.inner().faults().values().sum()
    }

    /// How often each kind struck.
    pub fn faults(&self) -> BTreeMap<Kind, u64> {
        self.inner().faults()
    }

    /// Its symbols.
    pub fn symbols(&self) -> Vec<String> {
        self.inner().symbols()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(server) = self.0.take() {
            wait(server.shutdown());
        }
    }
}
