//! The feed of a stream: standard input, polled quotes, or FMP's WebSocket.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use clap::ValueHint;
use findata_domain::{Error, Result, Symbol, clock::AnyClock};
use findata_fmp::{Fmp, claim_source};
use findata_pipeline::{ledger, ports::stage::Stage};
use findata_stream::session::Feed;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::time;
use crate::{
    cli::{
        Failure,
        global::{Global, ResolvedConfig},
        note,
        request::new_run_id,
        symbol_file,
    },
    tick_input::{self, Lines},
    tick_quotes,
    tick_socket::{self, Subscription},
};

/// The feed of standard input.
const STDIN: Feed = Feed { source: "stdin", is_continuous: false };

#[derive(Debug, clap::Args)]
pub(super) struct FeedArgs {
    /// Poll FMP's batch-quote at this interval, such as 60s, instead of reading standard input
    #[arg(long, value_name = "TIME", conflicts_with = "websocket")]
    poll: Option<String>,
    /// Receive trades from FMP's WebSocket instead of reading standard input. Its messages have not been compared with
    /// the real service
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = tick_socket::DEFAULT_URL)]
    websocket: Option<String>,
    /// Symbols to poll or receive, separated by commas [default: those of the newest run]
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "universe")]
    symbols: Vec<String>,
    /// A file of symbols to poll or receive
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    universe: Option<PathBuf>,
}

/// A feed that is ready to start.
pub(super) struct Source {
    pub feed: Feed,
    kind: Kind,
    clock: AnyClock,
    stop: CancellationToken,
}

enum Kind {
    Stdin,
    Quotes(Arc<Fmp>, Vec<Symbol>, Duration),
    Socket(Subscription),
}

impl FeedArgs {
    /// Checks the options. Makes no call.
    pub(super) async fn open(
        &self,
        global: &Global,
        config: &ResolvedConfig,
        stage: &(impl Stage + Clone + 'static),
        stop: CancellationToken,
    ) -> Result<Source, Failure> {
        let (feed, kind) = match (&self.poll, &self.websocket) {
            (None, None) if self.symbols.is_empty() && self.universe.is_none() => (STDIN, Kind::Stdin),
            (None, None) => {
                return Err(Failure::Usage(
                    "--symbols and --universe need --poll or --websocket: standard input may have any symbol"
                        .into(),
                ));
            }
            (Some(every), _) => {
                let every = time("--poll", every)?;
                if every.is_zero() {
                    return Err(Failure::Usage("--poll 0: use at least 1s".into()));
                }
                claim_source(stage, &config.fmp_url).await?;
                let fmp = Fmp::new(&config.fmp(global.key()?))?.sharing(stage.clone());
                (tick_quotes::FEED, Kind::Quotes(Arc::new(fmp), self.symbols(stage).await?, every))
            }
            (None, Some(url)) => {
                tick_socket::check_url(url)?;
                let subscription = Subscription {
                    url: url.clone(),
                    key: global.key()?,
                    symbols: self.symbols(stage).await?,
                };
                (tick_socket::FEED, Kind::Socket(subscription))
            }
        };
        Ok(Source { feed, kind, clock: config.clock, stop })
    }

    /// The given symbols or, without any, those of the newest run.
    async fn symbols(&self, stage: &impl Stage) -> Result<Vec<Symbol>, Failure> {
        if let Some(file) = &self.universe {
            return symbol_file::read(file);
        }
        if !self.symbols.is_empty() {
            return symbol_file::parse(self.symbols.iter().map(String::as_str));
        }
        let runs = ledger::runs_with("plan.json", &stage.list("runs/").await?);
        for run in runs.iter().rev() {
            let symbols = ledger::plan(stage, run).await?.symbols;
            if !symbols.is_empty() {
                return Ok(symbols);
            }
        }
        Err(Error::Config(
            "no run has fetched any symbols: fetch them first with `findata run --symbols A,B`, or name them with --symbols".into(),
        )
        .into())
    }
}

impl Source {
    /// Starts to read.
    pub(super) fn start(self) -> Result<Receiver<Result<Lines>>> {
        match self.kind {
            Kind::Stdin => tick_input::read(io::stdin(), self.clock),
            Kind::Quotes(fmp, symbols, every) => {
                Ok(tick_quotes::poll(fmp, symbols, every, self.clock, new_run_id, self.stop, note))
            }
            Kind::Socket(subscription) => Ok(tick_socket::receive(subscription, self.clock, self.stop, note)),
        }
    }
}
