//! Explains how a figure is computed from others, down to the rows that FMP sent: formulas and
//! input values.

use std::collections::BTreeSet;

use crate::formulas::{Expr, Formula, Lineage, Origin, Place, Trace, evaluate, label, unit, unit_of, words};
use findata_domain::Result;

use super::{
    facts::Facts,
    figure::Figure,
    rows::{Key, Row, figure},
};

/// The rows to which the columns of an expression refer.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The current row.
    pub here: Vec<Option<Key>>,
    /// The previous row.
    pub before: Option<Key>,
    /// Rows by table alias, for aliases that refer to other rows.
    pub by_alias: Vec<(&'static str, Vec<Option<Key>>)>,
    /// The currency of amounts.
    pub currency: Option<String>,
}

impl Rows {
    /// A single row.
    pub fn of(key: Key, currency: Option<String>) -> Self {
        Rows { here: vec![Some(key)], currency, ..Rows::default() }
    }

    fn keys(&self, trace: &Trace) -> Vec<Option<Key>> {
        if trace.rows_before > 0 {
            return vec![self.before.clone()];
        }
        let named = trace
            .through
            .iter()
            .find_map(|alias| self.by_alias.iter().find(|(known, _)| known == alias));
        named.map_or_else(|| self.here.clone(), |(_, keys)| keys.clone())
    }
}

/// The unit as displayed, with the currency in place of "money".
pub fn unit_text(fact: &str, column: &str, currency: Option<&str>) -> Option<String> {
    let unit = unit(fact, column)?.to_string();
    Some(match currency {
        Some(currency) => unit.replace("money", currency),
        None => unit,
    })
}

