//! Lines of the statements: as FMP sent them, or derived for a fourth quarter.

use crate::formulas::{Expr, Lineage, Origin, expression, label};
use findata_domain::{
    Result,
    catalog::{self, Dataset},
};
use findata_models::literal;

use super::{
    build::{Rows, unit_text},
    facts::{Facts, key_of},
    figure::Figure,
    rows::{Key, Row, figure},
};

/// The statements: dataset, prefix of its columns in `period_versions`, and flag in `fact_financials`.
const STATEMENTS: [(&Dataset, &str, &str); 3] = [
    (catalog::INCOME_STATEMENT, "income", "has_income"),
    (catalog::BALANCE_SHEET, "balance", "has_balance"),
    (catalog::CASH_FLOW, "cash", "has_cash_flow"),
];

impl Facts<'_> {
    /// A line of a period's statements.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn statement_line(&self, key: &Key, column: &str) -> Result<Figure> {
        let mut to = Figure::named(column);
        (to.table, to.column) = (Some("analytics.fact_financials".into()), Some(column.into()));
        (to.basis, to.date) = (Some(key.basis.clone()), Some(key.date.to_string()));
        let Some(row) = self.financials.get(key) else {
            to.notes.push("no such period".into());
            return Ok(to);
        };
        to.value = figure(row, column);
        (to.filing_date, to.known_on) = (row.get("filing_date").cloned(), row.get("known_on").cloned());
        let currency = row.get("reported_currency").cloned();
        to.unit = unit_text("fact_financials", column, currency.as_deref());
        if row.get("is_derived").is_some_and(|derived| derived == "true") {
            return self.derived(to, key, column);
        }
        // A line that the model computes if FMP sends none, such as EBITDA.
        if to.value.is_some()
            && let Ok(Some(formula)) = Lineage::get().formula_of("new_fact_financials", column, 0)
            && let Expr::Call(name, alternatives, _) = &formula.expr
            && name == "coalesce"
        {
            let own = self.sent(key, column)?;
            if own.as_ref().is_none_or(|own| own.value.is_none()) {
                let rest = Expr::Call(name.clone(), alternatives[1..].to_vec(), false);
                let rest = if alternatives.len() == 2 { alternatives[1].clone() } else { rest };
                return self.computed_line(to, key, &rest);
            }
        }
        if let Some(own) = self.sent(key, column)? {
            (to.source, to.notes) = (own.source, own.notes);
        }
        Ok(to)
    }

    /// A figure computed from other lines because FMP does not send it.
    fn computed_line(&self, mut to: Figure, key: &Key, expr: &Expr) -> Result<Figure> {
        for (_, name) in expr.columns() {
            let mut input = Figure::named(name);
            (input.basis, input.date, input.unit) = (to.basis.clone(), to.date.clone(), to.unit.clone());
            if let Some(sent) = self.sent(key, name)? {
                (input.value, input.source, input.notes) = (sent.value, sent.source, sent.notes);
            }
            to.inputs.push(input);
        }
        to.formula = Some(crate::formulas::words(expr));
        to.expression = Some(expr.to_string());
        to.notes.push("FMP does not send this figure".into());
        Ok(to)
    }

    /// What FMP sent for a line: the value and its row, or a note on why there is none.
    fn sent(&self, key: &Key, column: &str) -> Result<Option<Figure>> {
        let statement =
            STATEMENTS.iter().find(|(dataset, ..)| dataset.columns.iter().any(|c| c.name == column));
        let Some(&(dataset, short, has)) = statement else {
            return Ok(None);
        };
        let mut to = Figure::named(column);
        let version = self.versions.get(key);
        let file = version.and_then(|v| v.get(&format!("{short}_file")));
        let row = version.and_then(|v| v.get(&format!("{short}_row")));
        let (Some(file), Some(row)) = (file, row) else {
            let absent = self.financials.get(key).is_some_and(|r| r.get(has).is_none_or(|h| h == "false"));
            if absent {
                to.notes.push(format!("the period has no {}", label(dataset.name)));
            }
            return Ok(Some(to));
        };
        let row: u64 = row.parse().unwrap_or_default();
        let staged = self.first(&format!(
            "select * from staging.{} where symbol = {{symbol}} and source_file = {} and source_row = {row}",
            dataset.name,
            literal(file)
        ))?;
        let staged: Row = staged.unwrap_or_default();
        to.value = figure(&staged, column);
        to.source = self.source(dataset, &staged, column)?;
        if to.value.is_none() {
            let sent = to.source.as_ref().and_then(|s| s.sent.clone());
            to.notes.push(match sent {
                Some(sent) => format!("FMP sent {sent}"),
                None => "FMP's response has no such field".into(),
            });
        }
        Ok(Some(to))
    }

    /// A line of an unreported fourth quarter: the year minus its first three quarters.
    fn derived(&self, mut to: Figure, key: &Key, column: &str) -> Result<Figure> {
        let version = self.versions.get(key).cloned().unwrap_or_default();
        let part = |name: &str| version.get(name).and_then(|text| key_of(text));
        to.notes.push("this quarter was never reported: it is derived from the year".into());
        let trace = Lineage::get().column("new_fact_financials", column, 1);
        let direct = match &trace {
            Some(trace) => matches!(trace.origin, Origin::Stored { .. }),
            None => false,
        };
        let year = |name: &str| -> Result<Option<Figure>> {
            let Some(key) = part("year_part") else {
                return Ok(None);
            };
            Ok(Some(Figure { name: name.to_owned(), ..self.statement_line(&key, column)? }))
        };
        if direct {
            let opening = column == "cash_at_beginning_of_period";
            let carried = if opening { part("third_part") } else { part("year_part") };
            let name = if opening { "cash_at_end_of_period" } else { column };
            if let Some(carried) = carried {
                to.inputs = vec![self.statement_line(&carried, name)?];
            }
            (to.formula, to.expression) = (Some(label(name)), Some(name.into()));
            return Ok(to);
        }
        let mut terms: Vec<String> = Vec::new();
        if let Some(year) = year(&format!("{column}_of_the_year"))? {
            let name = year.name.clone();
            terms.push(if column.starts_with("shares_") {
                format!("4 * {name}")
            } else {
                name.clone()
            });
            to.inputs.push(Figure { label: label(&name), ..year });
        }
        for (part_name, ordinal) in
            [("first_part", "first"), ("second_part", "second"), ("third_part", "third")]
        {
            if let Some(key) = part(part_name) {
                let name = format!("{column}_of_the_{ordinal}_quarter");
                terms.push(name.clone());
                to.inputs.push(Figure {
                    label: label(&name),
                    name,
                    ..self.statement_line(&key, column)?
                });
            }
        }
        let text = terms.join(" - ");
        to.formula = expression(&text).map(|e| crate::formulas::words(&e));
        to.expression = Some(text);
        Ok(to)
    }

    /// A period and the one before it.
    pub fn rows_of(&self, key: &Key) -> Rows {
        let row = self.period_inputs.get(key);
        let mut rows = Rows::of(key.clone(), row.and_then(|row| row.get("reported_currency").cloned()));
        rows.before = self.before(key);
        rows
    }
}
