//! A simulator of Financial Modeling Prep (FMP) for demos and tests without a key or a network. It
//! serves synthetic figures under FMP's paths, with FMP's fields, types, limits and errors. A response
//! depends only on seed, symbol and day, and is generated on request. The server keeps no companies in
//! memory. It listens on 127.0.0.1 only.
//!
//! `world` defines which symbols exist and `company` their properties. `periods`, `accounts` and
//! `statements` generate what companies report; `prices` and `events` generate the market data.
//! `server` handles a request, `routes` maps it to a response, and `faults` and `fault_responses` inject
//! errors. `websocket` sends synthetic trades on a separate port.
//!
//! Behaviour copied from recordings of FMP: `historical-price-eod/full` returns at most the newest
//! 5,000 rows, unknown symbols return `200 []`, unknown paths return `404 []`, and rejections are
//! plain text declared as `application/json`.
//!
//! # The universe
//!
//! A universe is a list of symbols. It starts with ten well-known tickers, which are ordinary companies
//! (AAPL MSFT NVDA AMZN GOOGL META WMT XOM JNJ KO). The edge-case companies follow if the universe is
//! large enough for all of them. Generated tickers fill the rest. Requests for edge-case symbols
//! succeed in a universe of any size.
//!
//! | symbol | edge case |
//! |---|---|
//! | JPM | a bank: inventory 0, interest included in revenue and cost, deposits as current liabilities |
//! | BRK-B | a share class, written with a hyphen; `BRK.B` is unknown |
//! | SPY | a fund: has prices and dividends; statements are `[]` and its shares float is 0 |
//! | MISSQ | Q2 of the calendar year before the anchor's was never published |
//! | WEEKS | fiscal year ends on the Saturday nearest to 31 January: 52 or 53 weeks (53 in fiscal 2017 and 2023) |
//! | TWELV | quarters of 12, 12, 12 and 16 or 17 weeks; fiscal year ends on the Saturday nearest to 31 August |
//! | FYCHG | moved its year end from December to January: January of the year before the anchor's is a transition period (Q1 and FY of one month) |
//! | NEGEQ | negative equity, pays dividends |
//! | ZEROR | revenue 0, losses, issues shares |
//! | SEMIA | reports half-years, labelled Q2 and Q4 (June year end) |
//! | EURRP, JPYRP | report in EUR and in JPY (March year end); quoted in USD |
//! | CURCH | switched from EUR to USD reporting in the calendar year before the anchor's |
//! | SPLIT | split 4:1 on the first session from 21 days before the anchor on |
//! | RESTA | from revision 1 on, Q1 of the year before the anchor's (and that FY) has other figures and a later acceptedDate |
//! | FRESH | the newest quarter is missing at revision 0 and published at revision 1 |
//! | DELIS | prices stop 120 days before the anchor; isActivelyTrading false |
//! | IPOED | recently listed: 40 bars up to the anchor, two quarters |
//! | NOCAP | null marketCap in profile and quote; absent from market-capitalization-batch |
//! | NULLS | null amounts, null acceptedDate, one null filingDate, null cik, empty ipoDate and declarationDate |
//! | TEXTS | numeric strings, "NULL" and "" in number fields, cik "null", a period label "9M" |
//! | TWICE | the newest row of every response is duplicated |
//! | HOSTL | quotes, a newline, a backslash, unicode and SQL in its name |
//! | FRACT | fractional volumes, market cap and share counts |
//! | BADPX | invalid bars, by sessions before the anchor: 3 high < low, 5 unparsable date, 7 close 0, 9 another symbol, 11 negative low |
//! | BIGNR | amounts in exponent notation, an amount of 30 digits in otherAssets |
//! | STALE | no published period ends in the 300 days before the anchor |
//! | ^GSPC | the index: prices and quote only, not part of any universe |
//!
//! The *anchor* is a day: by default, the first day of `today`'s month. The edge cases' recent events
//! are dated relative to the anchor, so their dates do not change from day to day within a month.

mod accounts;
mod args;
mod bulk_files;
mod calendar;
mod company;
mod edge_cases;
mod events;
mod fault_responses;
mod faults;
mod feeds;
mod fields;
mod figures;
mod history;
mod indexes;
mod lines;
mod listener;
mod market;
mod mutations;
mod options;
mod periods;
mod plan;
mod prices;
mod ratios;
mod rng;
mod routes;
mod server;
mod statements;
mod table;
mod walk;
mod websocket;
mod world;

pub use args::Args;
pub use faults::{Fault, GRAMMAR, Kind};
pub use options::{DEFAULT_SEED, Options};
pub use plan::Plan;
pub use websocket::Trade;
pub use world::{MOST_SYMBOLS, fixed_symbols, symbols};

