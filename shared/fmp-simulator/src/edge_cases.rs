//! The fixed companies of every universe: a few well-known tickers, and one company for each irregularity of real
//! data. The table in [the crate's documentation](super) describes them.

use EdgeCase::*;

/// What is irregular about a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeCase {
    /// None.
    No,
    /// One quarter of last year was never published.
    MissingQuarter,
    /// Quarters of 12, 12, 12 and 16 or 17 weeks.
    LongFourthQuarter,
    /// 52 or 53 weeks, ending on the Saturday nearest to 31 January.
    Weeks53,
    /// Moved its year end from December to January, with a transition period of one month.
    FiscalYearChange,
    /// Liabilities above assets.
    NegativeEquity,
    /// No revenue at all.
    ZeroRevenue,
    /// A bank: no inventory, interest within revenue and cost.
    Bank,
    /// Two halves a year, labelled Q2 and Q4.
    SemiAnnual,
    /// Reports in euros or yen, trades in dollars.
    ForeignCurrency,
    /// Changed its reporting currency from euros to dollars.
    CurrencyChange,
    /// Split 4:1 a few weeks ago.
    RecentSplit,
    /// Restates an old quarter from revision 1 on.
    Restates,
    /// Publishes its newest quarter at revision 1.
    ReportsAnew,
    /// Left the exchange months ago.
    Delisted,
    /// 40 bars (before the anchor day) and two quarters.
    FreshIpo,
    /// A class share: written with a hyphen.
    ClassShare,
    /// Profile and quote without a market cap.
    NoMarketCap,
    /// Nulls in most fields in which FMP was seen to send null.
    Nulls,
    /// Text instead of numbers.
    TextNumbers,
    /// Duplicate rows.
    DuplicateRows,
    /// Its name contains quotes, a newline, Unicode and SQL.
    HostileName,
    /// Volumes and market caps with a fraction.
    FractionalVolume,
    /// Impossible bars.
    BadBars,
    /// A fund: prices, but no statements.
    Etf,
    /// Exponents and an amount of 30 digits.
    BigNumbers,
    /// Has not reported for most of a year.
    Stale,
    /// The index itself: prices only, in no universe.
    Index,
}

/// How a company's fiscal year runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fiscal {
    /// Ends with this month, and is named after the year it ends in.
    Month(u32),
    /// Ends on a Saturday in or near this month: 52 or 53 weeks. Named after the year it ends in, less `back`.
    Weeks {
        /// Month of the year end.
        month: u32,
        /// The Saturday nearest to the month's end, instead of the last one within it.
        nearest: bool,
        /// Subtracted from the calendar year of the end: 1 for fiscal years that end in January.
        back: i32,
        /// Weeks in each of the first three quarters; 13, or 12 with a long fourth.
        quarter: i64,
    },
    /// Two halves, the second ending with this month.
    Halves(u32),
    /// Years end in December until this one. The next consists of January only; later ones end in January.
    Changed(i32),
}

/// A company with a fixed symbol instead of a drawn one.
#[derive(Debug)]
pub(super) struct Fixed {
    pub symbol: &'static str,
    pub name: &'static str,
    /// Index into the table of industries in `company.rs`.
    pub industry: usize,
    pub fiscal: Fiscal,
    /// Around January 2025: price in dollars, market cap and yearly revenue in billions of dollars.
    pub scale: (f64, f64, f64),
    pub edge_case: EdgeCase,
}

const fn fixed(
    symbol: &'static str,
    name: &'static str,
    industry: usize,
    fiscal: Fiscal,
    scale: (f64, f64, f64),
    edge_case: EdgeCase,
) -> Fixed {
    Fixed { symbol, name, industry, fiscal, scale, edge_case }
}

const fn edge_case(
    symbol: &'static str,
    name: &'static str,
    industry: usize,
    fiscal: Fiscal,
    edge_case: EdgeCase,
) -> Fixed {
    Fixed {
        symbol,
        name,
        industry,
        fiscal,
        scale: (60.0, 12.0, 6.0),
        edge_case,
    }
}

const fn weeks(month: u32, nearest: bool, back: i32) -> Fiscal {
    Fiscal::Weeks { month, nearest, back, quarter: 13 }
}

/// How many of [`FIXED`] are ordinary; the rest are edge cases.
pub(super) const WELL_KNOWN: usize = 10;

