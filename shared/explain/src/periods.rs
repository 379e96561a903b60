//! Ratios and growth rates of periods.

use chrono::NaiveDate;
use findata_domain::Result;

use crate::{
    conditions,
    facts::{Facts, key},
    figure::{Figure, Reason},
    reasons::reason,
    rows::{Key, figure},
    units,
};

impl Facts<'_> {
    /// Returns a metric from the published row of a period.
    fn published(&self, fact: &str, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = Figure::named(metric);
        (to.table, to.column) = (Some(format!("analytics.{fact}")), Some(metric.into()));
        (to.basis, to.date) = (Some(key.basis.clone()), Some(key.date.to_string()));
        let is_custom = self.models.registry.custom.has(metric);
        let of = format!("symbol = {{symbol}} and basis = '{}'", key.basis);
        let row = self
            .first(&format!(
                "select * from analytics.{fact} where {of} and fiscal_date = date '{}'",
                key.date
            ))?
            .unwrap_or_default();
        to.value = figure(&row, metric);
        let currency = row.get("reported_currency").map(String::as_str);
        to.unit = units::unit(self.models, fact, metric).map(|unit| units::text(unit, currency));
        to.known_on = self.known_on(key).map(|day| day.to_string());
        if is_custom {
            self.stored_custom(&mut to, key)?;
        } else if to.value.is_none() {
            to.reason = self.null_reason(&format!("{of} and subject_date = date '{}'", key.date), metric)?;
        }
        Ok(to)
    }

    /// Returns the reason for a NULL from `analytics.metric_nulls`.
    pub fn null_reason(&self, of: &str, metric: &str) -> Result<Option<Reason>> {
        // Query all metrics of the row at once and use the cache: the engine spends more time on
        // planning this wide view than on reading it.
        let all = self.ask(&format!("select metric, reason from analytics.metric_nulls where {of}"))?;
        let own = all.iter().find(|row| row.get("metric").is_some_and(|known| known == metric));
        Ok(own.and_then(|row| row.get("reason").map(|word| reason(word))))
    }

    /// Returns a ratio of a period.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn ratio(&self, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = self.published("fact_financial_ratios", key, metric)?;
        let registry = &self.models.registry;
        let Some(ratio) = registry.ratio(metric) else {
            return Ok(to);
        };
        to.fill(&ratio.formula, &|name| self.input(key, name))?;
        to.only_when.extend(conditions::of_ratio(registry, ratio));
        if key.basis == "TTM"
            && let Some(row) = self.ttm.get(key)
            && row.contains_key("reason")
        {
            to.notes.extend(self.ttm(key, "ttm_revenue")?.notes);
        }
        self.sector(&mut to, None)?;
        Ok(to)
    }

    /// Adds a note with the sector, as known on a day or now, if the sector is the reason for NULL.
    pub fn sector(&self, to: &mut Figure, day: Option<NaiveDate>) -> Result<()> {
        let reasons = ["not_meaningful_for_sector", "unknown_sector"];
        if to.reason.as_ref().is_some_and(|r| reasons.contains(&r.word.as_str())) {
            let row = self.profile(day)?;
            let text = |name: &str| row.get(name).map_or("unknown", String::as_str);
            to.notes.push(format!("sector {}, industry {}", text("sector"), text("industry")));
            self.note_corrections(to, &["value"])?;
            if text("is_lender") == "true" {
                let share = self.models.registry.industries.interest_share * 100.0;
                to.notes.push(format!("a lender whose interest income exceeds {share} % of revenue"));
            }
        }
        Ok(())
    }

    /// Returns a growth rate of a period.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn growth(&self, key: &Key, metric: &str) -> Result<Figure> {
        let mut to = self.published("fact_growth_rates", key, metric)?;
        let Some(rate) = self.models.registry.growth_rate(metric) else {
            return Ok(to);
        };
        let (now, horizon) = (rate.growth.figure.as_str(), rate.horizon.name.as_str());
        let base = self.earlier_period(key, horizon)?;
        to.fill(&rate.formula(), &|name| match &base {
            _ if name == now => self.input(key, now),
            Some(base) => self.input(base, now),
            None => Ok(Figure {
                notes: vec![self.no_base_note(key, horizon)],
                ..Figure::named(name)
            }),
        })?;
        to.only_when.extend(conditions::of_growth_rate(rate));
        self.sector(&mut to, None)?;
        Ok(to)
    }

    /// Returns the earlier period with which a period is compared over a horizon.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn earlier_period(&self, key: &Key, horizon: &str) -> Result<Option<Key>> {
        let row = self.first(&format!(
            "select b.fiscal_date, b.basis from period_pairs p join period_inputs o on o.period_id = p.period_id \
             join period_inputs b on b.period_id = p.base_period_id \
             where p.horizon = '{horizon}' and o.fiscal_date = date '{}' and o.basis = '{}'",
            key.date, key.basis
        ))?;
        Ok(row.as_ref().and_then(self::key))
    }

    /// Returns a note that says why there is no earlier period.
    pub fn no_base_note(&self, key: &Key, horizon: &str) -> String {
        let same = |k: &&Key| match key.basis.as_str() {
            "FY" | "TTM" => k.basis == key.basis,
            _ => k.basis.starts_with('Q'),
        };
        let first = self
            .period_inputs
            .keys()
            .find(same)
            .map_or_else(|| "none".to_owned(), |k| k.date.to_string());
        format!(
            "no period that far back is known (horizon {horizon}); the first known period ends on {first}"
        )
    }
}
