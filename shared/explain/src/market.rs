//! Market metrics: valuations, from a session's price and the fundamentals known on that day, and
//! metrics of prices alone.

use chrono::NaiveDate;

use crate::formulas::{Lineage, Origin, label, market_formula, market_lines, market_rule, sessions_needed};
use findata_domain::{Result, catalog};

use super::{
    build::{Rows, unit_text},
    facts::Facts,
    figure::Figure,
    rows::{Key, Row, date, figure},
};

const FACT: &str = "fact_market_metrics";

impl Facts<'_> {
    /// A market metric of a session.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn market(&self, day: NaiveDate, metric: &str) -> Result<Figure> {
        let mut to = Figure::named(metric);
        (to.table, to.column) = (Some(format!("analytics.{FACT}")), Some(metric.into()));
        (to.basis, to.date) = (Some("MARKET".into()), Some(day.to_string()));
        let row = self.day(day)?;
        to.value = figure(&row, metric);
        let currency = self.quote_currency()?;
        to.unit = unit_text(FACT, metric, currency.as_deref());
        if to.value.is_none() {
            let of = format!("symbol = {{symbol}} and basis = 'MARKET' and subject_date = date '{day}'");
            to.reason = self.null_reason(&of, metric)?;
        }
        if let Some(sessions) = sessions_needed(metric) {
            self.window_of(&mut to, day, metric, sessions)?;
            return Ok(to);
        }
        let fundamentals = |name: &str| row.get(name).cloned().unwrap_or_else(|| "none".into());
        to.notes.push(format!(
            "fundamentals to {}, known on {}",
            fundamentals("fundamentals_as_of"),
            fundamentals("fundamentals_known_on")
        ));
        let rows = self.rows_known_on(day, currency)?;
        match market_formula(metric) {
            Ok(Some(formula)) => self.fill(&mut to, &formula, &rows)?,
            _ => {
                let column = if metric == "close_price" { "price" } else { "shares" };
                to.inputs = vec![self.market_day(column, &rows)?];
                (to.formula, to.expression) = (Some(label(column)), Some(column.into()));
            }
        }
        if let Some(line) = market_lines().iter().find(|line| line.metric == metric) {
            to.only_when.extend(market_rule(&line.rule, &line.tested));
        }
        self.sector(&mut to)?;
        self.currencies(&mut to, &rows)?;
        Ok(to)
    }

    fn day(&self, day: NaiveDate) -> Result<Row> {
        let row = self.first(&format!(
            "select * from analytics.{FACT} where symbol = {{symbol}} and metric_date = date '{day}'"
        ))?;
        Ok(row.unwrap_or_default())
    }

    /// The currency of the company's price.
    pub fn quote_currency(&self) -> Result<Option<String>> {
        Ok(self
            .first("select quote_currency from companies")?
            .and_then(|row| row.get("quote_currency").cloned()))
    }

    /// The statements that were known on a session.
    fn rows_known_on(&self, day: NaiveDate, currency: Option<String>) -> Result<Rows> {
        let range = self
            .first(&format!(
                "select k.* from fundamentals_ranges k where k.valid_from <= date '{day}' and k.valid_to > date '{day}'"
            ))?
            .unwrap_or_default();
        let key = |column: &str, basis: Option<&str>| -> Vec<Option<Key>> {
            let basis = basis.map(str::to_owned).or_else(|| range.get("latest_basis").cloned());
            vec![date(&range, column).and_then(|date| Some(Key { date, basis: basis? }))]
        };
        Ok(Rows {
            here: vec![Some(Key { date: day, basis: "MARKET".into() })],
            before: None,
            by_alias: vec![
                ("t", key("ttm_date", Some("TTM"))),
                ("g", key("ttm_date", Some("TTM"))),
                ("y", key("fy_date", Some("FY"))),
                ("a", key("latest_date", None)),
            ],
            currency,
        })
    }

    /// A column of `valuation_inputs`, the fundamentals in a valuation.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn range(&self, column: &str, rows: &Rows) -> Result<Figure> {
        let mut to = Figure::named(column);
        let trace = Lineage::get().column("valuation_inputs", column, 0);
        to.unit = crate::formulas::column_unit("valuation_inputs", column)
            .map(|unit| unit.to_string().replace("money", rows.currency.as_deref().unwrap_or("money")));
        self.follow(&mut to, "valuation_inputs", column, 0, rows)?;
        let is_carried_over = matches!(trace.map(|t| t.origin), Some(Origin::Stored { .. }));
        if is_carried_over && to.inputs.len() == 1 {
            return Ok(to.inputs.remove(0));
        }
        Ok(to)
    }

    /// The price, shares or dividends of a session.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn market_day(&self, column: &str, rows: &Rows) -> Result<Figure> {
        let Some(Some(Key { date: day, .. })) = rows.here.first() else {
            return Ok(Figure::named(column));
        };
        let day = *day;
        let mut to = Figure::named(column);
        to.date = Some(day.to_string());
        match column {
            "price" => {
                to = Figure {
                    name: column.into(),
                    label: label(column),
                    ..self.bar(day, "close_price")?
                }
            }
            "shares" => self.shares(&mut to, day, rows)?,
            "dividends_per_share" => self.dividends(&mut to, day)?,
            _ => {}
        }
        Ok(to)
    }

    fn shares(&self, to: &mut Figure, day: NaiveDate, rows: &Rows) -> Result<()> {
        let row = self.day(day)?;
        to.unit = Some("shares".into());
        to.value = figure(&row, "shares_outstanding_used");
        let source = row.get("shares_source").cloned().unwrap_or_default();
        let (dataset, columns): (_, &[&str]) = match source.as_str() {
            "profile" => (catalog::PROFILE, &["market_cap", "price"]),
            "shares_float" => (catalog::SHARES_FLOAT, &["outstanding_shares"]),
            "statement" => {
                to.notes.push("from the newest statement known that day".into());
                let any = rows
                    .by_alias
                    .iter()
                    .find(|(alias, _)| *alias == "a")
                    .and_then(|(_, keys)| keys.first()?.clone());
                let line = any.map(|key| self.period_input(&key, "shares")).transpose()?;
                to.expression = line.as_ref().map(|line| line.name.clone());
                to.inputs.extend(line);
                return Ok(());
            }
            _ => {
                to.notes.push("no share count was known that day".into());
                return Ok(());
            }
        };
        let staged =
            self.first(&format!("select * from staging.{} where symbol = {{symbol}}", dataset.name))?;
        let staged = staged.unwrap_or_default();
        for column in columns {
            let mut input = Figure { value: figure(&staged, column), ..Figure::named(column) };
            input.label = format!("{} of {}", label(column), label(dataset.name));
            input.unit = crate::formulas::column_unit(&format!("staging.{}", dataset.name), column)
                .map(|unit| unit.to_string().replace("money", rows.currency.as_deref().unwrap_or("money")));
            input.source = self.source(dataset, &staged, column)?;
            to.inputs.push(input);
        }
        (to.formula, to.expression) = (
            Some(columns.iter().map(|c| label(c)).collect::<Vec<_>>().join(" ÷ ")),
            Some(columns.join(" / ")),
        );
        let factor = self.factor(&staged)?;
        if let Some(factor) = factor {
            to.formula = to.formula.take().map(|f| format!("{f} × basis factor"));
            to.expression = to.expression.take().map(|e| format!("{e} * basis_factor"));
            to.inputs.push(Figure {
                value: Some(factor),
                notes: vec![self.splits()?],
                ..Figure::named("basis_factor")
            });
        }
        to.notes.push(format!("newest session: shares from {}", label(dataset.name)));
        Ok(())
    }

    /// The factor by which splits changed the share basis since a row was received; `None` without
    /// such a split.
    pub fn factor(&self, staged: &Row) -> Result<Option<f64>> {
        let Some(observed) = staged.get("observed_at") else {
            return Ok(None);
        };
        let row = self.first(&format!(
            "select basis_factor from split_factors \
             where (timestamp '{observed}' - interval '5 hours')::date >= from_date \
             and (timestamp '{observed}' - interval '5 hours')::date < until_date"
        ))?;
        Ok(row.and_then(|row| figure(&row, "basis_factor")))
    }

    fn dividends(&self, to: &mut Figure, day: NaiveDate) -> Result<()> {
        let currency = self.quote_currency()?.unwrap_or_else(|| "money".into());
        to.unit = Some(format!("{currency} a share"));
        (to.formula, to.expression) = (
            Some("dividends with an ex-date in the last 365 days".into()),
            Some("sum(dividend)".into()),
        );
        let dataset = catalog::DIVIDENDS;
        let any = self.first("select 1 as n from dividend_events limit 1")?.is_some();
        let events = self.ask(&format!(
            "select ex_date, amount::double as amount from dividend_events \
             where ex_date <= date '{day}' and ex_date > date '{day}' - 365 order by ex_date"
        ))?;
        for event in &events {
            let ex_date = event.get("ex_date").cloned().unwrap_or_default();
            let mut input = Figure {
                value: figure(event, "amount"),
                date: Some(ex_date.clone()),
                ..Figure::named("dividend")
            };
            input.unit = to.unit.clone();
            let staged = self.first(&format!(
                "select * from staging.dividends where symbol = {{symbol}} and ex_date = date '{ex_date}'"
            ))?;
            if let Some(staged) = staged {
                let column = if staged.contains_key("adjusted_dividend") {
                    "adjusted_dividend"
                } else {
                    "dividend"
                };
                if figure(&staged, column) != input.value {
                    input.notes.push(format!("on the newest split basis; {}", self.splits()?));
                }
                input.source = self.source(dataset, &staged, column)?;
            }
            to.inputs.push(input);
        }
        match (any, events.is_empty()) {
            (false, _) => {
                to.notes.push("the company has no dividend events: using the cash flow statement".into())
            }
            (true, true) => {
                to.value = Some(0.0);
                to.notes.push("no ex-date in the last 365 days".into());
            }
            _ => to.value = events.iter().map(|e| figure(e, "amount")).sum(),
        }
        Ok(())
    }

    /// The first and last bar of a window of sessions, and how many sessions are available.
    fn window_of(&self, to: &mut Figure, day: NaiveDate, metric: &str, sessions: u32) -> Result<()> {
        let needs_index = metric.starts_with("beta") || metric.starts_with("correlation");
        let index = self
            .first("select index_symbol from run_params")?
            .and_then(|row| row.get("index_symbol").cloned());
        let common = match (&index, needs_index) {
            (Some(index), true) => {
                to.notes.push(format!("against the index {index}, over common sessions"));
                format!(
                    "and price_date in (select price_date from staging.prices where symbol = {})",
                    findata_models::literal(index)
                )
            }
            (None, true) => "and false".into(),
            _ => String::new(),
        };
        let bars = self.ask(&format!(
            "select price_date from analytics.fact_daily_prices \
             where symbol = {{symbol}} and price_date <= date '{day}' {common} \
             order by price_date desc limit {sessions}"
        ))?;
        let seen = bars.len();
        to.only_when.push(format!("{sessions} sessions are available"));
        to.notes.push(match seen as u32 == sessions {
            true => format!("a window of {sessions} sessions, the last on {day}"),
            false => format!("only {seen} of {sessions} sessions are available"),
        });
        let about = findata_models::Models::built_in()
            .ok()
            .and_then(|models| models.registry.price_metric(metric))
            .filter(|metric| metric.window != findata_models::metrics::Window::Return)
            .map(|metric| metric.about.as_str());
        let last = bars.first().and_then(|row| date(row, "price_date"));
        let first = bars.last().and_then(|row| date(row, "price_date"));
        if let (None, Ok(Some(formula))) = (about, market_formula(metric)) {
            // A return: the close of the day and the close `rows_before` sessions earlier.
            (to.formula, to.expression) =
                (Some(crate::formulas::words(&formula.expr)), Some(formula.expr.to_string()));
            for (name, trace) in &formula.inputs {
                let session = match trace.rows_before {
                    0 => last,
                    n => bars.get(n as usize).and_then(|row| date(row, "price_date")),
                };
                to.inputs.push(match session {
                    Some(session) => Figure {
                        name: name.clone(),
                        label: label(name),
                        ..self.bar(session, "close_price")?
                    },
                    None => Figure { notes: vec!["no such session".into()], ..Figure::named(name) },
                });
            }
            return Ok(());
        }
        to.formula = about.map(|about| about.split_once("; ").map_or(about, |(_, what)| what).to_owned());
        for (session, name) in [(first, "first_bar"), (last, "last_bar")] {
            if let Some(session) = session {
                to.inputs.push(Figure {
                    name: name.into(),
                    label: label(name),
                    ..self.bar(session, "close_price")?
                });
            }
        }
        Ok(())
    }

    fn currencies(&self, to: &mut Figure, rows: &Rows) -> Result<()> {
        match to.reason.as_ref().map(|r| r.word.as_str()) {
            Some("currency_mismatch") => {
                let reported = self
                    .financials
                    .values()
                    .next_back()
                    .and_then(|row| row.get("reported_currency").cloned());
                to.notes.push(format!(
                    "reported in {}, quoted in {}",
                    reported.unwrap_or_default(),
                    rows.currency.clone().unwrap_or_default()
                ));
            }
            Some("stale_fundamentals") => {
                let newest =
                    rows.by_alias.iter().flat_map(|(_, keys)| keys.iter().flatten()).map(|k| k.date).max();
                if let Some(newest) = newest {
                    to.notes.push(format!("the newest period known that day ended on {newest}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
