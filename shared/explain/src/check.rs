//! Recomputes figures from their displayed inputs, and compares the results with the stored
//! figures.

use findata_models::Models;

use crate::{
    facts::Facts,
    figure::{Figure, Mismatch},
};

/// Accepted relative difference. The engines and this crate compute with doubles in different
/// orders, so results differ by rounding errors.
const RELATIVE: f64 = 1e-9;
/// Accepted absolute difference for a decimal column: its last digit.
const LAST_DIGIT: f64 = 1e-6;
/// Accepted absolute difference for a column of whole numbers, to which share counts are rounded.
pub(crate) const WHOLE: f64 = 0.5;
/// Accepted absolute difference of doubles. The difference of two equal figures can be a rounding
/// error of this size instead of 0.
const ROUNDING: f64 = 1e-12;

/// Computes a figure's expression from its inputs. Returns `None` for NULL and for a figure without
/// an expression.
pub fn recomputed(figure: &Figure) -> Option<f64> {
    figure.expression.as_ref()?.evaluate(&|name| figure.input_value(name))
}

/// Recomputes a figure and all its direct and indirect inputs, and notes mismatches.
fn check(figure: &mut Figure, models: &Models) {
    for input in &mut figure.inputs {
        check(input, models);
    }
    if figure.expression.is_some() && figure.mismatch.is_none() {
        let again = recomputed(figure);
        figure.compare(again, RELATIVE, last_digit(figure, models));
    }
}

impl Facts<'_> {
    /// Checks a figure and all its inputs. If a split after the as-of day put the bars on a newer
    /// split basis than the figures, replaces mismatches of prices and market metrics with a note.
    pub fn check(&self, figure: &mut Figure) {
        check(figure, self.models);
        if self.is_price_basis_newer {
            forget_prices(figure);
        }
    }
}

fn forget_prices(figure: &mut Figure) {
    figure.inputs.iter_mut().for_each(forget_prices);
    let tables = ["analytics.fact_daily_prices", "analytics.fact_market_metrics"];
    if figure.table.as_deref().is_some_and(|table| tables.contains(&table))
        && figure.mismatch.take().is_some()
    {
        figure
            .notes
            .push("not comparable: bars are on the newest split basis, the figure is not".into());
    }
}

impl Figure {
    /// Notes a mismatch if the recomputed value differs from the stored value. A stored NULL is a
    /// mismatch only if its reason is a missing input. With any other reason, the models do not
    /// apply the formula.
    pub fn compare(&mut self, again: Option<f64>, relative: f64, absolute: f64) {
        let differs = match (self.value, again) {
            (Some(value), Some(again)) => {
                (value - again).abs() > relative * value.abs().max(again.abs()) + absolute
            }
            (Some(_), None) => true,
            (None, Some(_)) => self.reason.as_ref().is_some_and(|reason| reason.word == "missing_input"),
            (None, None) => false,
        };
        if differs {
            self.mismatch = Some(Mismatch { recomputed: again });
        }
    }
}

fn last_digit(figure: &Figure, models: &Models) -> f64 {
    let table = figure.table.as_deref().and_then(|table| table.strip_prefix("analytics."));
    let mut columns = table.map(|table| models.columns(table)).unwrap_or_default().iter();
    let column = columns.find(|c| Some(&c.name) == figure.column.as_ref());
    match column {
        Some(column) if column.kind == "double" => ROUNDING,
        Some(column) if column.is_share_count() => WHOLE,
        _ => LAST_DIGIT,
    }
}

#[cfg(test)]
mod tests {
    use findata_models::metrics::Expr;

    use super::*;

    #[test]
    fn a_changed_value_is_a_mismatch_and_a_rounded_one_is_not() {
        let models = Models::built_in().unwrap();
        let checked = |table: &str, column: &str, value: Option<f64>| {
            let input = |name: &str, value: f64| Figure { value: Some(value), ..Figure::named(name) };
            let mut figure = Figure {
                table: Some(format!("analytics.{table}")),
                column: Some(column.into()),
                value,
                expression: Some(Expr::parse("a / b").unwrap()),
                inputs: vec![input("a", 1.0), input("b", 3.0)],
                ..Figure::named(column)
            };
            check(&mut figure, models);
            figure.mismatch.map(|mismatch| mismatch.recomputed)
        };
        let third = Some(Some(1.0 / 3.0));
        assert_eq!(checked("fact_financial_ratios", "roe", Some(1.0 / 3.0 + 1e-11)), None);
        assert_eq!(checked("fact_financial_ratios", "roe", Some(1.0 / 3.0 + 1e-9)), third);
        assert_eq!(checked("fact_market_metrics", "market_cap", Some(1.0 / 3.0 + 1e-9)), third);
        assert_eq!(checked("fact_daily_prices", "close_price", Some(0.333_333)), None);
        assert_eq!(checked("fact_daily_prices", "close_price", Some(0.333_335)), third);
        assert_eq!(checked("fact_market_metrics", "shares_outstanding_used", Some(0.0)), None);
        assert_eq!(checked("fact_market_metrics", "shares_outstanding_used", Some(1.0)), third);
        assert_eq!(checked("fact_financial_ratios", "roe", None), None);
    }
}
