//! The command-line options of `findata fmp-server`.

use super::faults::{Fault, GRAMMAR};
use super::plan::Plan;
use super::{DEFAULT_SEED, Options};
use chrono::NaiveDate;
use std::time::Duration;

/// A synthetic Financial Modeling Prep on this machine: seeded figures, FMP's paths, fields, limits and errors.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Number of symbols, 1 to 50000; with 37 or more, the edge-case companies are included
    #[arg(long, default_value_t = 503, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub symbols: u32,
    /// Random seed; the same seed always generates the same data
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// Reference day for the dates of the edge-case companies' split, listing and delisting [default: the 1st of the
    /// current month]
    #[arg(long, value_name = "DATE", value_parser = findata_domain::day::parse, hide_short_help = true)]
    pub anchor: Option<NaiveDate>,
    /// Data revision; with each higher revision, some companies restate a quarter or report a new one. Raise it by one
    /// per day
    #[arg(long, default_value_t = 0)]
    pub revision: u32,
    /// Delay before every response, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency: u64,
    /// Milliseconds by which the delay of a response may be shorter or longer
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub jitter: u64,
    /// Calls allowed in any 60 seconds; further calls get status 429 [default: no limit]
    #[arg(long, value_name = "N")]
    pub calls_per_minute: Option<u32>,
    /// Seconds after a bulk call during which further bulk calls are rejected, with status 200 and a JSON error like
    /// FMP's; FMP's pause is about 30 seconds
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS", value_parser = seconds)]
    pub bulk_pause: f64,
    /// The only accepted API key [default: any]
    #[arg(long, env = "FINDATA_FMP_SERVER_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The simulated FMP plan; endpoints that the plan lacks respond with status 402
    #[arg(long, value_enum, default_value_t = Plan::Ultimate)]
    pub plan: Plan,
    /// Trades per second that the WebSocket sends, 1 to 50000
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub trades_per_second: u32,
    /// Inject a fault (repeatable): KIND[=SETTING,...], such as truncated=0.05 or server-error=x1,prices
    #[arg(long = "fault", value_name = "FAULT", long_help = fault_help())]
    pub faults: Vec<Fault>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds)
        .map(|_| seconds)
        .map_err(|_| format!("{text} is not a valid duration"))
}

fn fault_help() -> String {
    let kinds: Vec<String> = <super::faults::Kind as clap::ValueEnum>::value_variants()
        .iter()
        .map(|k| k.name())
        .collect();
    format!(
        "Inject a fault (repeatable). If several faults match a call, the first one applies. {GRAMMAR}\nKinds: {}",
        kinds.join(", ")
    )
}

impl Args {
    /// Converts the arguments to the server's options. The data is as of 23:00 UTC on `today`.
    pub fn options(self, today: NaiveDate) -> Options {
        Options {
            port: self.port,
            symbols: self.symbols as usize,
            seed: self.seed,
            today,
            anchor: self.anchor,
            revision: self.revision,
            latency: Duration::from_millis(self.latency),
            jitter: Duration::from_millis(self.jitter),
            calls_per_minute: self.calls_per_minute,
            bulk_pause: Duration::try_from_secs_f64(self.bulk_pause).unwrap_or_default(),
            key: self.key,
            plan: self.plan,
            trades_per_second: self.trades_per_second,
            trades: None,
            faults: self.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn every_option_reaches_the_server() {
        let line = "server --port 8080 --symbols 40 --seed 7 --anchor 2026-08-01 --revision 3 --latency 20 --jitter 5 \
                    --calls-per-minute 60 --bulk-pause 1.5 --key k --plan starter --trades-per-second 9 \
                    --fault server-error=x1";
        let today: NaiveDate = "2026-09-18".parse().unwrap();
        let options = Line::parse_from(line.split_whitespace()).args.options(today);
        let expected = Options {
            port: 8080,
            symbols: 40,
            seed: 7,
            today,
            anchor: Some("2026-08-01".parse().unwrap()),
            revision: 3,
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            calls_per_minute: Some(60),
            bulk_pause: Duration::from_millis(1500),
            key: Some("k".into()),
            plan: Plan::Starter,
            trades_per_second: 9,
            trades: None,
            faults: vec!["server-error=x1".parse().unwrap()],
        };
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
        assert_eq!(options.key, expected.key);
    }
}
