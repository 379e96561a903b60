//! The options of a server.

use super::faults::Fault;
use super::plan::Plan;
use super::rng::Draw;
use chrono::NaiveDate;
use std::time::Duration;

/// Default seed of the generated data.
pub const DEFAULT_SEED: u64 = 42;

/// The options of a server.
#[derive(Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free port.
    pub port: u16,
    /// Number of symbols in the universe, 1 to [`MOST_SYMBOLS`](super::MOST_SYMBOLS).
    pub symbols: usize,
    /// Seed of all generated data.
    pub seed: u64,
    /// The data is as of 23:00 UTC on this day.
    pub today: NaiveDate,
    /// Reference day for the dates of the edge-case companies' recent events; the first day of
    /// `today`'s month if absent.
    pub anchor: Option<NaiveDate>,
    /// Revision of the data, from 0. With each higher revision, some companies restate a quarter or
    /// publish a new one. Raise it together with `today`.
    pub revision: u32,
    /// Delay before every response.
    pub latency: Duration,
    /// The delay of each response is drawn between `latency - jitter` and `latency + jitter`.
    pub jitter: Duration,
    /// Calls allowed in any 60 seconds; no limit if absent.
    pub calls_per_minute: Option<u32>,
    /// Minimum time between two bulk calls. An earlier call is rejected. Zero means no minimum.
    pub bulk_pause: Duration,
    /// The only accepted API key; any non-empty key is accepted if absent.
    pub key: Option<String>,
    /// The simulated FMP plan.
    pub plan: Plan,
    /// Trades that the WebSocket sends per second.
    pub trades_per_second: u32,
    /// Trades that the WebSocket sends in total; no limit if absent.
    pub trades: Option<u64>,
    /// Faults to inject. If several faults match a call, the first one applies.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    /// 503 symbols as of 18 September 2026, without limits or faults. The day is fixed because
    /// tests compare figures.
    fn default() -> Self {
        Options {
            port: 0,
            symbols: 503,
            seed: DEFAULT_SEED,
            today: NaiveDate::from_ymd_opt(2026, 9, 18).unwrap_or_default(),
            anchor: None,
            revision: 0,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            calls_per_minute: None,
            bulk_pause: Duration::ZERO,
            key: None,
            plan: Plan::default(),
            trades_per_second: 50,
            trades: None,
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// The delay of a call: between `latency - jitter`, but not below zero, and `latency + jitter`.
    pub(crate) fn delay(&self, call: u64) -> Duration {
        if self.jitter.is_zero() {
            return self.latency;
        }
        let shortest = self.latency.saturating_sub(self.jitter);
        let longest = self.latency.saturating_add(self.jitter);
        shortest + (longest - shortest).mul_f64(Draw::new(self.seed, "delay").unit(call as i64))
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Omits the key, which is a secret.
        f.debug_struct("Options")
            .field("port", &self.port)
            .field("symbols", &self.symbols)
            .field("seed", &self.seed)
            .field("today", &self.today)
            .field("anchor", &self.anchor)
            .field("revision", &self.revision)
            .field("latency", &self.latency)
            .field("jitter", &self.jitter)
            .field("calls_per_minute", &self.calls_per_minute)
            .field("bulk_pause", &self.bulk_pause)
            .field("plan", &self.plan)
            .field("trades_per_second", &self.trades_per_second)
            .field("trades", &self.trades)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
