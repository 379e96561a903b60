//! SEC company facts: the filed numbers by item, length of the period, and end of the period.
//!
//! The file has every number once per filing: first in the report of its own period, then as a
//! comparative in later reports. Amounts are taken from the last filing, because FMP overwrites in
//! place and because only restated quarters add up to the filed year (NVIDIA restated two quarters
//! of fiscal 2017 during the year). Per-share figures and share counts are taken from the first
//! filing, because each filing uses its own split basis. The fields `fy` and `fp` name the report
//! that contains the fact, not the period that the fact describes, so they are ignored.

use std::{collections::BTreeMap, fs};

use chrono::{Datelike, NaiveDate};
use findata_tests::shared_folder;
use serde_json::{Number, Value};

/// The items that the tests read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Revenue,
    NetIncome,
    Assets,
    Equity,
    OperatingCash,
    Capex,
    Eps,
    EpsDiluted,
    Shares,
    SharesDiluted,
}

/// Each item with its unit and the tags under which companies filed it over the years.
const TAGS: [(Item, &str, &[&str]); 10] = [
    (
        Item::Revenue,
        "USD",
        &["Revenues", "SalesRevenueNet", "RevenueFromContractWithCustomerExcludingAssessedTax"],
    ),
    (Item::NetIncome, "USD", &["NetIncomeLoss"]),
    (Item::Assets, "USD", &["Assets"]),
    (Item::Equity, "USD", &["StockholdersEquity"]),
    (
        Item::OperatingCash,
        "USD",
        &[
            "NetCashProvidedByUsedInOperatingActivities",
            "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
        ],
    ),
    (
        Item::Capex,
        "USD",
        &["PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsToAcquireProductiveAssets"],
    ),
    (Item::Eps, "USD/shares", &["EarningsPerShareBasic"]),
    (Item::EpsDiluted, "USD/shares", &["EarningsPerShareDiluted"]),
    (Item::Shares, "shares", &["WeightedAverageNumberOfSharesOutstandingBasic"]),
    (Item::SharesDiluted, "shares", &["WeightedAverageNumberOfDilutedSharesOutstanding"]),
];

/// The length of a period. The value of each variant is the length in quarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    Instant = 0,
    Quarter = 1,
    Half = 2,
    NineMonths = 3,
    Year = 4,
}

impl Span {
    /// The span of a period of this many days; `None` for any other length. Periods of whole weeks
    /// have 13, 14, 26, 27, 39, 40, 52 or 53 weeks.
    fn of(days: i64) -> Option<Span> {
        match days {
            80..=100 => Some(Span::Quarter),
            170..=192 => Some(Span::Half),
            260..=290 => Some(Span::NineMonths),
            350..=380 => Some(Span::Year),
            _ => None,
        }
    }

    /// The span from the beginning of the fiscal year to the end of its quarter `number`.
    pub(super) fn to_date(number: u32) -> Span {
        [Span::Quarter, Span::Half, Span::NineMonths, Span::Year][number as usize - 1]
    }
}

/// A number with the day of its filing.
#[derive(Debug, Clone)]
struct Filed {
    on: NaiveDate,
    value: Number,
}

/// A quarter of a fiscal year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quarter {
    pub(super) year: i32,
    pub(super) number: u32,
    pub(super) end: NaiveDate,
}

/// A company's facts. The filings of each number are sorted, oldest first.
#[derive(Debug)]
pub(super) struct Facts {
    filed: BTreeMap<(Item, Span, NaiveDate), Vec<Filed>>,
    /// The ends of the fiscal years, oldest first.
    years: Vec<NaiveDate>,
    /// Every quarter after the first fiscal year end, oldest first.
    pub(super) quarters: Vec<Quarter>,
}

impl Facts {
    /// Reads a company's file; `None` if the file does not exist.
    pub(super) fn read(file: &str) -> Option<Facts> {
        let path = shared_folder(&format!("sec/{file}"))?;
        let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut filed: BTreeMap<_, Vec<Filed>> = BTreeMap::new();
        for (item, unit, tags) in TAGS {
            for fact in tags
                .iter()
                .flat_map(|tag| all["facts"]["us-gaap"][tag]["units"][unit].as_array())
                .flatten()
            {
                // A proxy statement tags figures used for executive pay, which are not the reported
                // ones.
                if fact["form"] == "DEF 14A" {
                    continue;
                }
                let date = |name: &str| fact[name].as_str().map(|day| day.parse::<NaiveDate>().unwrap());
                let (end, on) = (date("end").unwrap(), date("filed").unwrap());
                let span = match date("start") {
                    None => Some(Span::Instant),
                    Some(start) => Span::of((end - start).num_days() + 1),
                };
                let Some(span) = span else { continue };
                let value = fact["val"].as_number().unwrap().clone();
                filed.entry((item, span, end)).or_default().push(Filed { on, value });
            }
        }
        for versions in filed.values_mut() {
            versions.sort_by_key(|version| version.on);
        }
        let years = filed.keys().filter(|(item, span, _)| (*item, *span) == (Item::NetIncome, Span::Year));
        let years = years.map(|(_, _, end)| *end).collect();
        let mut facts = Facts { filed, years, quarters: Vec::new() };
        facts.quarters = facts.list_quarters();
        Some(facts)
    }

    /// An amount as last filed.
    pub(super) fn amount(&self, item: Item, span: Span, end: NaiveDate) -> Option<i64> {
        self.filed.get(&(item, span, end))?.last()?.value.as_i64()
    }

    /// A number as first filed.
    pub(super) fn at_first(&self, item: Item, span: Span, end: NaiveDate) -> Option<&Number> {
        Some(&self.filed.get(&(item, span, end))?.first()?.value)
    }

    /// The first and the last day on which a number was filed.
    pub(super) fn days(&self, item: Item, span: Span, end: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let versions = self.filed.get(&(item, span, end))?;
        Some((versions.first()?.on, versions.last()?.on))
    }

    /// The ends of the periods for which an item was filed.
    pub(super) fn ends(&self, item: Item, span: Span) -> impl Iterator<Item = NaiveDate> + '_ {
        self.filed
            .keys()
            .filter(move |(i, s, _)| (*i, *s) == (item, span))
            .map(|(_, _, end)| *end)
    }

    /// The end of the fiscal year that ends in this calendar year.
    pub(super) fn year_end(&self, year: i32) -> NaiveDate {
        *self
            .years
            .iter()
            .find(|end| end.year() == year)
            .unwrap_or_else(|| panic!("no fiscal {year}"))
    }

    /// The last fiscal year end before a day.
    pub(super) fn year_end_before(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.years.iter().rev().find(|end| **end < day).copied()
    }

    /// All quarters. The number of a quarter follows from the days since the previous fiscal year
    /// end.
    fn list_quarters(&self) -> Vec<Quarter> {
        let mut ends: Vec<NaiveDate> =
            self.ends(Item::NetIncome, Span::Quarter).chain(self.years.clone()).collect();
        ends.sort();
        ends.dedup();
        let quarter = |end: NaiveDate| {
            let begin = self.year_end_before(end)?;
            let number = ((end - begin).num_days() as f64 / 91.25).round() as u32;
            let year = self
                .years
                .iter()
                .find(|year_end| **year_end >= end)
                .map_or(begin.year() + 1, Datelike::year);
            Some(Quarter { year, number, end })
        };
        ends.into_iter().filter_map(quarter).collect()
    }
}