use anyhow::Context;
use axum::Router;
use chrono::Datelike;
use listener::{Connections, Counting};
use routes::{Answer, Answers, Query};
use server::Shared;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use websocket::Trades;
use world::World;

/// Bodies up to this size in bytes are not compressed, because compression would take more time than
/// it saves.
const COMPRESS_ABOVE: u64 = 1_400;
/// How long a shutdown waits for responses in progress.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct FmpServer {
    address: SocketAddr,
    websocket: SocketAddr,
    trades: Arc<Trades>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

/// Starts a server on the current tokio runtime.
pub async fn start(options: Options) -> anyhow::Result<FmpServer> {
    let requested = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let year = options.today.year();
    anyhow::ensure!(
        (2001..=2064).contains(&year),
        "the simulator covers 2001 to 2064, but `today` is in {year}"
    );
    let listener = TcpListener::bind(requested)
        .await
        .with_context(|| format!("cannot listen on {requested}"))?;
    let address = listener.local_addr().context("no local address")?;
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen")?;
    let websocket = socket.local_addr().context("no local address")?;
    let trades = Arc::new(Trades::new(options.clone()));
    let world = World::new(options.seed, options.symbols, options.today, options.anchor, options.revision);
    let connections = Arc::new(Connections::default());
    let (stop, mut stopped) = watch::channel(false);
    let answers = Answers::new(world, options.plan);
    let shared = Arc::new(Shared::new(answers, options, Arc::clone(&connections), stopped.clone()));
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESS_ABOVE));
    let router = Router::new().fallback(server::handle).with_state(Arc::clone(&shared)).layer(compression);
    tokio::spawn(websocket::serve(socket, Arc::clone(&trades), stopped.clone()));
    let task = tokio::spawn(async move {
        // The wait fails if the sender was dropped. This stops the server too.
        let signal = async move { drop(stopped.wait_for(|s| *s).await) };
        let _ = axum::serve(Counting { listener, connections }, router)
            .with_graceful_shutdown(signal)
            .await;
    });
    Ok(FmpServer { address, websocket, trades, shared, stop, task: Some(task) })
}

impl FmpServer {
    /// The base URL, `http://127.0.0.1:PORT/stable`.
    pub fn url(&self) -> String {
        format!("http://{}/stable", self.address)
    }

    /// The address of the WebSocket, `ws://127.0.0.1:PORT`.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", self.websocket)
    }

    /// The trades that the WebSocket has sent, in order.
    pub fn trades(&self) -> Vec<Trade> {
        self.trades.sent()
    }

    /// Cuts all connections of the WebSocket, without a message to the clients.
    pub fn cut_websockets(&self) {
        self.trades.cut.send_modify(|times| *times += 1);
    }

    /// Number of requests so far, including rejected requests.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Number of requests rejected because of the limit per minute or day.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Number of bulk requests rejected because they came too soon after another bulk request.
    pub fn refused_bulk(&self) -> u64 {
        self.shared.refused_bulk.load(Ordering::Relaxed)
    }

    /// Number of requests by endpoint, the path after `/stable/`. Unknown paths count as `other`.
    pub fn calls_by_endpoint(&self) -> BTreeMap<&'static str, u64> {
        self.shared.calls_by_endpoint()
    }

    /// Replaces the faults to inject.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.set_faults(faults);
    }

    /// How often each kind of fault was injected.
    pub fn faults(&self) -> BTreeMap<Kind, u64> {
        self.shared.faults()
    }

    /// The highest number of connections that were open at the same time.
    pub fn peak_connections(&self) -> usize {
        self.shared.connections.peak.load(Ordering::Relaxed)
    }

    /// Number of connections opened so far.
    pub fn opened_connections(&self) -> usize {
        self.shared.connections.opened.load(Ordering::Relaxed)
    }

    /// The symbols of the universe, in order.
    pub fn symbols(&self) -> Vec<String> {
        self.shared.answers.world.universe().collect()
    }

    /// Generates the JSON body of an endpoint without an HTTP request. Returns `None` if the response is
    /// not JSON. Does not count as a call.
    pub fn body(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        match self.shared.answers.answer(endpoint, &Query(parameters.iter().map(owned).collect())) {
            Answer::Json(json) => Some(json),
            Answer::Csv(_) | Answer::Refused(..) => None,
        }
    }

    /// Stops listening and waits up to a second for responses in progress.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(SHUTDOWN_GRACE, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    /// Waits until the server ends: when it is stopped, or when its task fails.
    pub async fn wait(&mut self) {
        if let Some(task) = self.task.as_mut() {
            let _ = task.await;
        }
    }
}

impl Drop for FmpServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tests;
