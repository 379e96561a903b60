//! The share count and the dividends behind the market metrics of a session.

use chrono::NaiveDate;
use findata_domain::{Result, catalog, sql::literal};
use findata_models::metrics::Expr;

use crate::{
    build::{numbered, sum},
    check::recomputed,
    facts::Facts,
    figure::Figure,
    market::Known,
    rows::{Row, date, figure},
    units,
    words::{label, words},
};

impl Facts<'_> {
    /// Returns the share count of a session. The count is taken from the newest statement known on
    /// that day; for the newest session, it can be taken from the profile or the float data.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn shares(&self, day: NaiveDate, known: &Known) -> Result<Figure> {
        let mut to = Figure {
            date: Some(day.to_string()),
            unit: Some("shares".into()),
            ..Figure::named("shares")
        };
        let stored = self.day(day)?;
        let source = stored.get("shares_source").cloned().unwrap_or_default();
        let (dataset, formula) = match source.as_str() {
            "profile" => (catalog::PROFILE, "market_cap / price"),
            "shares_float" => (catalog::SHARES_FLOAT, "outstanding_shares"),
            "correction" => {
                to.value = figure(&stored, "shares_outstanding_used");
                self.note_corrections(&mut to, &["share_count"])?;
                return Ok(to);
            }
            "market_caps" => return self.shares_from_market_cap(to, day, &stored),
            "statement" => {
                to.notes.push("from the newest statement known that day".into());
                if let Some(key) = &known.latest {
                    let line = self.input(key, "shares")?;
                    to.value = line.value;
                    to.same_as(line);
                }
                return Ok(to);
            }
            _ => {
                to.notes.push("no share count was known that day".into());
                return Ok(to);
            }
        };
        let query = format!("select * from staging.{} where symbol = {{symbol}}", dataset.name);
        let staged = self.first(&query)?.unwrap_or_default();
        if self.as_of.is_some_and(|day| date(&staged, "observed_at").is_some_and(|seen| seen > day)) {
            to.value = figure(&stored, "shares_outstanding_used");
            to.notes
                .push(format!("from the {} of that day, which has been replaced since", label(dataset.name)));
            return Ok(to);
        }
        let factor = self.factor(&staged, "share_factor")?;
        let formula = match factor {
            Some(_) => Expr::parse(&format!("{formula} * basis_factor"))?,
            None => Expr::parse(formula)?,
        };
        let currency = self.quote_currency(day)?;
        to.fill(&formula, &|column| {
            if column == "basis_factor" {
                return Ok(Figure {
                    value: factor,
                    notes: vec![self.splits()?],
                    ..Figure::named(column)
                });
            }
            let unit = units::unit(self.models, &format!("staging.{}", dataset.name), column);
            Ok(Figure {
                value: figure(&staged, column),
                unit: unit.map(|unit| units::text(unit, currency.as_deref())),
                source: self.source(dataset, &staged, column)?,
                ..Figure::named(column)
            })
        })?;
        for input in to.inputs.iter_mut().filter(|input| input.source.is_some()) {
            input.label = format!("{} of {}", input.label, label(dataset.name));
        }
        // A formula gives a fraction of a share.
        to.value = to.value.map(f64::round);
        (to.table, to.column) = stored_count();
        to.formula = Some(words(&formula));
        to.notes.push(format!("newest session: shares from {}", label(dataset.name)));
        Ok(to)
    }

    /// Returns the share count that follows from FMP's market cap of a day.
    fn shares_from_market_cap(&self, mut to: Figure, day: NaiveDate, stored: &Row) -> Result<Figure> {
        let staged = self.first(&format!(
            "select * from staging.market_caps where symbol = {{symbol}} and cap_date <= date '{day}' \
             order by cap_date desc limit 1"
        ))?;
        let staged = staged.unwrap_or_default();
        to.value = figure(stored, "shares_outstanding_used");
        (to.table, to.column) = stored_count();
        let Some(on) = date(&staged, "cap_date") else {
            to.notes.push("from FMP's market cap of that day, which has been replaced since".into());
            return Ok(to);
        };
        let formula = Expr::parse("market_cap / close_price")?;
        let currency = self.quote_currency(day)?;
        to.fill(&formula, &|name| match name {
            "close_price" => self.before_spin_offs(on, self.bar(on, name)?),
            _ => Ok(Figure {
                value: figure(&staged, name),
                unit: currency.clone(),
                date: Some(on.to_string()),
                source: self.source(catalog::MARKET_CAPS, &staged, name)?,
                ..Figure::named(name)
            }),
        })?;
        to.formula = Some(words(&formula));
        to.notes.push("from FMP's market cap and the close of that day".into());
        Ok(to)
    }

    /// Returns the factor by which splits changed the basis of prices (`basis_factor`) or of share
    /// counts (`share_factor`) since a row was received, or `None` if there was no split.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn factor(&self, staged: &Row, column: &str) -> Result<Option<f64>> {
        let Some(observed) = staged.get("observed_at") else {
            return Ok(None);
        };
        let row = self.first(&format!(
            "select {column} from split_factors \
             where (timestamp '{observed}' - interval '5 hours')::date >= from_date \
             and (timestamp '{observed}' - interval '5 hours')::date < until_date"
        ))?;
        Ok(row.and_then(|row| figure(&row, column)))
    }

    /// Returns the sum of the dividends per share of the last twelve months.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn dividends(&self, day: NaiveDate) -> Result<Figure> {
        let currency = self.quote_currency(day)?.unwrap_or_else(|| "money".into());
        let mut to = Figure {
            date: Some(day.to_string()),
            unit: Some(format!("{currency} a share")),
            formula: Some(
                "regular dividends that cover the last twelve months, and others of the last 365 days".into(),
            ),
            ..Figure::named("dividends_per_share")
        };
        if self.first("select 1 as n from dividend_events limit 1")?.is_none() {
            to.notes.push("the company has no dividend events: using the cash flow statement".into());
            return Ok(to);
        }
        let events = self.ask(&format!(
            "select ex_date, dividend::varchar as declared, frequency, amount::double as amount from dividend_events \
             where ex_date <= date '{day}' and counts_until > date '{day}' order by ex_date, dividend, frequency"
        ))?;
        if events.is_empty() {
            to.value = Some(0.0);
            to.notes.push("no dividend of the last twelve months".into());
            return Ok(to);
        }
        let one = |event: &Row| self.dividend(event, to.unit.clone());
        to.inputs = numbered(events.iter().map(one).collect::<Result<Vec<_>>>()?);
        to.expression = sum(&to.inputs);
        to.value = recomputed(&to);
        Ok(to)
    }

    fn dividend(&self, event: &Row, unit: Option<String>) -> Result<Figure> {
        let text = |name: &str| event.get(name).cloned().unwrap_or_default();
        let (ex_date, frequency) = (text("ex_date"), text("frequency"));
        let mut to = Figure {
            value: figure(event, "amount"),
            date: Some(ex_date.clone()),
            unit,
            ..Figure::named("dividend")
        };
        let staged = self.first(&format!(
            "select * from staging.dividends where symbol = {{symbol}} and ex_date = date '{ex_date}' \
             and dividend = {declared}::decimal(38, 6) and coalesce(frequency, '') = {frequency}",
            declared = literal(&text("declared")),
            frequency = literal(&frequency),
        ))?;
        if !frequency.trim().is_empty() {
            to.notes.push(frequency);
        }
        if let Some(staged) = staged {
            let is_adjusted = staged.contains_key("adjusted_dividend");
            let column = if is_adjusted { "adjusted_dividend" } else { "dividend" };
            if figure(&staged, column) != to.value {
                to.notes.push(format!("on the newest split basis; {}", self.splits()?));
            }
            to.source = self.source(catalog::DIVIDENDS, &staged, column)?;
        }
        Ok(to)
    }
}

/// The table and the column with the share counts of sessions.
fn stored_count() -> (Option<String>, Option<String>) {
    (Some("analytics.fact_market_metrics".into()), Some("shares_outstanding_used".into()))
}
