//! The inputs of formulas for one period: statement lines, and the inputs declared in
//! `metrics/inputs.toml`.

use findata_domain::Result;
use findata_models::metrics::{Earlier, Input, YEAR_HORIZON};

use crate::{
    facts::Facts,
    figure::Figure,
    reasons::reason,
    rows::{Key, figure},
    ttm, units,
    words::label,
};

impl Facts<'_> {
    /// Returns an input of a formula for a period.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn input(&self, key: &Key, name: &str) -> Result<Figure> {
        let is_ttm = key.basis == "TTM";
        if let Some((earlier, inner)) = Earlier::split(name) {
            let mut period = self.earlier_period(key, YEAR_HORIZON)?;
            if earlier == Earlier::TwoYearsAgo {
                period = period.map(|p| self.earlier_period(&p, YEAR_HORIZON)).transpose()?.flatten();
            }
            return match period {
                Some(period) => self.input(&period, inner),
                None => Ok(Figure {
                    notes: vec![self.no_base_note(key, YEAR_HORIZON)],
                    ..Figure::named(name)
                }),
            };
        }
        match self.models.registry.input(name) {
            None if is_ttm => self.ttm(key, &ttm::column(name)),
            None => self.line(key, name),
            Some(Input { formula: Some(formula), .. }) => {
                let mut to = self.computed(key, name);
                to.fill(formula, &|name| self.input(key, name))?;
                Ok(to)
            }
            Some(_) if name == "days" => {
                let row = self.period_inputs.get(key);
                Ok(Figure {
                    value: row.and_then(|row| figure(row, name)),
                    ..self.computed(key, name)
                })
            }
            Some(Input { ttm: Some(column), .. }) if is_ttm => self.ttm(key, column),
            Some(Input { average_of: Some(of), .. }) => {
                let mut to = self.computed(key, name);
                let row = self.period_inputs.get(key);
                let has_prior = row.and_then(|r| r.get("has_prior_period")).is_some_and(|has| has == "true");
                let before = self.before(key).filter(|_| has_prior);
                self.mean_of_ends(&mut to, of, "before", Some(key), before.as_ref())?;
                Ok(to)
            }
            Some(Input { period: Some(column), .. }) => self.line(key, column),
            Some(_) => Ok(self.computed(key, name)),
        }
    }

    /// Returns a figure of a period that no table stores, from the model `period_inputs`.
    fn computed(&self, key: &Key, name: &str) -> Figure {
        let row = self.period_inputs.get(key);
        let currency = row.and_then(|row| row.get("reported_currency")).map(String::as_str);
        Figure {
            basis: Some(key.basis.clone()),
            date: Some(key.date.to_string()),
            unit: self.models.registry.unit(name).map(|unit| units::text(unit, currency)),
            ..Figure::named(name)
        }
    }

    /// Returns a statement line of a period. For a name with the prefix `split_adjusted_`, returns
    /// the line on the newest split basis.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn line(&self, key: &Key, name: &str) -> Result<Figure> {
        match name.strip_prefix("split_adjusted_") {
            Some(reported) => self.share(key, name, reported),
            None => self.statement_line(key, name),
        }
    }

    /// Returns a per-share figure or share count on the newest split basis.
    fn share(&self, key: &Key, name: &str, reported: &str) -> Result<Figure> {
        let line = self.statement_line(key, reported)?;
        let value = self.split_adjusted_shares.get(key).and_then(|row| figure(row, name));
        if value == line.value {
            return Ok(line);
        }
        let mut to = Figure { unit: line.unit.clone(), value, ..Figure::named(name) };
        (to.basis, to.date) = (line.basis.clone(), line.date.clone());
        let is_per_share = reported.starts_with("eps");
        let factor = match (value, line.value) {
            (Some(value), Some(reported)) if is_per_share && value != 0.0 => Some(reported / value),
            (Some(value), Some(reported)) if !is_per_share && reported != 0.0 => Some(value / reported),
            _ => None,
        };
        let adjusted = self.split_adjusted_shares.get(key);
        let refused = if is_per_share { "eps_reason" } else { "share_reason" };
        if let Some(code) = adjusted.and_then(|row| row.get(refused)) {
            (to.reason, to.inputs) = (Some(reason(code)), vec![line]);
            return Ok(to);
        }
        let unit =
            self.first("select shares_per_security from share_checks where shares_per_security <> 1")?;
        let unit = unit.and_then(|row| figure(&row, "shares_per_security")).filter(|_| factor.is_some());
        let mut notes = match self.first("select symbol from split_events limit 1")? {
            Some(_) => vec![self.splits()?],
            None => Vec::new(),
        };
        notes.extend(unit.map(|unit| format!("one security stands for {unit} shares of the statements")));
        let mut split = Figure {
            label: if unit.is_some() {
                "securities for each share then"
            } else {
                "shares today for each share then"
            }
            .into(),
            value: factor,
            notes,
            ..Figure::named("basis_factor")
        };
        self.note_corrections(&mut split, &["share_ratio", "split"])?;
        to.adjust(Figure { label: label(reported), ..line }, split, !is_per_share);
        Ok(to)
    }

    /// Returns a note that lists the splits of the company.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn splits(&self) -> Result<String> {
        let splits = self.ask(
            "select split_date, numerator::double as n, denominator::double as d from staging.splits \
             where symbol = {symbol} order by 1",
        )?;
        let one = |row: &crate::rows::Row| {
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
}