/// Well-known tickers first, because people try them; their figures are as synthetic as the rest.
pub(super) const FIXED: &[Fixed] = &[
    fixed("AAPL", "Apple Inc.", 0, weeks(9, false, 0), (240.0, 3_600.0, 390.0), No),
    fixed("MSFT", "Microsoft Corporation", 1, Fiscal::Month(6), (420.0, 3_100.0, 260.0), No),
    fixed("NVDA", "NVIDIA Corporation", 2, weeks(1, false, 0), (135.0, 3_300.0, 120.0), No),
    fixed("AMZN", "Amazon.com, Inc.", 3, Fiscal::Month(12), (220.0, 2_300.0, 640.0), No),
    fixed("GOOGL", "Alphabet Inc.", 4, Fiscal::Month(12), (190.0, 2_320.0, 350.0), No),
    fixed("META", "Meta Platforms, Inc.", 4, Fiscal::Month(12), (600.0, 1_500.0, 160.0), No),
    fixed("WMT", "Walmart Inc.", 5, Fiscal::Month(1), (92.0, 740.0, 670.0), No),
    fixed("XOM", "Exxon Mobil Corporation", 6, Fiscal::Month(12), (108.0, 470.0, 340.0), No),
    fixed("JNJ", "Johnson & Johnson", 7, weeks(12, true, 0), (145.0, 350.0, 89.0), No),
    fixed("KO", "The Coca-Cola Company", 8, Fiscal::Month(12), (62.0, 267.0, 47.0), No),
    fixed("JPM", "JPMorgan Chase & Co.", 9, Fiscal::Month(12), (240.0, 680.0, 170.0), Bank),
    fixed(
        "BRK-B",
        "Berkshire Hathaway Inc.",
        10,
        Fiscal::Month(12),
        (455.0, 980.0, 370.0),
        ClassShare,
    ),
    fixed("SPY", "SPDR S&P 500 ETF Trust", 11, Fiscal::Month(12), (585.0, 600.0, 1.0), Etf),
    edge_case("MISSQ", "Missing Quarter Holdings", 12, Fiscal::Month(12), MissingQuarter),
    edge_case("WEEKS", "Fifty-Three Weeks Stores, Inc.", 5, weeks(1, true, 1), Weeks53),
    edge_case(
        "TWELV",
        "Twelve Week Wholesale Corp.",
        5,
        Fiscal::Weeks { month: 8, nearest: true, back: 0, quarter: 12 },
        LongFourthQuarter,
    ),
    edge_case("FYCHG", "Year End Movers plc", 12, Fiscal::Month(12), FiscalYearChange),
    edge_case("NEGEQ", "Negative Equity Brands, Inc.", 13, Fiscal::Month(12), NegativeEquity),
    edge_case("ZEROR", "Zero Revenue Therapeutics, Inc.", 14, Fiscal::Month(12), ZeroRevenue),
    edge_case("SEMIA", "Semiannual Mining Ltd.", 15, Fiscal::Halves(6), SemiAnnual),
    edge_case("EURRP", "Euro Reporting N.V.", 2, Fiscal::Month(12), ForeignCurrency),
    edge_case("JPYRP", "Yen Reporting K.K.", 16, Fiscal::Month(3), ForeignCurrency),
    edge_case("CURCH", "Currency Changers SE", 12, Fiscal::Month(12), CurrencyChange),
    edge_case("SPLIT", "Four For One Corp.", 2, Fiscal::Month(12), RecentSplit),
    edge_case("RESTA", "Restatement Industries, Inc.", 12, Fiscal::Month(12), Restates),
    edge_case("FRESH", "Freshly Reported Co.", 12, Fiscal::Month(12), ReportsAnew),
    edge_case("DELIS", "Delisted Retail Group", 5, Fiscal::Month(12), Delisted),
    edge_case("IPOED", "Forty Bars Technologies, Inc.", 1, Fiscal::Month(12), FreshIpo),
    edge_case("NOCAP", "No Market Cap Inc.", 17, Fiscal::Month(12), NoMarketCap),
    edge_case("NULLS", "Null Fields Corporation", 12, Fiscal::Month(12), Nulls),
    edge_case("TEXTS", "Texts For Numbers AG", 12, Fiscal::Month(12), TextNumbers),
    edge_case("TWICE", "Twice Told Tales Inc.", 13, Fiscal::Month(12), DuplicateRows),
    edge_case(
        "HOSTL",
        "O'Hostile \"Quoted\" & Söhne\n株式会社; '; drop table x; -- \\ {{}} $$ \u{202e}end",
        12,
        Fiscal::Month(12),
        HostileName,
    ),
    edge_case("FRACT", "Fractional Volume Trust", 18, Fiscal::Month(12), FractionalVolume),
    edge_case("BADPX", "Bad Bars Energy Corp.", 6, Fiscal::Month(12), BadBars),
    edge_case("BIGNR", "Big Numbers International", 12, Fiscal::Month(12), BigNumbers),
    edge_case("STALE", "Stale Filings, Inc.", 12, Fiscal::Month(12), Stale),
];

/// The index: has prices and quotes, but is not part of any universe.
pub(super) const INDEX: Fixed = fixed("^GSPC", "S&P 500", 11, Fiscal::Month(12), (5_900.0, 1.0, 1.0), Index);
