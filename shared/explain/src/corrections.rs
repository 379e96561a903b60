//! The user's corrections of FMP's data, which the models have applied.

use findata_domain::Result;

use crate::{
    facts::{Facts, key},
    figure::Figure,
    rows::{Key, Row, date, figure},
};

/// The values of statements in force, by period.
const VALUES: &str = "select l.fiscal_date, l.period_type, c.item, c.value, c.reason from corrected_values c \
     join vintage_periods l on l.version_id = c.version_id";

/// The other entries in force.
const OTHERS: &str = "select c.kind, c.subject_date, c.value, c.reason, c.item from staging.corrections c \
     join vintages l on l.symbol = c.symbol and c.known_from < l.cutoff and (c.known_to is null or c.known_to >= l.cutoff) \
     where c.period_type is null order by c.subject_date, c.item";

impl Facts<'_> {
    /// Returns the corrected value of a statement line, with a note; `None` if the user did not correct
    /// it. `sent` is the value that FMP sent.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn corrected(&self, of: &Key, column: &str, sent: Option<f64>) -> Result<Option<(f64, String)>> {
        let rows = self.ask(VALUES)?;
        let is_it =
            |row: &&Row| key(row).as_ref() == Some(of) && row.get("item").is_some_and(|i| i == column);
        let found = rows.iter().find(is_it);
        Ok(found.and_then(|row| {
            let value = figure(row, "value")?;
            let verb = if sent == Some(value) { "confirmed" } else { "corrected" };
            Some((value, note(verb, row)))
        }))
    }

    /// Returns a note if the user decided the label of a quarter.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn corrected_label(&self, of: &Key) -> Result<Option<String>> {
        let rows = self.corrections("period_label")?;
        let is_it = |row: &&Row| {
            let days = date(row, "subject_date").map(|day| (day - of.date).num_days().abs());
            row.get("value") == Some(&of.basis) && days.is_some_and(|days| days <= 14)
        };
        Ok(rows.iter().find(is_it).map(|row| format!("period label {}", note("corrected", row))))
    }

    /// Returns the user's entries of a kind that do not concern a value of a statement.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn corrections(&self, kind: &str) -> Result<Vec<Row>> {
        let rows = self.ask(OTHERS)?;
        Ok(rows
            .into_iter()
            .filter(|row| row.get("kind").is_some_and(|known| known == kind))
            .collect())
    }

    /// Adds notes with the user's entries of these kinds.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn note_corrections(&self, to: &mut Figure, kinds: &[&str]) -> Result<()> {
        for kind in kinds {
            for row in self.corrections(kind)? {
                let text = |name: &str| row.get(name).cloned().unwrap_or_default();
                let what = match *kind {
                    "share_ratio" => {
                        format!("{} shares of the statements for each traded share", text("value"))
                    }
                    "split" => {
                        format!(
                            "the event of {} is a {}",
                            text("subject_date"),
                            text("value").replace('_', "-")
                        )
                    }
                    "share_count" => format!("{} shares from {} on", text("value"), text("subject_date")),
                    _ => format!("{} {}", text("item"), text("value")),
                };
                to.notes.push(format!("{what}: {}", note("corrected", &row)));
            }
        }
        Ok(())
    }
}

fn note(verb: &str, row: &Row) -> String {
    format!("{verb} by the user: {}", row.get("reason").map_or("", String::as_str))
}
