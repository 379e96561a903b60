//! Fault injection: the kinds of faults, their syntax, and which calls they affect.

use super::plan;
use super::rng::Draw;
use clap::ValueEnum;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Responds with status 429 and `Limit Reach`.
    RateLimit,
    /// Responds with status 429 and `Bandwidth Limit Reach`.
    Bandwidth,
    /// Responds with status 401 and `Invalid API KEY`.
    Unauthorized,
    /// Responds with status 403 and `Account suspended`.
    Forbidden,
    /// Responds with status 403 and `Legacy Endpoint`.
    Legacy,
    /// Responds with status 402 and `Restricted Endpoint`.
    Payment,
    /// Responds with status 404 and `[]`.
    NotFound,
    /// Responds with status 500 and a page of HTML.
    ServerError,
    /// Responds with status 503 and plain text.
    Unavailable,
    /// Responds with status 200 and `{"Error Message": ...}`.
    ErrorObject,
    /// Responds with status 200 and the body of a 429 response.
    #[value(name = "limit-on-200")]
    LimitOn200,
    /// Responds with status 200 and `[]`.
    Empty,
    /// Responds with status 200 and HTML.
    Html,
    /// Responds with status 200 and plain text declared as JSON.
    PlainText,
    /// Sends half of the body as if it were complete.
    Truncated,
    /// Sends half of the body, then closes the connection.
    Reset,
    /// Sends no bytes for some seconds (30 by default), then the response.
    Stall,
    /// Sends a response that never ends.
    Endless,
    /// Sends a small gzip body that unpacks to gigabytes.
    GzipBomb,
    /// Sends the response in small pieces over some seconds (2 by default).
    Slow,
    /// Omits an important field from every row.
    MissingField,
    /// Replaces the value of an important field by an object in every row.
    RetypedField,
    /// Adds an unknown field to every row.
    ExtraField,
}

impl Kind {
    /// The kind's name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
    }
}

/// The syntax of a fault, for help texts.
pub const GRAMMAR: &str = "KIND[=SETTING[,SETTING...]] where a SETTING is one of: a share of the calls \
from 0 to 1 (example: 0.05); xN for only the first N calls of each URL (x1); Ns for the seconds of stall and slow (5s); \
an endpoint in lower case (income-statement, prices); a symbol in upper case (AAPL). If several endpoints or symbols are \
given, a call has to match one of them. Settings can also be separated by `@` instead of a comma.";

/// A fault and the calls that it affects.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: Kind,
    /// Share of the matching calls to which the fault applies, from 0 to 1.
    pub rate: f64,
    /// The affected endpoints, as paths after `/stable/`; all if empty.
    pub endpoints: Vec<String>,
    /// The affected symbols; all if empty.
    pub symbols: Vec<String>,
    /// How many calls of each URL are affected, from the first call on; all if absent.
    pub times: Option<u32>,
    /// Duration of a stall or a slow response; the kind's default if absent.
    pub time: Option<Duration>,
}

impl Fault {
    /// A fault that affects every call.
    pub fn always(kind: Kind) -> Self {
        Fault {
            kind,
            rate: 1.0,
            endpoints: Vec::new(),
            symbols: Vec::new(),
            times: None,
            time: None,
        }
    }

    /// Whether the fault applies to a call. `attempt` counts the calls of the same URL from 1.
    pub(super) fn applies_to(&self, seed: u64, call: &Call<'_>, attempt: u32) -> bool {
        let here = self.endpoints.is_empty() || self.endpoints.iter().any(|e| e == call.endpoint);
        let whom =
            self.symbols.is_empty() || call.symbols.split(',').any(|s| self.symbols.iter().any(|f| f == s));
        let draw = || Draw::new(seed, call.url).item(1_000 + self.kind as u64).unit(i64::from(attempt));
        here && whom && self.times.is_none_or(|t| attempt <= t) && (self.rate >= 1.0 || draw() < self.rate)
    }

    /// The configured duration, or the kind's default.
    pub(super) fn duration(&self) -> Duration {
        self.time.unwrap_or(Duration::from_secs(if self.kind == Kind::Stall { 30 } else { 2 }))
    }
}

/// The properties of a call that faults can match.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub endpoint: &'a str,
    /// One symbol, several separated by commas, or none.
    pub symbols: &'a str,
    /// Path and parameters, without the key.
    pub url: &'a str,
}