impl Facts<'_> {
    /// Sets a figure's formula and inputs and, if it has none yet, its value.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn fill(&self, to: &mut Figure, formula: &Formula, rows: &Rows) -> Result<()> {
        let named: BTreeSet<&str> = formula.expr.columns().iter().map(|(_, name)| *name).collect();
        for (name, trace) in formula.inputs.iter().filter(|(name, _)| named.contains(name.as_str())) {
            to.inputs.extend(self.input(name, trace, rows)?);
        }
        let value = |inputs: &[Figure], name: &str| -> Vec<Option<f64>> {
            let longest =
                || named.iter().map(|n| inputs.iter().filter(|i| i.name == **n).count()).max().unwrap_or(0);
            match name {
                "*" => vec![Some(1.0); longest()],
                _ => inputs.iter().filter(|i| i.name == name).map(|i| i.value).collect(),
            }
        };
        // Of several alternatives, show only the one that applies, with its inputs.
        let chosen = active(&formula.expr, &|name| value(&to.inputs, name));
        let used: BTreeSet<&str> = chosen.columns().iter().map(|(_, name)| *name).collect();
        to.inputs.retain(|input| used.contains(input.name.as_str()));
        if to.value.is_none() && to.reason.is_none() {
            to.value = evaluate(&chosen, &|name| value(&to.inputs, name));
        }
        to.formula = Some(words(&chosen));
        to.expression = Some(chosen.to_string());
        to.only_when.extend(formula.guards.iter().map(words));
        Ok(())
    }

    /// The figures of an input: several if the formula aggregates it.
    fn input(&self, name: &str, trace: &Trace, rows: &Rows) -> Result<Vec<Figure>> {
        let keys = rows.keys(trace);
        let mut found = match &trace.origin {
            Origin::Stored { table, column } => {
                let one = |key: &Option<Key>| self.stored(table, column, key.as_ref(), rows);
                keys.iter().map(one).collect::<Result<Vec<_>>>()?
            }
            Origin::Computed(expr, place) => {
                let mut inner = rows.clone();
                if trace.rows_before > 0 {
                    inner = Rows {
                        here: keys,
                        currency: rows.currency.clone(),
                        ..Rows::default()
                    };
                }
                vec![self.computed(name, expr, place, &inner)?]
            }
        };
        for figure in &mut found {
            figure.name = name.to_owned();
            figure.label = label(name);
        }
        Ok(found)
    }

    fn computed(&self, name: &str, expr: &Expr, place: &Place, rows: &Rows) -> Result<Figure> {
        let mut to = Figure::named(name);
        if let Some(number) = expr.number() {
            to.value = Some(number);
            return Ok(to);
        }
        let formula = Lineage::get().formula(expr, place);
        let Ok(formula) = formula else { return Ok(to) };
        self.fill(&mut to, &formula, rows)?;
        let of = |name: &str| {
            let (_, trace) = formula.inputs.iter().find(|(known, _)| known == name)?;
            crate::formulas::of_trace(trace)
        };
        to.unit = unit_of(&formula.expr, &of).map(|unit| match &rows.currency {
            Some(currency) => unit.to_string().replace("money", currency),
            None => unit.to_string(),
        });
        Ok(to)
    }

    /// A stored column of one row.
    fn stored(&self, table: &str, column: &str, key: Option<&Key>, rows: &Rows) -> Result<Figure> {
        let Some(key) = key else {
            let mut to = Figure::named(column);
            to.notes.push("no such period".into());
            return Ok(to);
        };
        match table {
            "new_fact_financials" => self.statement_line(key, column),
            "new_fact_financials_ttm" => self.ttm(key, column),
            "split_adjusted_shares" => self.share(key, column),
            "period_inputs" => self.period_input(key, column),
            "growth_rates" => self.growth(key, column),
            "valuation_days" => self.market_day(column, rows),
            "valuation_inputs" => self.range(column, rows),
            _ => Ok(Figure::named(column)),
        }
    }

    /// A figure of the trailing twelve months.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn ttm(&self, key: &Key, column: &str) -> Result<Figure> {
        let mut to = Figure::named(column);
        (to.table, to.column) = (Some("analytics.fact_financials_ttm".into()), Some(column.into()));
        (to.basis, to.date) = (Some("TTM".into()), Some(key.date.to_string()));
        let key = &Key { basis: "TTM".into(), ..key.clone() };
        let Some(row) = self.ttm.get(key) else {
            to.notes.push("no trailing twelve months end on this day".into());
            return Ok(to);
        };
        to.value = figure(row, column);
        to.known_on = row.get("known_on").cloned();
        to.unit = unit_text("fact_financials_ttm", column, row.get("reported_currency").map(String::as_str));
        if to.value.is_none() {
            to.reason = row.get("reason").map(|word| super::reasons::reason(word));
        }
        let rows = self.window(key, row)?;
        self.follow(&mut to, "new_fact_financials_ttm", column, 0, &rows)?;
        if let Some(line) = column.strip_prefix("oldest_") {
            to.inputs.retain(|input| input.name == line);
            to.inputs.truncate(1);
            to.formula = Some(format!("{} of the oldest period", label(line)));
            to.expression = to.inputs.first().map(|input| input.name.clone());
        }
        if row.get("reason").is_some() {
            to.notes.push(self.known_periods(row));
        }
        Ok(to)
    }

    /// The quarters of the trailing twelve months.
    fn window(&self, key: &Key, row: &Row) -> Result<Rows> {
        let window = self.first(&format!(
            "select window_from, prior_date, begin_date from ttm_windows where fiscal_date = date '{}'",
            key.date
        ))?;
        let window = window.unwrap_or_default();
        let end = |column: &str| super::rows::date(&window, column);
        let from = end("window_from").unwrap_or(key.date);
        let all = self.quarters.iter().filter(|q| q.date >= from && q.date <= key.date);
        let one = |date: Option<chrono::NaiveDate>| vec![date.and_then(|date| self.quarter(date))];
        Ok(Rows {
            here: one(Some(key.date)),
            before: None,
            by_alias: vec![
                ("q", all.cloned().map(Some).collect()),
                ("p", one(end("prior_date"))),
                ("b", one(end("begin_date"))),
                ("e", one(Some(key.date))),
            ],
            currency: row.get("reported_currency").cloned(),
        })
    }

    /// A note that lists the known periods when the twelve months are incomplete.
    fn known_periods(&self, row: &Row) -> String {
        let end = super::rows::date(row, "fiscal_date");
        let ends: Vec<&Key> = self.quarters.iter().filter(|q| Some(q.date) <= end).rev().take(5).collect();
        let gap = ends.windows(2).find(|pair| (pair[0].date - pair[1].date).num_days() > 120);
        let list = ends
            .iter()
            .rev()
            .map(|k| format!("{} {}", k.basis, k.date))
            .collect::<Vec<_>>()
            .join(", ");
        match gap.filter(|_| row.get("reason").is_some_and(|r| r == "missing_quarter")) {
            Some(pair) => format!(
                "known periods: {list}; none ends between {} and {}, which are {} days apart",
                pair[1].date,
                pair[0].date,
                (pair[0].date - pair[1].date).num_days()
            ),
            None => format!("known periods: {list}"),
        }
    }

    /// A per-share figure or share count on the newest split basis.
    fn share(&self, key: &Key, column: &str) -> Result<Figure> {
        let reported = column.trim_start_matches("split_adjusted_");
        let line = self.statement_line(key, reported)?;
        let value = self.split_adjusted_shares.get(key).and_then(|row| figure(row, column));
        if value == line.value {
            return Ok(line);
        }
        let mut to = Figure { unit: line.unit.clone(), value, ..Figure::named(column) };
        (to.basis, to.date) = (line.basis.clone(), line.date.clone());
        let factor = match (value, line.value) {
            (Some(value), Some(reported)) if column.contains("eps") && value != 0.0 => Some(reported / value),
            (Some(value), Some(reported)) if reported != 0.0 => Some(value / reported),
            _ => None,
        };
        let mut split = Figure::named("basis_factor");
        (split.label, split.value) =
            ("shares today for each share then".into(), factor.map(|f| (f * 1e9).round() / 1e9));
        split.notes.push(self.splits()?);
        let per_share = column.contains("eps");
        let sign = if per_share { ("÷", "/") } else { ("×", "*") };
        to.formula = Some(format!("{} {} {}", label(reported), sign.0, split.label));
        to.expression = Some(format!("{reported} {} basis_factor", sign.1));
        to.inputs = vec![line, split];
        Ok(to)
    }

    /// The splits of the company, as a note.
    pub fn splits(&self) -> Result<String> {
        let splits = self.ask(
            "select split_date, numerator::double as n, denominator::double as d from staging.splits \
             where symbol = {symbol} order by 1",
        )?;
        let one = |row: &Row| {
            let text =
                |name: &str| row.get(name).map(|t| t.trim_end_matches(".0").to_owned()).unwrap_or_default();
            format!(
                "{} for {} on {}",
                text("n"),
                text("d"),
                row.get("split_date").cloned().unwrap_or_default()
            )
        };
        Ok(format!("known splits: {}", splits.iter().map(one).collect::<Vec<_>>().join(", ")))
    }

    /// An input of the ratios, a column of `period_inputs`: a flow, a balance or an average.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn period_input(&self, key: &Key, column: &str) -> Result<Figure> {
        let is_ttm = key.basis == "TTM";
        let row = self.period_inputs.get(key);
        let currency = row.and_then(|row| row.get("reported_currency").cloned());
        let mut rows = Rows::of(key.clone(), currency);
        rows.before = self.before(key);
        let mut to = Figure::named(column);
        (to.basis, to.date) = (Some(key.basis.clone()), Some(key.date.to_string()));
        to.value = row.and_then(|row| figure(row, column));
        if column == "days" {
            to.unit = Some("days".into());
            return Ok(to);
        }
        to.unit = crate::formulas::column_unit("period_inputs", column)
            .map(|unit| unit.to_string().replace("money", rows.currency.as_deref().unwrap_or("money")));
        self.follow(&mut to, "period_inputs", column, usize::from(is_ttm), &rows)?;
        // A column that only renames another is shown as the original.
        match (to.inputs.len(), to.expression.as_deref()) {
            (1, Some(expression)) if expression == to.inputs[0].name && to.value == to.inputs[0].value => {
                Ok(to.inputs.remove(0))
            }
            _ => Ok(to),
        }
    }

    /// Sets a figure's formula from a column of a model; for a column that is only carried over,
    /// sets the source column as its only input.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn follow(
        &self,
        to: &mut Figure,
        table: &str,
        column: &str,
        branch: usize,
        rows: &Rows,
    ) -> Result<()> {
        match Lineage::get().formula_of(table, column, branch) {
            Ok(Some(formula)) => self.fill(to, &formula, rows),
            Ok(None) => {
                let Some(trace) = Lineage::get().column(table, column, branch) else {
                    return Ok(());
                };
                let name = match &trace.origin {
                    Origin::Stored { column, .. } => column.clone(),
                    Origin::Computed(..) => column.to_owned(),
                };
                to.inputs = self.input(&name, &trace, rows)?;
                (to.formula, to.expression) = (Some(label(&name)), Some(name));
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }
}

/// Replaces every CASE whose conditions are known, and every COALESCE, by the alternative that
/// applies.
fn active(expr: &Expr, input: &dyn Fn(&str) -> Vec<Option<f64>>) -> Expr {
    expr.replace(&|e| match e {
        Expr::Case(whens, otherwise) if !whens.is_empty() => {
            let is_known = |c: &Expr| c.columns().iter().all(|(_, name)| !input(name).is_empty());
            if !whens.iter().all(|(condition, _)| is_known(condition)) {
                return None;
            }
            let holds = whens.iter().find(|(c, _)| evaluate(c, input).is_some_and(|c| c != 0.0));
            let chosen = holds.map(|(_, result)| result).or(otherwise.as_deref())?;
            Some(active(chosen, input))
        }
        Expr::Call(name, alternatives, _) if name == "coalesce" => {
            let known = |e: &&Expr| e.columns().iter().all(|(_, name)| input(name).len() == 1);
            let first = alternatives.iter().take_while(known).find(|e| evaluate(e, input).is_some())?;
            Some(active(first, input))
        }
        _ => None,
    })
}
