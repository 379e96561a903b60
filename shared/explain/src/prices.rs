//! Daily price bars.

use chrono::NaiveDate;
use findata_domain::{Result, catalog};

use crate::{
    check::WHOLE,
    facts::Facts,
    figure::Figure,
    rows::{Row, figure},
    units,
    words::label,
};

const FACT: &str = "fact_daily_prices";

impl Facts<'_> {
    /// Returns a figure of a session's bar.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn bar(&self, day: NaiveDate, column: &str) -> Result<Figure> {
        let mut to = Figure::named(column);
        (to.table, to.column) = (Some(format!("analytics.{FACT}")), Some(column.into()));
        (to.basis, to.date) = (Some("PRICE".into()), Some(day.to_string()));
        let of = |table: &str| {
            self.first(&format!(
                "select * from {table} where symbol = {{symbol}} and price_date = date '{day}'"
            ))
        };
        let row: Row = of(&format!("analytics.{FACT}"))?.unwrap_or_default();
        let currency = self.quote_currency(day)?;
        to.value = figure(&row, column);
        to.unit = match column {
            "change_percent" => Some("percent".into()),
            _ => units::unit(self.models, FACT, column).map(|unit| units::text(unit, currency.as_deref())),
        };
        match column {
            "adj_close" => self.adjusted_close(&mut to, day)?,
            "split_factor" => self.split_factor(&mut to, day)?,
            "as_traded_close" => {
                to.adjust(self.bar(day, "close_price")?, self.bar(day, "split_factor")?, true);
            }
            _ => {
                if let Some(staged) = of("staging.prices")? {
                    self.received(&mut to, &staged, column)?;
                }
            }
        }
        Ok(to)
    }

    /// Explains a close that is adjusted for later dividends.
    fn adjusted_close(&self, to: &mut Figure, day: NaiveDate) -> Result<()> {
        if let Some(as_of) = self.as_of {
            // Bars have no versions, and a past day hides the sessions with the later dividends.
            to.formula = Some("close price × dividends to come".into());
            to.inputs = vec![self.bar(day, "close_price")?];
            to.notes
                .push(format!("adjusted for all dividends up to now, including those after {as_of}"));
            return Ok(());
        }
        let later: Vec<f64> = self
            .dividend_factors()?
            .into_iter()
            .filter(|(on, _)| *on > day)
            .map(|(_, factor)| factor)
            .collect();
        let note =
            format!("dividends with a later ex-date, each as 1 − dividend ÷ previous close: {}", later.len());
        let factor = Figure {
            value: Some(later.iter().product()),
            notes: vec![note],
            ..Figure::named("dividends_to_come")
        };
        to.adjust(self.bar(day, "close_price")?, factor, true);
        Ok(())
    }

    /// Explains the split factor: the number of shares today for each share on that day.
    fn split_factor(&self, to: &mut Figure, day: NaiveDate) -> Result<()> {
        let row = self.first(&format!(
            "select basis_factor from split_factors where date '{day}' >= from_date and date '{day}' < until_date"
        ))?;
        let factor = row.and_then(|row| figure(&row, "basis_factor")).unwrap_or(1.0);
        to.same_as(Figure {
            label: "shares today for each share then".into(),
            value: Some(factor),
            notes: vec![self.splits()?],
            ..Figure::named("basis_factor")
        });
        Ok(())
    }

    /// Explains a figure that FMP sent, on the newest split basis.
    fn received(&self, to: &mut Figure, staged: &Row, column: &str) -> Result<()> {
        let source = self.source(catalog::PRICES, staged, column)?;
        let value = figure(staged, column);
        let Some(factor) = self.factor(staged, "basis_factor")?.filter(|_| column != "change_percent") else {
            // The stored value is FMP's decimal, or the double next to it, or its volume as a whole number.
            to.compare(value, f64::EPSILON, if column == "volume" { WHOLE } else { 0.0 });
            if to.value.is_none() {
                let sent = source.as_ref().and_then(|s| s.sent.clone());
                to.notes.push(
                    sent.map_or("FMP's response has no such field".into(), |sent| format!("FMP sent {sent}")),
                );
            }
            to.source = source;
            return Ok(());
        };
        let received = Figure {
            label: format!("{} as received", label(column)),
            value,
            unit: to.unit.clone(),
            date: to.date.clone(),
            source,
            ..Figure::named(&format!("received_{column}"))
        };
        let factor = Figure {
            value: Some(factor),
            notes: vec![self.splits()?],
            ..Figure::named("basis_factor")
        };
        to.adjust(received, factor, column == "volume");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use findata_models::Models;

    use super::*;

    #[test]
    fn every_figure_of_a_bar_is_computed_here_or_a_field_of_fmp() {
        for column in Models::built_in().unwrap().columns(FACT).iter().filter(|c| c.is_figure()) {
            let name = column.name.as_str();
            let is_field = catalog::PRICES.columns.iter().any(|c| c.name == name && !c.field.is_empty());
            assert!(is_field || ["adj_close", "split_factor", "as_traded_close"].contains(&name), "{name}");
        }
    }
}
