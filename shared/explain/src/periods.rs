//! Ratios and growth rates.

use crate::formulas::{expression, growth_lines, label, null_reason_rule, ratio_lines, ratio_rule, words};
use findata_domain::Result;

use super::{
    build::unit_text,
    facts::{Facts, key},
    figure::Figure,
    reasons::reason,
    rows::{Key, figure},
};

impl Facts<'_> {
    /// A metric in the published row of a period.
    fn published(&self, fact: &str, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = Figure::named(metric);
        (to.table, to.column) = (Some(format!("analytics.{fact}")), Some(metric.into()));
        (to.basis, to.date) = (Some(key.basis.clone()), Some(key.date.to_string()));
        let of = format!("symbol = {{symbol}} and basis = '{}'", key.basis);
        let row = self
            .first(&format!(
                "select * from analytics.{fact} where {of} and fiscal_date = date '{}'",
                key.date
            ))?
            .unwrap_or_default();
        to.value = figure(&row, metric);
        to.unit = unit_text(fact, metric, row.get("reported_currency").map(String::as_str));
        to.known_on = self.known_on(key).map(|day| day.to_string());
        if to.value.is_none() {
            to.reason = self.null_reason(&format!("{of} and subject_date = date '{}'", key.date), metric)?;
        }
        Ok(to)
    }

    /// The reason for NULL in `analytics.metric_nulls`.
    pub fn null_reason(&self, of: &str, metric: &str) -> Result<Option<super::figure::Reason>> {
        // One query for all metrics of the row: planning this wide view costs more than reading it.
        let all = self.ask(&format!("select metric, reason from analytics.metric_nulls where {of}"))?;
        let own = all.iter().find(|row| row.get("metric").is_some_and(|known| known == metric));
        Ok(own.and_then(|row| row.get("reason").map(|word| reason(word))))
    }

    /// A ratio.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn ratio(&self, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = self.published("fact_financial_ratios", key, metric)?;
        let Some(line) = ratio_lines().iter().find(|line| line.metric == metric) else {
            return Ok(to);
        };
        if let Ok(formula) = line.formula() {
            self.fill(&mut to, &formula, &self.rows_of(key))?;
        }
        to.only_when.extend(ratio_rule(&line.rule, &line.denominator));
        to.only_when.extend(null_reason_rule(&line.null_reason).map(str::to_owned));
        if key.basis == "TTM"
            && let Some(row) = self.ttm.get(key)
            && row.contains_key("reason")
        {
            to.notes.extend(self.ttm(key, "ttm_revenue")?.notes);
        }
        self.sector(&mut to)?;
        Ok(to)
    }

    /// Adds a note with the sector if that is the reason for NULL.
    pub fn sector(&self, to: &mut Figure) -> Result<()> {
        if to.reason.as_ref().is_some_and(|r| r.word == "not_meaningful_for_sector") {
            let row = self.first("select sector, industry from staging.profile where symbol = {symbol}")?;
            let row = row.unwrap_or_default();
            let text = |name: &str| row.get(name).cloned().unwrap_or_default();
            to.notes.push(format!("sector {}, {}", text("sector"), text("industry")));
        }
        Ok(())
    }

    /// A growth rate.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn growth(&self, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = self.published("fact_growth_rates", key, metric)?;
        let Some(line) = growth_lines().iter().find(|line| line.metric() == metric) else {
            return Ok(to);
        };
        let base = self.first(&format!(
            "select b.fiscal_date, b.basis from growth_pairs p join period_inputs o on o.period_id = p.period_id \
             join period_inputs b on b.period_id = p.{}_period_id \
             where o.fiscal_date = date '{}' and o.basis = '{}'",
            line.horizon, key.date, key.basis
        ))?;
        let before = format!("{}_before", line.item);
        let now = Figure {
            name: line.item.clone(),
            label: label(&line.item),
            ..self.period_input(key, &line.item)?
        };
        let then = match base.as_ref().and_then(self::key) {
            Some(base) => Figure {
                name: before.clone(),
                label: label(&before),
                ..self.period_input(&base, &line.item)?
            },
            None => Figure {
                notes: vec![self.no_base_note(key, &line.horizon)],
                ..Figure::named(&before)
            },
        };
        if let Ok(expr) = line.formula() {
            (to.formula, to.expression) = (Some(words(&expr)), Some(expr.to_string()));
        }
        to.only_when.push(match line.years > 1.0 {
            true => format!("{} is above zero at both ends", label(&line.item)),
            false => format!("{} is not zero", label(&before)),
        });
        to.inputs = vec![now, then];
        Ok(to)
    }

    fn no_base_note(&self, key: &Key, horizon: &str) -> String {
        let same = |k: &&Key| match key.basis.as_str() {
            "FY" | "TTM" => k.basis == key.basis,
            _ => k.basis.starts_with('Q'),
        };
        let first = self
            .period_inputs
            .keys()
            .find(same)
            .map_or_else(|| "none".to_owned(), |k| k.date.to_string());
        format!("no period that far back ({horizon}); the first known one ends on {first}")
    }
}

/// Evaluates a figure's expression over its inputs, for tests.
pub fn recomputed(of: &Figure) -> Option<f64> {
    let expr = expression(of.expression.as_deref()?)?;
    let most = of
        .inputs
        .iter()
        .map(|i| of.inputs.iter().filter(|o| o.name == i.name).count())
        .max()
        .unwrap_or(0);
    crate::formulas::evaluate(&expr, &|name| match name {
        "*" => vec![Some(1.0); most],
        _ => of.inputs.iter().filter(|input| input.name == name).map(|input| input.value).collect(),
    })
}
