//! Reads and checks one entry.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use findata_domain::{
    Symbol,
    catalog::{self, Column, Kind as ColumnKind},
    decimal,
    file_faults::{Fault, line_of},
};
use findata_pipeline::corrections::{Correction, Kind};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The columns of the profile that can be corrected. The other columns change daily or determine no
/// figure.
const PROFILE: [&str; 3] = ["sector", "industry", "currency"];
/// The text of a statement that can be corrected.
const CURRENCY: &str = "reported_currency";
const QUARTERS: [&str; 4] = ["Q1", "Q2", "Q3", "Q4"];
/// Upper limit of a number of shares and of a ratio.
const MAX_SHARES: &str = "1000000000000000000";

/// Reads an entry that begins in `line`. Adds its faults; `None` if there are any.
pub(super) fn read(
    text: &str,
    line: u64,
    table: &DeTable<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Correction> {
    let before = faults.len();
    let mut entry = Entry { text, line, table, known: BTreeSet::new(), faults };
    let correction = entry.correction();
    entry.report_unknown_keys();
    correction.filter(|_| faults.len() == before)
}

/// An entry, and the faults found so far.
struct Entry<'a, 'b> {
    text: &'a str,
    line: u64,
    table: &'a DeTable<'a>,
    /// The keys that entries of its kind have.
    known: BTreeSet<&'static str>,
    faults: &'b mut Vec<Fault>,
}

impl<'a> Entry<'a, '_> {
    fn correction(&mut self) -> Option<Correction> {
        let kind = self.kind();
        let symbol = self.symbol();
        let (reason, decided_on) = (self.text_of("reason"), self.date("decided_on"));
        let Some(kind) = kind else {
            // Without a kind, it is unknown which keys are allowed.
            self.known.extend(["date", "period", "column", "value", "fiscal_year"]);
            return None;
        };
        let (mut date, mut period, mut column, mut fiscal_year) = (None, None, None, None);
        let value = match kind {
            Kind::Value => {
                let Some(found) = self.column() else {
                    // It is unknown whether the other keys are right.
                    self.known.extend(["date", "period", "value"]);
                    return None;
                };
                if !PROFILE.contains(&found.name) {
                    date = self.date("date");
                    period = self.one_of("period", &[&QUARTERS[..], &["FY"]].concat());
                }
                column = Some(found.name.to_owned());
                self.column_value(found)
            }
            Kind::PeriodLabel => {
                date = self.date("date");
                fiscal_year = self.fiscal_year();
                self.one_of("value", &QUARTERS)
            }
            Kind::ShareCount => {
                date = self.date("date");
                self.positive("value")
            }
            Kind::ShareRatio => self.positive("value"),
            Kind::Split => {
                date = self.date("date");
                self.one_of("value", &["split", "spin_off"])
            }
        };
        Some(Correction {
            symbol: symbol?,
            kind,
            date,
            period,
            column,
            value: value?,
            fiscal_year,
            reason: reason?,
            decided_on: decided_on?,
            line: self.line,
        })
    }

    fn fault(&mut self, line: u64, message: impl Into<String>) {
        self.faults.push((line, message.into()));
    }

    /// Returns a value; a missing one is a fault.
    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.insert(key);
        let found = self.table.get(key);
        if found.is_none() {
            self.fault(self.line, format!("add {key}: an entry of this kind needs it"));
        }
        found
    }

    fn line_of(&self, value: &Spanned<DeValue<'_>>) -> u64 {
        line_of(self.text, value.span().start)
    }

    fn text_of(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        match value.get_ref().as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            _ => {
                self.fault(self.line_of(value), format!("{key} must be a text in quotes, and not empty"));
                None
            }
        }
    }

    fn kind(&mut self) -> Option<Kind> {
        let names = Kind::ALL.map(Kind::as_str);
        let name = self.one_of("kind", &names)?;
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn symbol(&mut self) -> Option<Symbol> {
        let text = self.text_of("symbol")?;
        match text.parse() {
            Ok(symbol) => Some(symbol),
            Err(error) => {
                let line = self.table.get("symbol").map_or(self.line, |value| self.line_of(value));
                self.fault(line, error.to_string());
                None
            }
        }
    }

    /// Returns a text that must be one of a list; case does not matter.
    fn one_of(&mut self, key: &'static str, allowed: &[&str]) -> Option<String> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str().unwrap_or_default().trim();
        let found = allowed.iter().find(|name| name.eq_ignore_ascii_case(text));
        if found.is_none() {
            let line = self.line_of(value);
            self.fault(line, format!("{key} must be one of {}", allowed.join(", ")));
        }
        found.map(|name| (*name).to_owned())
    }

    /// Returns a date, with or without quotes.
    fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            other => other.as_str().unwrap_or_default().trim().to_owned(),
        };
        let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
        if date.is_none() {
            let line = self.line_of(value);
            self.fault(line, format!("{key} must be a date such as 2025-06-30"));
        }
        date
    }

    fn fiscal_year(&mut self) -> Option<String> {
        self.known.insert("fiscal_year");
        let value = self.table.get("fiscal_year")?;
        let year = number(value).filter(|text| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()));
        if year.is_none() {
            let line = self.line_of(value);
            self.fault(line, "fiscal_year must be a year such as 2025");
        }
        year
    }

    fn number(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        let found = number(value);
        if found.is_none() {
            let line = self.line_of(value);
            self.fault(line, format!("{key} must be a number of at most {} digits", decimal::INTEGER_DIGITS));
        }
        found
    }

    fn positive(&mut self, key: &'static str) -> Option<String> {
        let number = self.number(key)?;
        if decimal::is_positive(&number) && decimal::compare(&number, MAX_SHARES).is_lt() {
            return Some(number);
        }
        let line = self.table.get(key).map_or(self.line, |value| self.line_of(value));
        self.fault(line, format!("{key} must be above 0 and below 10^18"));
        None
    }

    /// Returns the column of a value, by findata's name or FMP's.
    fn column(&mut self) -> Option<&'static Column> {
        let name = self.text_of("column")?;
        let statements = [catalog::INCOME_STATEMENT, catalog::BALANCE_SHEET, catalog::CASH_FLOW];
        let of_statements = statements.iter().flat_map(|dataset| dataset.columns).filter(|column| {
            column.name == CURRENCY || (column.kind == ColumnKind::Decimal && !column.derived())
        });
        let of_profile = catalog::PROFILE.columns.iter().filter(|column| PROFILE.contains(&column.name));
        let found =
            of_statements.chain(of_profile).find(|column| column.name == name || column.field == name);
        if found.is_none() {
            let line = self.table.get("column").map_or(self.line, |value| self.line_of(value));
            self.fault(
                line,
                format!(
                    "there is no column {name} to correct: use a column of staging.income_statement, \
                     staging.balance_sheet or staging.cash_flow (`findata dictionary` lists them), or {}",
                    PROFILE.join(", ")
                ),
            );
        }
        found
    }

    fn column_value(&mut self, column: &Column) -> Option<String> {
        match column.kind {
            ColumnKind::Decimal => self.number("value"),
            _ if column.name == CURRENCY || column.name == "currency" => self.currency("value"),
            _ => self.text_of("value"),
        }
    }

    fn currency(&mut self, key: &'static str) -> Option<String> {
        let text = self.text_of(key)?;
        // GBp, GBX and ZAc are the minor units in which some exchanges quote.
        if text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_alphabetic()) {
            return Some(text);
        }
        let line = self.table.get(key).map_or(self.line, |value| self.line_of(value));
        self.fault(line, format!("{key} must be the three letters of a currency, such as USD"));
        None
    }

    fn report_unknown_keys(&mut self) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.known.contains(key.get_ref().as_ref())) {
            let line = line_of(self.text, key.span().start);
            self.faults
                .push((line, format!("remove {}: an entry of this kind does not use it", key.get_ref())));
        }
    }
}

/// Returns the exact text of a number, which may be in quotes.
fn number(value: &Spanned<DeValue<'_>>) -> Option<String> {
    let text = match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        DeValue::String(text) => text.as_ref(),
        _ => return None,
    };
    decimal::canonical(text.replace('_', "").trim_start_matches('+'))
}
