//! Asks FMP once whether it accepts the key.

use std::time::{Duration, Instant};

use findata_domain::Error;
use findata_fmp::{ClientSettings, Fmp};

use super::Check;

/// A company that every plan includes. Its profile is one short row.
const SYMBOL: &str = "AAPL";

/// Makes one call with the key, without retries. Reports the latency and the limits that findata keeps.
pub async fn probe(settings: &ClientSettings) -> Check {
    let client = match Fmp::new(settings) {
        Ok(client) => client,
        Err(error) => return Check::failed("fmp", error.to_string(), "correct the address or the key"),
    };
    let started = Instant::now();
    let answer = client.get_once("profile", &[("symbol", SYMBOL.into())]).await;
    let time = started.elapsed();
    let server = client.url().to_owned();
    match answer.body {
        Ok(Some(_)) => Check::ok(
            "fmp",
            format!("{server} accepts the key and responded in {}; {}", milliseconds(time), limits(settings)),
        ),
        Ok(None) => Check::failed(
            "fmp",
            format!("{server} responded in {} but has no profile of {SYMBOL}", milliseconds(time)),
            "check --fmp-url: the server is not FMP",
        ),
        Err(error) => Check::failed("fmp", format!("{server}: {error}"), fix(&error)),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// The limits of the configured plan. FMP does not tell which plan a key has.
fn limits(settings: &ClientSettings) -> String {
    let limits = settings.plan.limits().with(settings.bytes, settings.burst);
    let parts = [
        limits.per_minute.map(|calls| format!("{calls} calls per minute")),
        limits.burst.map(|calls| format!("at most {calls} at once")),
        limits.per_day.map(|calls| format!("{calls} calls per day")),
        limits.bytes.map(|bytes| format!("{} per 30 days", crate::render::bytes(bytes))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => format!("plan {}: no limits", settings.plan),
        false => format!("plan {}: {}", settings.plan, parts.join(", ")),
    }
}

/// The next step of the user.
fn fix(error: &Error) -> &'static str {
    match error {
        Error::Stop(_) => "check FMP_API_KEY on your dashboard at financialmodelingprep.com",
        Error::Budget(_) | Error::CallLimit(_) => {
            "wait until the limit of the key resets, or use a larger plan"
        }
        Error::NotInPlan(_) => "check the plan of the key at financialmodelingprep.com",
        Error::Retry { .. } | Error::Unreachable(_) => {
            "check the network and the address in --fmp-url, and try again later"
        }
        _ => "fix the problem that the message names",
    }
}
