//! Resolves the day of a question to a period or a session.

use chrono::NaiveDate;
use findata_domain::{Error, Result};

use crate::{
    ask::{Basis, Fact, Question},
    facts::Facts,
    rows::{Key, date},
};

impl Facts<'_> {
    /// Returns the newest period of a fact table that was known on the question's day.
    ///
    /// # Errors
    /// `Reject` if there is no such period.
    pub fn period(&self, fact: Fact, question: &Question) -> Result<Key> {
        let all: Vec<&Key> = match fact {
            Fact::Ttm => self.ttm.keys().collect(),
            Fact::Financials => self.financials.keys().collect(),
            _ => self.period_inputs.keys().collect(),
        };
        let wanted = |key: &&&Key| match (question.basis, fact) {
            (Some(basis), _) => basis.matches(&key.basis),
            // Without a basis, a ratio or growth rate is that of the trailing twelve months.
            (None, Fact::Ratios | Fact::Growth) => key.basis == "TTM",
            (None, _) => true,
        };
        let mut fitting: Vec<&Key> = all.iter().filter(wanted).copied().collect();
        if fitting.is_empty() && question.basis.is_none() {
            fitting = all;
        }
        let known = |key: &&&Key| match question.date {
            Some(day) => self.known_on(key).is_some_and(|known| known <= day),
            None => true,
        };
        // If a quarter and a year end on the same day, prefer the quarter.
        let newest = fitting.iter().filter(known).max_by_key(|k| (k.date, k.basis != "FY"));
        if let Some(key) = newest {
            return Ok((**key).clone());
        }
        let first = fitting.iter().filter_map(|k| self.known_on(k)).min();
        Err(Error::Reject(match (question.date, first) {
            (Some(day), Some(first)) => {
                format!(
                    "no such figure of {} was known on {day}: the first became known on {first}",
                    self.symbol
                )
            }
            _ => format!("{} has no known period{}", self.symbol, basis_text(question.basis)),
        }))
    }

    /// Returns the session on the question's day, or the last session before that day.
    ///
    /// # Errors
    /// `Reject` if there is no such session.
    pub fn session(&self, question: &Question) -> Result<NaiveDate> {
        let until = question.date.map_or("true".into(), |day| format!("price_date <= date '{day}'"));
        let row = self.first(&format!(
            "select max(case when {until} then price_date end) as session, min(price_date) as first \
             from analytics.fact_daily_prices where symbol = {{symbol}}"
        ))?;
        let row = row.unwrap_or_default();
        date(&row, "session").ok_or_else(|| {
            Error::Reject(match (question.date, date(&row, "first")) {
                (Some(day), Some(first)) => {
                    format!(
                        "{} has no trading session on or before {day}: its first is on {first}",
                        self.symbol
                    )
                }
                _ => format!("{} has no prices", self.symbol),
            })
        })
    }
}

fn basis_text(basis: Option<Basis>) -> String {
    basis.map(|basis| format!(" with the basis {}", basis.name())).unwrap_or_default()
}
