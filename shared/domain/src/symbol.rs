//! Validated tickers. A ticker from a caller is validated before it is used in a URL, path or SQL.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

use crate::Error;

/// A ticker in FMP's spelling: 1 to 15 characters of `A-Z 0-9 . - ^ = &`, such as `AAPL`, `BRK-B`,
/// `M&M.NS`, `0700.HK`, `^GSPC` or `EURUSD=X`.
///
/// The text is stored in place and padded with zeros: a plan of 50,000 companies has 550,000 symbols. Padded texts
/// compare like the texts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Symbol([u8; MAX_LENGTH]);

/// Most characters of a ticker.
const MAX_LENGTH: usize = 15;

impl Symbol {
    /// Returns the ticker as text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_LENGTH);
        // Only ASCII characters are stored.
        str::from_utf8(&self.0[..length]).unwrap_or_default()
    }

    /// Stores a text, whose characters the caller checks; `None` if it is too long.
    fn of(ticker: &str) -> Option<Self> {
        let mut bytes = [0; MAX_LENGTH];
        bytes.get_mut(..ticker.len())?.copy_from_slice(ticker.as_bytes());
        Some(Symbol(bytes))
    }

    /// Returns the default index for beta and correlation, the S&P 500.
    pub fn default_index() -> Option<Self> {
        "^GSPC".parse().ok()
    }

    /// Returns FMP's spelling of a ticker that writes a share class with a dot: `BRK-B` for `BRK.B`,
    /// `TECK-B.TO` for `TECK.B.TO`. Returns `None` for all other tickers. Share classes are A, B and C
    /// only, because other single letters after a dot are exchanges, such as `.L`, `.V` and `.F`.
    pub fn with_hyphen(&self) -> Option<Self> {
        let mut parts = self.as_str().splitn(3, '.');
        let (name, class, exchange) = (parts.next()?, parts.next()?, parts.next());
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '&');
        if !is_name || !matches!(class, "A" | "B" | "C") || exchange == Some("") {
            return None;
        }
        let exchange = exchange.map(|exchange| format!(".{exchange}")).unwrap_or_default();
        Symbol::of(&format!("{name}-{class}{exchange}"))
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
        let symbol = Symbol::of(&ticker).filter(|_| ticker.chars().all(allowed) && meaningful);
        symbol.ok_or_else(|| {
            Error::Reject(format!(
                "{text:?} is not a symbol: use 1 to {MAX_LENGTH} characters of A-Z 0-9 . - ^ = & (share classes have a hyphen: BRK-B)"
            ))
        })
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
        symbol.as_str().to_owned()
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({:?})", self.as_str())
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
