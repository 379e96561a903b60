//! Generates companies: draws their properties from random numbers and applies the edge cases.

use super::{Company, Split};
use crate::edge_cases::{EdgeCase, Fiscal, Fixed};
use crate::rng::Draw;
use crate::world::World;
use chrono::{Datelike, Duration, NaiveDate};

/// An industry: sector, name, range of the gross margin, R&D as a share of operating expenses, and
/// inventory divided by yearly revenue.
type Industry = (&'static str, &'static str, (f64, f64), f64, f64);

const INDUSTRIES: [Industry; 22] = [
    ("Technology", "Consumer Electronics", (0.38, 0.48), 0.5, 0.02),
    ("Technology", "Software - Infrastructure", (0.62, 0.82), 0.45, 0.0),
    ("Technology", "Semiconductors", (0.45, 0.70), 0.6, 0.12),
    ("Consumer Cyclical", "Specialty Retail", (0.30, 0.48), 0.2, 0.10),
    ("Communication Services", "Internet Content & Information", (0.55, 0.80), 0.45, 0.0),
    ("Consumer Defensive", "Discount Stores", (0.20, 0.30), 0.0, 0.10),
    ("Energy", "Oil & Gas Integrated", (0.25, 0.38), 0.05, 0.07),
    ("Healthcare", "Drug Manufacturers - General", (0.60, 0.75), 0.5, 0.13),
    ("Consumer Defensive", "Beverages - Non-Alcoholic", (0.50, 0.62), 0.03, 0.09),
    ("Financial Services", "Banks - Diversified", (0.50, 0.62), 0.0, 0.0),
    ("Financial Services", "Insurance - Diversified", (0.22, 0.34), 0.0, 0.05),
    ("Financial Services", "Asset Management", (0.45, 0.70), 0.0, 0.0),
    ("Industrials", "Industrial - Machinery", (0.28, 0.42), 0.15, 0.15),
    ("Consumer Cyclical", "Restaurants", (0.30, 0.45), 0.0, 0.02),
    ("Healthcare", "Biotechnology", (0.60, 0.85), 0.7, 0.10),
    ("Basic Materials", "Other Precious Metals", (0.28, 0.45), 0.04, 0.12),
    ("Consumer Cyclical", "Auto - Manufacturers", (0.17, 0.24), 0.3, 0.14),
    ("Utilities", "Regulated Electric", (0.32, 0.45), 0.0, 0.04),
    ("Real Estate", "REIT - Industrial", (0.55, 0.72), 0.0, 0.0),
    ("Healthcare", "Medical - Devices", (0.50, 0.66), 0.35, 0.14),
    ("Industrials", "Aerospace & Defense", (0.16, 0.30), 0.2, 0.16),
    ("Technology", "Information Technology Services", (0.28, 0.40), 0.1, 0.01),
];

const EXCHANGES: [(&str, &str); 3] = [
    ("NASDAQ", "NASDAQ Global Select"),
    ("NYSE", "New York Stock Exchange"),
    ("AMEX", "New York Stock Exchange Arca"),
];

const FIRST_WORDS: [&str; 24] = [
    "Alder", "Bright", "Cobalt", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Iron", "Juniper",
    "Keystone", "Lumen", "Meridian", "North", "Orchard", "Pioneer", "Quarry", "Ridge", "Summit", "Tidal",
    "Union", "Vertex", "Willow", "Zenith",
];
const SECOND_WORDS: [&str; 16] = [
    "Systems",
    "Energy",
    "Brands",
    "Materials",
    "Networks",
    "Foods",
    "Health",
    "Logistics",
    "Capital",
    "Robotics",
    "Labs",
    "Retail",
    "Power",
    "Devices",
    "Partners",
    "Resources",
];
const ENDINGS: [&str; 6] = ["Inc.", "Corporation", "Group", "Holdings, Inc.", "Co.", "Ltd."];

// Item number of the random numbers that define a company. The meaning of an item number and of
// each index must never change. Otherwise every seed would produce different data.
const IDENTITY: u64 = 1;

impl Company {
    /// Creates a company with a fixed symbol.
    pub(super) fn fixed(world: &World, fixed: &Fixed) -> Self {
        let mut company = Company::drawn(world, fixed.symbol, fixed.industry);
        let (price, cap, revenue) = fixed.scale;
        company.name = fixed.name.to_owned();
        company.edge_case = fixed.edge_case;
        company.fiscal = fixed.fiscal;
        let old = fixed.symbol.len() <= 3 || fixed.symbol.contains('-');
        company.exchange = EXCHANGES[usize::from(old)];
        company.price = price;
        company.shares = cap * 1e9 / price;
        company.size = revenue * 1e9;
        // Chooses earnings for a price-earnings ratio near 26, within the net margins of the
        // industry.
        company.net_margin = (cap / revenue / 26.0).clamp(0.02, company.gross_margin * 0.6);
        company.ipo = NaiveDate::from_ymd_opt(1994, 5, 17).unwrap_or(company.ipo);
        company.splits.clear();
        company.apply_edge_case(world);
        company.derive_rest()
    }

    /// Generates a company from the seed and its symbol.
    pub(super) fn generated(world: &World, symbol: &str) -> Self {
        let industry = Draw::new(world.seed, symbol).item(IDENTITY).whole(0, 0, INDUSTRIES.len() as i64 - 1);
        // Replaces the bank industry, because banks are an edge case: only the fixed bank is in it.
        let industry = if industry == 9 { 21 } else { industry.unsigned_abs() as usize };
        Company::drawn(world, symbol, industry).derive_rest()
    }

