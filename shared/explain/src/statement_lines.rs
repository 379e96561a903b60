//! Lines of the statements, as FMP sent them or as derived for a fourth quarter.

use findata_domain::sql::literal;
use findata_domain::{
    Result,
    catalog::{self, Dataset},
};
use findata_models::metrics::{Expr, Op, balances};

use crate::{
    check::WHOLE,
    facts::{Facts, key_of},
    figure::Figure,
    reasons::reason,
    rows::{Key, Row, figure},
    units,
    words::label,
};

/// The statements: dataset, prefix of its columns in `period_versions`, and its flag column in
/// `fact_financials`.
const STATEMENTS: [(&Dataset, &str, &str); 3] = [
    (catalog::INCOME_STATEMENT, "income", "has_income"),
    (catalog::BALANCE_SHEET, "balance", "has_balance"),
    (catalog::CASH_FLOW, "cash", "has_cash_flow"),
];

/// Lines that the model `9_new_fact_financials_history.sql` computes if FMP does not send them,
/// with their formulas.
const FALLBACKS: [(&str, &str); 1] = [(
    "ebitda",
    "operating_income + coalesce(depreciation_and_amortization, cash_flow_depreciation_and_amortization)",
)];

/// Returns the formula that computes a line if FMP does not send it.
pub fn fallback(line: &str) -> Option<Expr> {
    let (_, formula) = FALLBACKS.iter().find(|(known, _)| *known == line)?;
    Expr::parse(formula).ok()
}

/// Returns the dataset that contains a line.
pub fn dataset_of(line: &str) -> Option<&'static Dataset> {
    let mut all = STATEMENTS.iter().map(|(dataset, ..)| *dataset);
    all.find(|dataset| dataset.columns.iter().any(|c| c.name == line))
}

impl Facts<'_> {
    /// Returns a line of a period's statements.
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
        to.contradictions = self.contradictions_of_period(key)?;
        (to.filing_date, to.known_on) = (row.get("filing_date").cloned(), row.get("known_on").cloned());
        let currency = row.get("reported_currency").cloned();
        to.unit =
            units::unit(self.models, "fact_financials", column).map(|u| units::text(u, currency.as_deref()));
        if row.get("is_derived").is_some_and(|derived| derived == "true") {
            return self.derived(to, key, column);
        }
        let Some(mut own) = self.sent(key, column)? else {
            return Ok(to);
        };
        if let Some((value, note)) = self.corrected(key, column, own.value)? {
            own.value = Some(value);
            own.notes.push(note);
        }
        own.notes.extend(self.corrected_label(key)?);
        if own.value.is_none()
            && to.value.is_some()
            && let Some(formula) = fallback(column)
        {
            return self.computed_line(to, key, &formula);
        }
        if own.value == Some(0.0) && to.value.is_none() {
            to.reason = Some(reason("not_reported"));
        }
        // The stored value is the double next to FMP's decimal, or its share count as a whole number.
        to.compare(own.value, f64::EPSILON, if column.starts_with("shares_") { WHOLE } else { 0.0 });
        (to.source, to.notes) = (own.source, own.notes);
        Ok(to)
    }

    /// Explains a line that is computed from other lines because FMP does not send it.
    fn computed_line(&self, mut to: Figure, key: &Key, formula: &Expr) -> Result<Figure> {
        let (basis, date, unit) = (to.basis.clone(), to.date.clone(), to.unit.clone());
        to.fill(formula, &|name| {
            let sent = self.sent(key, name)?.unwrap_or_default();
            Ok(Figure {
                basis: basis.clone(),
                date: date.clone(),
                unit: unit.clone(),
                ..sent
            })
        })?;
        to.notes.push("FMP does not send this figure".into());
        Ok(to)
    }

    /// Returns the value that FMP sent for a line, with its row, or a note that explains why there
    /// is none.
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

    /// Explains a line of a fourth quarter that was not reported: the year minus its first three
    /// quarters.
    fn derived(&self, mut to: Figure, key: &Key, column: &str) -> Result<Figure> {
        let version = self.versions.get(key).cloned().unwrap_or_default();
        let part = |name: &str| version.get(name).and_then(|text| key_of(text));
        to.notes.push("this quarter was never reported: it is derived from the year".into());
        let opening = column == "cash_at_beginning_of_period";
        if opening || column == "cash_at_end_of_period" || balances().any(|line| line == column) {
            let name = if opening { "cash_at_end_of_period" } else { column };
            if let Some(carried) = part(if opening { "third_part" } else { "year_part" }) {
                to.same_as(self.statement_line(&carried, name)?);
            }
            return Ok(to);
        }
        let mut formula: Option<Expr> = None;
        for (part_name, suffix, which) in [
            ("year_part", "fy", "year"),
            ("first_part", "q1", "first quarter"),
            ("second_part", "q2", "second quarter"),
            ("third_part", "q3", "third quarter"),
        ] {
            let Some(key) = part(part_name) else { continue };
            let name = format!("{column}_{suffix}");
            let term = Expr::input(&name);
            formula = Some(match formula {
                Some(before) => Expr::Binary(Box::new(before), Op::Minus, Box::new(term)),
                // The mean over the year is a quarter of the sum of the four quarters' means, so
                // multiply it by 4.
                None if column.starts_with("shares_") => {
                    Expr::Binary(Box::new(Expr::Number("4".into())), Op::Times, Box::new(term))
                }
                None => term,
            });
            let line = self.statement_line(&key, column)?;
            to.inputs.push(Figure {
                label: format!("{} of the {which}", label(column)),
                name,
                ..line
            });
        }
        let year = if column.starts_with("shares_") {
            "4 × the year"
        } else {
            "the year"
        };
        to.formula = Some(format!("{year} less its first three quarters"));
        to.expression = formula;
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use findata_models::Models;

    use super::*;

    #[test]
    fn every_figure_of_the_statements_is_a_field_of_fmp_or_has_a_formula() {
        for column in Models::built_in().unwrap().columns("fact_financials").iter().filter(|c| c.is_figure())
        {
            assert!(dataset_of(&column.name).is_some(), "{}", column.name);
        }
        for (line, _) in FALLBACKS {
            let formula = fallback(line).unwrap();
            assert!(formula.inputs().into_iter().all(|input| dataset_of(input).is_some()), "{formula}");
        }
    }
}
