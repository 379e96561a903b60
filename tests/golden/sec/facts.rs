//! SEC company facts: what was filed, by item, length and end of the period.
//!
//! The file has every number once per filing: first in its own report, then as a comparative in
//! later ones. Amounts are taken from the last filing, because FMP overwrites in place and because
//! only restated quarters add up to the filed year (NVIDIA restated two quarters of fiscal 2017
//! during the year). Per-share figures and share counts are taken from the first filing, because
//! they are on the split basis of their filing. The `fy` and `fp` fields of a fact name the report
//! it was in, not the period it describes, so they are ignored.

use std::{collections::BTreeMap, fs};

use chrono::{Datelike, NaiveDate};
use findata_tests::shared_folder;
use serde_json::{Number, Value};

/// The items that are read.
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

/// Items with their unit and the tags they were filed under over the years.
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

/// The length of a period; the number is in quarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    Instant = 0,
    Quarter = 1,
    Half = 2,
    NineMonths = 3,
    Year = 4,
}

impl Span {
    /// The span of this many days, including periods of 13, 14, 26, 27, 39, 40, 52 and 53 weeks;
    /// `None` for anything else.
    fn of(days: i64) -> Option<Span> {
        match days {
            80..=100 => Some(Span::Quarter),
            170..=192 => Some(Span::Half),
            260..=290 => Some(Span::NineMonths),
            350..=380 => Some(Span::Year),
            _ => None,
        }
    }

    /// From the beginning of the fiscal year to the end of that quarter.
    pub(super) fn to_date(number: u32) -> Span {
        [Span::Quarter, Span::Half, Span::NineMonths, Span::Year][number as usize - 1]
    }
}

/// A number as filed.
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

/// A company's facts; the filings of each number are sorted oldest first.
#[derive(Debug)]
pub(super) struct Facts {
    filed: BTreeMap<(Item, Span, NaiveDate), Vec<Filed>>,
    /// The ends of the fiscal years.
    years: Vec<NaiveDate>,
    /// Every quarter after the first year end, oldest first.
    pub(super) quarters: Vec<Quarter>,
}

impl Facts {
    /// Reads a file; `None` if it is absent.
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
                // A proxy statement tags figures used for executive pay, not reported ones.
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

    /// The period ends of an item.
    pub(super) fn ends(&self, item: Item, span: Span) -> impl Iterator<Item = NaiveDate> + '_ {
        self.filed
            .keys()
            .filter(move |(i, s, _)| (*i, *s) == (item, span))
            .map(|(_, _, end)| *end)
    }

    /// The end of a fiscal year, named by the calendar year in which it ends.
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

    /// All quarters. The number of a quarter follows from the days since the last year end.
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