    fn drawn(world: &World, symbol: &str, industry: usize) -> Self {
        let draw = Draw::new(world.seed, symbol);
        let d = draw.item(IDENTITY);
        let (sector, industry, gross, research, inventory) =
            INDUSTRIES.get(industry).copied().unwrap_or(INDUSTRIES[0]);
        let cap = 10f64.powf(d.between(1, 8.6, 11.2));
        let price = d.between(2, 18.0, 320.0).round();
        let gross_margin = d.between(3, gross.0, gross.1);
        let net_margin = d.between(4, 0.03, 0.55 * gross_margin);
        let fiscal = match d.whole(5, 0, 19) {
            0..=13 => Fiscal::Month(12),
            14 => Fiscal::Month(6),
            15 => Fiscal::Month(9),
            16 => Fiscal::Month(3),
            17 => Fiscal::Weeks { month: 9, nearest: false, back: 0, quarter: 13 },
            18 => Fiscal::Weeks { month: 12, nearest: true, back: 0, quarter: 13 },
            _ => Fiscal::Weeks { month: 1, nearest: true, back: 1, quarter: 13 },
        };
        let year = if d.chance(6, 0.75) {
            d.whole(7, 1972, 2009)
        } else {
            d.whole(7, 2010, 2021)
        } as i32;
        let day = |index, year| {
            NaiveDate::from_ymd_opt(year, d.whole(index, 1, 12) as u32, d.whole(index + 1, 1, 28) as u32)
                .unwrap_or_default()
        };
        let mut splits = Vec::new();
        if d.chance(8, 0.12) {
            let (numerator, denominator) = d.pick(9, &[(2, 1), (3, 1), (4, 1), (3, 2), (1, 10)], (2, 1));
            let on = world.calendar.at_or_after(day(20, d.whole(10, 2014, 2023) as i32));
            splits.extend(world.calendar.day(on).map(|day| Split { day, numerator, denominator }));
        }
        let words = [
            d.pick(11, &FIRST_WORDS, "Alder"),
            d.pick(12, &SECOND_WORDS, "Systems"),
            d.pick(13, &ENDINGS, "Inc."),
        ];
        Company {
            symbol: symbol.to_owned(),
            name: format!("{} {} {}", words[0], words[1], words[2]),
            edge_case: EdgeCase::Ordinary,
            draw,
            sector,
            industry,
            exchange: d.pick(14, &EXCHANGES, EXCHANGES[0]),
            cik: 100_000 + d.bits(15) % 1_900_000,
            country: "US",
            reported: "USD",
            fiscal,
            ipo: day(22, year),
            delisted: None,
            splits,
            price,
            shares: cap / price,
            dilution: d.between(16, -0.03, 0.02),
            size: cap / (d.between(17, 12.0, 34.0) * net_margin),
            growth: d.between(18, -0.03, 0.14),
            gross_margin,
            net_margin,
            research,
            inventory,
            dividend: if d.chance(19, 0.55) {
                price * d.between(24, 0.006, 0.024)
            } else {
                0.0
            },
            beta: (d.between(25, 0.45, 1.7) * 1_000.0).round() / 1_000.0,
            sigma: d.between(26, 0.009, 0.022),
            rate: 1.0,
            unit: 1,
        }
    }

    /// Sets the properties that define the company's edge case.
    fn apply_edge_case(&mut self, world: &World) {
        let year = world.anchor.year();
        match self.edge_case {
            EdgeCase::FiscalYearChange => self.fiscal = Fiscal::Changed(year - 2),
            EdgeCase::NegativeEquity => self.dividend = self.price * 0.02,
            EdgeCase::ZeroRevenue => {
                self.dividend = 0.0;
                self.size = 0.4e9;
                self.shares = 4e7;
                self.dilution = 0.08;
            }
            EdgeCase::ForeignCurrency | EdgeCase::CurrencyChange => {
                let yen = self.symbol.starts_with("JPY");
                (self.reported, self.country, self.rate) =
                    if yen { ("JPY", "JP", 150.0) } else { ("EUR", "NL", 0.92) };
            }
            EdgeCase::RecentSplit => {
                let on = world.calendar.at_or_after(world.anchor - Duration::days(21));
                self.splits.extend(world.calendar.day(on).map(|day| Split {
                    day,
                    numerator: 4,
                    denominator: 1,
                }));
                self.dividend = self.price * 0.008;
            }
            EdgeCase::Delisted => self.delisted = Some(world.anchor - Duration::days(120)),
            EdgeCase::FreshIpo => {
                let last = world.calendar.at_or_before(world.anchor).unwrap_or(0);
                self.ipo = world.calendar.day(last.saturating_sub(39)).unwrap_or(self.ipo);
                self.dividend = 0.0;
            }
            EdgeCase::Etf => self.dividend = self.price * 0.013,
            EdgeCase::Index => {
                self.dividend = 0.0;
                self.sigma = 0.0;
                self.beta = 1.0;
            }
            _ => {}
        }
    }

    /// Sets the properties that follow from other properties.
    fn derive_rest(mut self) -> Self {
        self.shares = self.shares.round();
        self.size *= self.rate;
        self.unit = match self.size {
            s if s >= 20e9 => 1_000_000,
            s if s >= 0.3e9 => 1_000,
            _ => 1,
        };
        self
    }
}
