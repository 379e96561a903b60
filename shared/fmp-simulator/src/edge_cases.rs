//! The companies with fixed symbols: a few well-known tickers, and companies with the
//! irregularities of real data. The table in [the crate's documentation](super) describes the
//! irregularities.

use EdgeCase::*;

/// The irregularity in a company's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeCase {
    /// No irregularity.
    Ordinary,
    /// Never published one quarter of the year before the anchor day's year.
    MissingQuarter,
    /// Has quarters of 12, 12, 12 and 16 or 17 weeks.
    LongFourthQuarter,
    /// Has fiscal years of 52 or 53 weeks that end on the Saturday nearest to 31 January.
    Weeks53,
    /// Moved its year end from December to January, with a transition period of one month.
    FiscalYearChange,
    /// Has liabilities above its assets.
    NegativeEquity,
    /// Has no revenue.
    ZeroRevenue,
    /// Is a bank: has no inventory, and interest is part of revenue and cost.
    Bank,
    /// Reports half-years, labelled Q2 and Q4.
    SemiAnnual,
    /// Reports in euros or yen, but trades in dollars.
    ForeignCurrency,
    /// Changed its reporting currency from euros to dollars.
    CurrencyChange,
    /// Had a 4:1 split a few weeks before the anchor day.
    RecentSplit,
    /// Restates an old quarter from revision 1 on.
    Restates,
    /// Publishes its newest quarter at revision 1.
    NewQuarter,
    /// Was delisted months before the anchor day.
    Delisted,
    /// Was listed recently: has 40 price bars up to the anchor day, and two quarters.
    FreshIpo,
    /// Is a share class, whose symbol has a hyphen.
    ClassShare,
    /// Has no market cap in its profile and quote.
    NoMarketCap,
    /// Has nulls in most fields in which FMP was seen to send null.
    Nulls,
    /// Has text in number fields.
    TextNumbers,
    /// Has duplicate rows.
    DuplicateRows,
    /// Has quotes, a newline, non-ASCII characters and SQL in its name.
    HostileName,
    /// Has fractional volumes and market caps.
    FractionalVolume,
    /// Has invalid price bars.
    BadBars,
    /// Is a fund: has prices, but no statements.
    Etf,
    /// Has numbers in exponent notation, and amounts of 30 digits.
    BigNumbers,
    /// Has published no quarter that ends in the 300 days before the anchor day.
    Stale,
    /// Is the index: has only prices and a quote, and is not part of any universe.
    Index,
}

/// The pattern of a company's fiscal years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fiscal {
    /// The fiscal year ends with this month, and is named after the calendar year of its end.
    Month(u32),
    /// The fiscal year ends on a Saturday in or near `month`, after 52 or 53 weeks.
    Weeks {
        /// Month of the year end.
        month: u32,
        /// Whether the year ends on the Saturday nearest to the month's end, instead of the last
        /// Saturday of the month.
        nearest: bool,
        /// The name of the fiscal year is the calendar year of its end minus this number: 1 for
        /// some retailers whose fiscal year ends in January, otherwise 0.
        back: i32,
        /// Weeks in each of the first three quarters: 13, or 12 for a company whose fourth quarter has 16
        /// or 17.
        quarter: i64,
    },
    /// The fiscal year has two half-years. The second one ends with this month.
    Halves(u32),
    /// Up to this fiscal year, the year ends in December. The next fiscal year consists of January
    /// only, and later fiscal years end in January.
    Changed(i32),
}

/// A company with a fixed symbol instead of a generated one.
#[derive(Debug)]
pub(super) struct Fixed {
    pub symbol: &'static str,
    pub name: &'static str,
    /// Index into the table of industries.
    pub industry: usize,
    pub fiscal: Fiscal,
    /// Price in dollars, market cap in billions of dollars and yearly revenue in billions of
    /// dollars, as of January 2025.
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

/// How many companies at the start of [`FIXED`] are ordinary. The other companies are edge cases.
pub(super) const WELL_KNOWN: usize = 10;

/// All companies with fixed symbols. The well-known tickers are first, because users type them.
/// Their figures are synthetic too.
pub(super) const FIXED: &[Fixed] = &[
    fixed("AAPL", "Apple Inc.", 0, weeks(9, false, 0), (240.0, 3_600.0, 390.0), Ordinary),
    fixed("MSFT", "Microsoft Corporation", 1, Fiscal::Month(6), (420.0, 3_100.0, 260.0), Ordinary),
    fixed("NVDA", "NVIDIA Corporation", 2, weeks(1, false, 0), (135.0, 3_300.0, 120.0), Ordinary),
    fixed("AMZN", "Amazon.com, Inc.", 3, Fiscal::Month(12), (220.0, 2_300.0, 640.0), Ordinary),
    fixed("GOOGL", "Alphabet Inc.", 4, Fiscal::Month(12), (190.0, 2_320.0, 350.0), Ordinary),
    fixed("META", "Meta Platforms, Inc.", 4, Fiscal::Month(12), (600.0, 1_500.0, 160.0), Ordinary),
    fixed("WMT", "Walmart Inc.", 5, Fiscal::Month(1), (92.0, 740.0, 670.0), Ordinary),
    fixed("XOM", "Exxon Mobil Corporation", 6, Fiscal::Month(12), (108.0, 470.0, 340.0), Ordinary),
    fixed("JNJ", "Johnson & Johnson", 7, weeks(12, true, 0), (145.0, 350.0, 89.0), Ordinary),
    fixed("KO", "The Coca-Cola Company", 8, Fiscal::Month(12), (62.0, 267.0, 47.0), Ordinary),
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
    edge_case("FRESH", "Freshly Reported Co.", 12, Fiscal::Month(12), NewQuarter),
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

/// The index. It has prices and a quote, but is not part of any universe.
pub(super) const INDEX: Fixed = fixed("^GSPC", "S&P 500", 11, Fiscal::Month(12), (5_900.0, 1.0, 1.0), Index);
