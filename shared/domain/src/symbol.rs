//! Validated tickers. A ticker from a caller is validated before it is used in a URL, path or SQL.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A ticker in FMP's spelling: 1 to 15 characters of `A-Z 0-9 . - ^ =`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

impl Symbol {
    /// Returns the ticker as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the default index for beta and correlation, the S&P 500.
    pub fn default_index() -> Option<Self> {
        "^GSPC".parse().ok()
    }

    /// Converts a ticker that writes a share class with a dot to FMP's spelling: `BRK.B` becomes
    /// `BRK-B`.
    ///
    /// # Errors
    /// `Reject` if the text is not a ticker.
    pub fn from_dotted(text: &str) -> Result<Self, Error> {
        text.replace('.', "-").parse()
    }
}

impl FromStr for Symbol {
    type Err = Error;

    /// Parses a ticker. Lower-case letters are accepted and converted to upper case.
    ///
    /// # Errors
    /// `Reject` if the text is not a ticker.
    fn from_str(text: &str) -> Result<Self, Error> {
        let ticker = text.trim().to_ascii_uppercase();
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || ".-^=".contains(c);
        let meaningful = ticker.chars().any(|c| c.is_ascii_alphanumeric());
        if (1..=15).contains(&ticker.len()) && ticker.chars().all(allowed) && meaningful {
            Ok(Symbol(ticker))
        } else {
            Err(Error::Reject(format!(
                "{text:?} is not a symbol: use 1 to 15 characters of A-Z 0-9 . - ^ = (share classes have a hyphen: BRK-B)"
            )))
        }
    }
}

impl TryFrom<String> for Symbol {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> String {
        symbol.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tickers_are_accepted() {
        for good in ["AAPL", "BRK-B", "^GSPC", "VOD.L", "EURUSD=X", "aapl", " MSFT ", "0700.HK"] {
            assert!(good.parse::<Symbol>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A/B",
            "A'B",
            "A B",
            "A;B",
            "..",
            "../A",
            "A\0",
            "ÄPL",
            "SIXTEENLETTERSXX",
            "A,B",
            "A%2F",
        ] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
        assert_eq!(Symbol::from_dotted("BRK.B").map(String::from), Ok("BRK-B".into()));
    }
}