/// The endpoints that a fault setting names: by endpoint, by short name, or by findata dataset.
fn endpoints(name: &str) -> Result<Vec<String>, String> {
    let name = name.replace('_', "-");
    let full: &[&str] = match name.as_str() {
        "prices" => &["historical-price-eod/full"],
        "balance-sheet" => &["balance-sheet-statement"],
        "cash-flow" => &["cash-flow-statement"],
        "sp500-constituents" => &["sp500-constituent"],
        "statements" => &["income-statement", "balance-sheet-statement", "cash-flow-statement"],
        other if plan::endpoint(other).is_some() => &[other],
        _ => {
            let known: Vec<&str> = plan::ENDPOINTS.iter().map(|(name, _)| *name).collect();
            return Err(format!("unknown endpoint {name}; use prices, statements, {}", known.join(", ")));
        }
    };
    Ok(full.iter().map(|e| (*e).to_owned()).collect())
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, settings) = text.split_once('=').map_or((text, None), |(k, s)| (k, Some(s)));
        let kind = Kind::from_str(kind.trim(), true).map_err(|_| {
            let kinds: Vec<String> = Kind::value_variants().iter().map(|k| k.name()).collect();
            format!("unknown fault {kind}; use one of {}", kinds.join(", "))
        })?;
        let mut fault = Fault::always(kind);
        for setting in settings.into_iter().flat_map(|s| s.split([',', '@'])).map(str::trim) {
            fault.set(setting)?;
        }
        Ok(fault)
    }
}

impl Fault {
    fn set(&mut self, setting: &str) -> Result<(), String> {
        let times = setting.strip_prefix('x').and_then(|n| n.parse().ok());
        let seconds = setting.strip_suffix('s').and_then(|n| n.parse::<f64>().ok());
        if let Ok(rate) = setting.parse::<f64>() {
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("the share of calls must be between 0 and 1, but it is {setting}"));
            }
            self.rate = rate;
        } else if times.is_some() {
            self.times = times;
        } else if let Some(seconds) = seconds {
            self.time = Some(
                Duration::try_from_secs_f64(seconds)
                    .map_err(|_| format!("{setting} is not a valid duration"))?,
            );
        } else if setting.is_empty() {
            return Err(format!("the fault has an empty setting; the syntax is {GRAMMAR}"));
        } else if setting
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"^.-=".contains(&b))
        {
            self.symbols.push(setting.to_owned());
        } else {
            self.endpoints.extend(endpoints(setting)?);
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings = Vec::new();
        settings.extend((self.rate < 1.0).then(|| self.rate.to_string()));
        settings.extend(self.times.map(|t| format!("x{t}")));
        settings.extend(self.time.map(|t| format!("{}s", t.as_secs_f64())));
        settings.extend(self.endpoints.iter().chain(&self.symbols).cloned());
        let equals = if settings.is_empty() { "" } else { "=" };
        write!(f, "{}{equals}{}", self.kind.name(), settings.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().expect(text)
    }

    #[test]
    fn faults_round_trip_through_their_syntax() {
        for text in [
            "empty",
            "truncated=0.05",
            "server-error=x1",
            "stall=0.5,x2,5s,profile,AAPL,BRK-B",
            "reset=^GSPC",
        ] {
            assert_eq!(fault(text).to_string(), text);
        }
        assert_eq!(fault("server-error=0.2@prices").endpoints, ["historical-price-eod/full"]);
        assert_eq!(fault("empty=statements").endpoints.len(), 3);
        for text in ["", "nonsense", "empty=", "empty=2", "empty=nowhere", "stall=-1s"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_affects_only_the_calls_it_selects() {
        fn call<'a>(endpoint: &'a str, symbols: &'a str, url: &'a str) -> Call<'a> {
            Call { endpoint, symbols, url }
        }
        let first = fault("empty=x1,profile,AAPL");
        assert!(first.applies_to(1, &call("profile", "MSFT,AAPL", "u"), 1));
        assert!(!first.applies_to(1, &call("profile", "AAPL", "u"), 2));
        assert!(!first.applies_to(1, &call("quote", "AAPL", "u"), 1));
        assert!(!first.applies_to(1, &call("profile", "MSFT", "u"), 1));
        let some = fault("empty=0.1");
        let affected = (0..2_000)
            .filter(|n| some.applies_to(1, &call("profile", "", &format!("u{n}")), 1))
            .count();
        assert!((150..250).contains(&affected), "{affected}");
    }
}
