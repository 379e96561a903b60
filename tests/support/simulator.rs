//! The FMP simulator, in this process.

use std::collections::BTreeMap;

use findata_fmp_simulator::{Fault, FmpServer, Kind, Options, Trade};

use super::{home::today, wait};

/// A running simulator. It stops when dropped.
pub struct Simulator(Option<FmpServer>);

impl Simulator {
    /// Starts a simulator.
    pub fn start(options: Options) -> Self {
        Simulator(Some(wait(findata_fmp_simulator::start(options)).expect("a server")))
    }

    /// Starts a simulator with this many symbols on [`today`], without faults.
    pub fn with_symbols(symbols: usize) -> Self {
        Simulator::start(Options { symbols, today: today(), ..Options::default() })
    }

    /// Like [`Simulator::with_symbols`], with faults in the syntax of `--fault`.
    pub fn with_faults(symbols: usize, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|text| text.parse::<Fault>().expect(text)).collect();
        Simulator::start(Options { symbols, today: today(), faults, ..Options::default() })
    }

    fn inner(&self) -> &FmpServer {
        self.0.as_ref().expect("a running simulator")
    }

    /// The base URL, including `/stable`.
    pub fn url(&self) -> String {
        self.inner().url()
    }

    /// The number of calls so far.
    pub fn calls(&self) -> u64 {
        self.inner().calls()
    }

    /// The number of calls so far that exceeded the limit per minute or per day.
    pub fn refused(&self) -> u64 {
        self.inner().refused()
    }

    /// The number of bulk calls so far that came too soon after another bulk call.
    pub fn refused_bulk(&self) -> u64 {
        self.inner().refused_bulk()
    }

    /// The number of calls so far, by endpoint.
    pub fn calls_by_endpoint(&self) -> BTreeMap<&'static str, u64> {
        self.inner().calls_by_endpoint()
    }

    /// Replaces the faults, in the syntax of `--fault`, from the next call on.
    pub fn set_faults(&self, faults: &[&str]) {
        self.inner()
            .set_faults(faults.iter().map(|text| text.parse::<Fault>().expect(text)).collect());
    }

    /// The number of faults injected so far.
    pub fn faults_injected(&self) -> u64 {
        self.inner().faults().values().sum()
    }

    /// The number of faults injected so far, by kind.
    pub fn faults(&self) -> BTreeMap<Kind, u64> {
        self.inner().faults()
    }

    /// The address of the WebSocket.
    pub fn websocket_url(&self) -> String {
        self.inner().websocket_url()
    }

    /// The trades that the WebSocket has sent, in order.
    pub fn trades(&self) -> Vec<Trade> {
        self.inner().trades()
    }

    /// Cuts all connections of the WebSocket.
    pub fn cut_websockets(&self) {
        self.inner().cut_websockets();
    }

    /// The symbols of the simulated market.
    pub fn symbols(&self) -> Vec<String> {
        self.inner().symbols()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(server) = self.0.take() {
            wait(server.shutdown());
        }
    }
}
