//! Daily price bars.

use crate::formulas::label;
use chrono::NaiveDate;
use findata_domain::{Result, catalog};

use super::{
    build::unit_text,
    facts::Facts,
    figure::Figure,
    rows::{Row, figure},
};

const FACT: &str = "fact_daily_prices";

impl Facts<'_> {
    /// A figure of a session's bar.
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
        let currency = self.quote_currency()?;
        to.value = figure(&row, column);
        to.unit = match column {
            "change_percent" => Some("percent".into()),
            _ => unit_text(FACT, column, currency.as_deref()),
        };
        let Some(staged) = of("staging.prices")? else {
            return Ok(to);
        };
        let dataset = catalog::PRICES;
        if column == "adj_close" {
            let close = self.bar(day, "close_price")?;
            let factor = match (to.value, close.value) {
                (Some(adjusted), Some(close)) if close != 0.0 => Some(adjusted / close),
                _ => None,
            };
            let later = self.first(&format!(
                "select count(*) as n, max(ex_date) as last from dividend_events where ex_date > date '{day}' \
                 and ex_date <= (select max(price_date) from price_bars)"
            ))?;
            let later = later.unwrap_or_default();
            let count = later.get("n").cloned().unwrap_or_default();
            let note =
                format!("dividends with a later ex-date, each as 1 − dividend ÷ previous close: {count}");
            to.inputs = vec![
                Figure { name: "close_price".into(), ..close },
                Figure {
                    value: factor,
                    notes: vec![note],
                    ..Figure::named("dividends_to_come")
                },
            ];
            (to.formula, to.expression) = (
                Some("close price × dividends to come".into()),
                Some("close_price * dividends_to_come".into()),
            );
            return Ok(to);
        }
        if column == "as_traded_close" || column == "split_factor" {
            // The number of shares that one share of that day is today.
            let factor = figure(&row, "split_factor");
            let split = Figure {
                value: factor,
                notes: vec![self.splits()?],
                ..Figure::named("split_factor")
            };
            to.inputs = vec![split];
            (to.formula, to.expression) =
                (Some("shares today for each share then".into()), Some("split_factor".into()));
            if column == "as_traded_close" {
                to.inputs.insert(0, self.bar(day, "close_price")?);
                to.formula = Some("close price × split factor".into());
                to.expression = Some("close_price * split_factor".into());
            }
            return Ok(to);
        }
        let source = self.source(dataset, &staged, column)?;
        match self.factor(&staged)?.filter(|_| column != "change_percent") {
            None => {
                to.source = source;
                if to.value.is_none() {
                    let sent = to.source.as_ref().and_then(|s| s.sent.clone());
                    to.notes.push(sent.map_or("FMP's response has no such field".into(), |sent| {
                        format!("FMP sent {sent}")
                    }));
                }
            }
            Some(factor) => {
                let received = Figure {
                    label: format!("{} as received", label(column)),
                    value: figure(&staged, column),
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
                let sign = if column == "volume" { ("×", "*") } else { ("÷", "/") };
                to.formula = Some(format!("{} as received {} basis factor", label(column), sign.0));
                to.expression = Some(format!("{} {} basis_factor", received.name, sign.1));
                to.inputs = vec![received, factor];
            }
        }
        Ok(to)
    }
}
