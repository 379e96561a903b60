//! Validated tickers. A ticker from a caller is validated before it is used in a URL, path or SQL.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A ticker in FMP's spelling: 1 to 15 characters of `A-Z 0-9 . - ^ = &`, such as `AAPL`, `BRK-B`,
/// `M&M.NS`, `0700.HK`, `^GSPC` or `EURUSD=X`.
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

    /// Returns FMP's spelling of a ticker that writes a share class with a dot: `BRK-B` for `BRK.B`,
    /// `TECK-B.TO` for `TECK.B.TO`. Returns `None` for all other tickers. Share classes are A, B and C
    /// only, because other single letters after a dot are exchanges, such as `.L`, `.V` and `.F`.
    pub fn with_hyphen(&self) -> Option<Self> {
        let mut parts = self.0.splitn(3, '.');
        let (name, class, exchange) = (parts.next()?, parts.next()?, parts.next());
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '&');
        if !is_name || !matches!(class, "A" | "B" | "C") || exchange == Some("") {
            return None;
        }
        let exchange = exchange.map(|exchange| format!(".{exchange}")).unwrap_or_default();
        Some(Symbol(format!("{name}-{class}{exchange}")))
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
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || ".-^=&".contains(c);
        let meaningful = ticker.chars().any(|c| c.is_ascii_alphanumeric());
        if (1..=15).contains(&ticker.len()) && ticker.chars().all(allowed) && meaningful {
            Ok(Symbol(ticker))
        } else {
            Err(Error::Reject(format!(
                "{text:?} is not a symbol: use 1 to 15 characters of A-Z 0-9 . - ^ = & (share classes have a hyphen: BRK-B)"
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
        let good = [
            "AAPL",
            "BRK-B",
            "^GSPC",
            "VOD.L",
            "EURUSD=X",
            "aapl",
            " MSFT ",
            "0700.HK",
            "M&M.NS",
            "J&KBANK.NS",
            "BTC-USD",
            "TECK-B.TO",
            "005930.KS",
            "GC=F",
            "^N225",
            "NOVO-B.CO",
            "FIFTEENCHARS.NS",
        ];
        for good in good {
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
            "A?B",
            "A#B",
            "A+B",
            "A\\B",
            "A:B",
            "A*",
            "A\"B",
            "A\nB",
            "&",
            "^",
            "-.=",
            "\u{ff21}APL",
            "A\u{200b}B",
        ] {
            assert!(bad.parse::<Symbol>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dot_before_a_share_class_becomes_a_hyphen() {
        let hyphen = |text: &str| text.parse::<Symbol>().unwrap().with_hyphen().map(String::from);
        for (dotted, fmp) in [
            ("BRK.B", "BRK-B"),
            ("bf.a", "BF-A"),
            ("X.C", "X-C"),
            ("TECK.B.TO", "TECK-B.TO"),
            ("A.A", "A-A"),
        ] {
            assert_eq!(hyphen(dotted).as_deref(), Some(fmp));
        }
        for kept in [
            "VOD.L", "ABC.V", "BMW.F", "BRK-B", "AAPL", "M&M.NS", "SAP.DE", "0700.HK", ".B", "^GSPC.B",
            "BRK.B.", "BRK-B.A", "BRK.AB", "A.D",
        ] {
            assert_eq!(hyphen(kept), None, "{kept}");
        }
    }
}
