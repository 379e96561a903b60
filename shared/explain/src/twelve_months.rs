//! Figures of the trailing twelve months, computed from the quarters of their window.

use chrono::NaiveDate;
use findata_domain::Result;
use findata_models::metrics::{Average, Expr};

use crate::{
    build::{mean, numbered, renamed, sum},
    facts::Facts,
    figure::Figure,
    reasons,
    rows::{Key, Row, date, figure},
    ttm::{Rule, condition, rule, words},
    units,
    words::label,
};

/// The periods of the trailing twelve months.
struct Window {
    quarters: Vec<Key>,
    /// The end of the period before the newest period.
    prior: Option<NaiveDate>,
    /// The end of the last period before the twelve months.
    begin: Option<NaiveDate>,
}

impl Facts<'_> {
    /// Returns a figure of the trailing twelve months.
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
        let currency = row.get("reported_currency").map(String::as_str);
        to.unit = units::unit(self.models, "fact_financials_ttm", column).map(|u| units::text(u, currency));
        let reason = row.get("reason");
        if to.value.is_none() {
            to.reason = reason.map(|word| reasons::reason(word));
        }
        if let Some(rule) = rule(&self.models.registry, column) {
            self.apply(&mut to, rule, key)?;
        }
        if reason.is_some() {
            to.notes.push(self.known_periods(row));
        }
        Ok(to)
    }

    fn apply(&self, to: &mut Figure, rule: Rule<'_>, key: &Key) -> Result<()> {
        let window = self.window(key)?;
        match rule {
            Rule::Sum(line) | Rule::Mean(line) => {
                to.inputs = numbered(self.line_of(&window.quarters, line)?);
                to.expression = if matches!(rule, Rule::Sum(_)) {
                    sum(&to.inputs)
                } else {
                    mean(&to.inputs)
                };
            }
            Rule::Newest(line) | Rule::Oldest(line) => {
                let quarters = &window.quarters;
                let quarter = if matches!(rule, Rule::Newest(_)) {
                    quarters.last()
                } else {
                    quarters.first()
                };
                let Some(quarter) = quarter else { return Ok(()) };
                to.same_as(Figure { name: line.into(), ..self.line(quarter, line)? });
            }
            Rule::Ends(of, over) => {
                let (end, suffix) = match over {
                    Average::PreviousPeriod => (window.prior, "quarter_before"),
                    Average::Year => (window.begin, "year_before"),
                };
                let before = end.and_then(|end| self.quarter(end));
                self.mean_of_ends(to, of, suffix, self.quarter(key.date).as_ref(), before.as_ref())?;
            }
            Rule::EarningsPerShare => {
                let income = self.net_income_to_common(&window.quarters)?;
                let shares = self.mean_diluted_shares(&window.quarters)?;
                to.fill(&Expr::parse("net_income_to_common / mean_diluted_shares")?, &|name| {
                    Ok(if name == "net_income_to_common" {
                        income.clone()
                    } else {
                        shares.clone()
                    })
                })?;
            }
        }
        to.formula = to.formula.take().or_else(|| Some(words(rule)));
        to.only_when.extend(condition(rule));
        Ok(())
    }

    /// Sets a figure to the mean of an input at two period ends.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn mean_of_ends(
        &self,
        to: &mut Figure,
        of: &str,
        suffix: &str,
        end: Option<&Key>,
        before: Option<&Key>,
    ) -> Result<()> {
        let earlier = format!("{of}_{suffix}");
        let formula = renamed("(now + earlier) * 0.5", &[("now", of), ("earlier", &earlier)])?;
        to.fill(&formula, &|name| match if name == of { end } else { before } {
            Some(key) => Ok(Figure { label: label(name), ..self.input(key, of)? }),
            None => Ok(Figure::absent_period(name)),
        })
    }

    /// Returns a line of each period.
    fn line_of(&self, quarters: &[Key], line: &str) -> Result<Vec<Figure>> {
        let one = |key: &Key| {
            Ok(Figure {
                name: line.into(),
                label: label(line),
                ..self.line(key, line)?
            })
        };
        quarters.iter().map(one).collect()
    }

    fn net_income_to_common(&self, quarters: &[Key]) -> Result<Figure> {
        let of = |key: &Key| {
            let own = self.line(key, "bottom_line_net_income")?;
            let shown = if own.value.is_some() { own } else { self.line(key, "net_income")? };
            Ok(Figure { name: "net_income_to_common".into(), ..shown })
        };
        let inputs = numbered(quarters.iter().map(of).collect::<Result<Vec<_>>>()?);
        Ok(Figure::of_quarters(
            "net_income_to_common",
            "sum of bottom line net income, or where that is absent net income, over the periods",
            sum(&inputs),
            inputs,
        ))
    }

    fn mean_diluted_shares(&self, quarters: &[Key]) -> Result<Figure> {
        let line = "split_adjusted_shares_outstanding_diluted";
        let inputs = numbered(self.line_of(quarters, line)?);
        Ok(Figure::of_quarters(
            "mean_diluted_shares",
            &words(Rule::Mean(line)),
            mean(&inputs),
            inputs,
        ))
    }

    /// Finds the periods of the trailing twelve months that end with this period.
    fn window(&self, key: &Key) -> Result<Window> {
        let window = self.first(&format!(
            "select window_from, prior_date, begin_date from ttm_windows where fiscal_date = date '{}'",
            key.date
        ))?;
        let window = window.unwrap_or_default();
        let from = date(&window, "window_from").unwrap_or(key.date);
        let quarters = self.quarters.iter().filter(|q| q.date >= from && q.date <= key.date);
        Ok(Window {
            quarters: quarters.cloned().collect(),
            prior: date(&window, "prior_date"),
            begin: date(&window, "begin_date"),
        })
    }

    /// Returns a note that lists the known periods, for incomplete twelve months.
    fn known_periods(&self, row: &Row) -> String {
        let end = date(row, "fiscal_date");
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
}

impl Figure {
    /// Creates the figure of a period that does not exist.
    pub fn absent_period(name: &str) -> Self {
        Figure { notes: vec!["no such period".into()], ..Figure::named(name) }
    }

    /// Creates a figure that no table stores and that is computed from the quarters.
    fn of_quarters(name: &str, formula: &str, expression: Option<Expr>, inputs: Vec<Figure>) -> Self {
        let mut to = Figure {
            formula: Some(formula.into()),
            unit: inputs.first().and_then(|input| input.unit.clone()),
            expression,
            inputs,
            ..Figure::named(name)
        };
        to.value = crate::check::recomputed(&to);
        to
    }
}
