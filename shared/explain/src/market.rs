//! Market metrics of a session, computed from its price and the fundamentals known on that day.

use chrono::NaiveDate;
use findata_domain::Result;
use findata_models::metrics::{MarketMetric, Source};

use crate::{
    conditions,
    facts::Facts,
    figure::Figure,
    rows::{Key, Row, date, figure},
    units,
};

const FACT: &str = "fact_market_metrics";

/// The periods that were known on a session.
#[derive(Debug, Clone, Default)]
pub struct Known {
    ttm: Option<Key>,
    year: Option<Key>,
    /// The period of the newest statement.
    pub latest: Option<Key>,
}

impl Known {
    /// The period of a source.
    fn of(&self, source: Source) -> Option<&Key> {
        match source {
            Source::Ttm | Source::Growth => self.ttm.as_ref(),
            Source::Fy => self.year.as_ref(),
            Source::Latest => self.latest.as_ref(),
        }
    }
}

impl Facts<'_> {
    /// Returns a market metric of a session.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn market(&self, day: NaiveDate, metric: &str) -> Result<Figure> {
        let mut to = Figure::named(metric);
        (to.table, to.column) = (Some(format!("analytics.{FACT}")), Some(metric.into()));
        (to.basis, to.date) = (Some("MARKET".into()), Some(day.to_string()));
        let row = self.day(day)?;
        to.value = figure(&row, metric);
        let currency = self.quote_currency(day)?;
        to.unit = units::unit(self.models, FACT, metric).map(|unit| units::text(unit, currency.as_deref()));
        if self.models.registry.custom.has(metric) {
            self.stored_custom(&mut to, &Key { date: day, basis: "MARKET".into() })?;
        } else if to.value.is_none() {
            let of = format!("symbol = {{symbol}} and basis = 'MARKET' and subject_date = date '{day}'");
            to.reason = self.null_reason(&of, metric)?;
        }
        if let Some(declared) = self.models.registry.price_metric(metric) {
            self.window_metric(&mut to, day, declared)?;
            return Ok(to);
        }
        let Some(declared) = self.models.registry.market_metric(metric) else {
            to.same_as(self.bar(day, "close_price")?);
            return Ok(to);
        };
        let fundamentals = |name: &str| row.get(name).cloned().unwrap_or_else(|| "none".into());
        to.notes.push(format!(
            "fundamentals to {}, known on {}",
            fundamentals("fundamentals_as_of"),
            fundamentals("fundamentals_known_on")
        ));
        let known = self.known_on_session(day)?;
        to.fill(&declared.formula, &|name| self.day_input(day, name, &known))?;
        to.only_when.extend(conditions::of_market_metric(&self.models.registry, declared));
        self.sector(&mut to, Some(day))?;
        self.why_fundamentals_do_not_fit(&mut to, declared, &known, currency)?;
        Ok(to)
    }

    /// Returns the stored market metrics of a session.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn day(&self, day: NaiveDate) -> Result<Row> {
        let row = self.first(&format!(
            "select * from analytics.{FACT} where symbol = {{symbol}} and metric_date = date '{day}'"
        ))?;
        Ok(row.unwrap_or_default())
    }

    /// Returns the currency of the company's price on a day.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn quote_currency(&self, day: NaiveDate) -> Result<Option<String>> {
        Ok(self.profile(Some(day))?.get("quote_currency").cloned())
    }

    /// Returns what follows from the profile of a day, or from the newest one.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn profile(&self, day: Option<NaiveDate>) -> Result<Row> {
        let when = match day {
            Some(day) => format!("p.valid_from <= date '{day}' and p.valid_to > date '{day}'"),
            None => "p.since_at < l.cutoff and (p.until_at is null or p.until_at >= l.cutoff)".into(),
        };
        let row = self.first(&format!(
            "select p.* from profile_ranges p join vintages l on l.symbol = p.symbol and p.known_from < l.cutoff \
             and (p.known_to is null or p.known_to >= l.cutoff) where {when}"
        ))?;
        Ok(row.unwrap_or_default())
    }

    /// Finds the periods that were known on a session.
    fn known_on_session(&self, day: NaiveDate) -> Result<Known> {
        let range = self
            .first(&format!(
                "select k.* from fundamentals_ranges k where k.valid_from <= date '{day}' and k.valid_to > date '{day}'"
            ))?
            .unwrap_or_default();
        let key = |column: &str, basis: Option<&str>| {
            Some(Key { date: date(&range, column)?, basis: basis?.to_owned() })
        };
        Ok(Known {
            ttm: key("ttm_date", Some("TTM")),
            year: key("fy_date", Some("FY")),
            latest: key("latest_date", range.get("latest_basis").map(String::as_str)),
        })
    }

    /// Returns an input of a market metric: a figure of the session, or of a period known on that
    /// day.
    fn day_input(&self, day: NaiveDate, name: &str, known: &Known) -> Result<Figure> {
        let Some((source, input)) = Source::split(name) else {
            return match name {
                "close_price" => self.before_spin_offs(day, self.bar(day, name)?),
                "shares" => self.shares(day, known),
                "dividends_per_share" => self.before_spin_offs(day, self.dividends(day)?),
                _ => self.market(day, name),
            };
        };
        match known.of(source) {
            None => Ok(Figure::absent_period(name)),
            Some(key) if source == Source::Growth => self.growth(key, input),
            Some(key) => self.input(key, input),
        }
    }

    /// Undoes the spin-offs after the day, which divide older prices and change no share count.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn before_spin_offs(&self, day: NaiveDate, figure_now: Figure) -> Result<Figure> {
        let row = self.first(&format!(
            "select basis_factor / share_factor as price_factor from split_factors \
             where date '{day}' >= from_date and date '{day}' < until_date and basis_factor <> share_factor"
        ))?;
        let Some(factor) = row.and_then(|row| figure(&row, "price_factor")) else {
            return Ok(figure_now);
        };
        let mut to = Figure {
            value: figure_now.value.map(|value| value * factor),
            unit: figure_now.unit.clone(),
            date: figure_now.date.clone(),
            ..Figure::named(&figure_now.name)
        };
        let factor = Figure {
            label: "later spin-offs".into(),
            value: Some(factor),
            notes: vec![self.splits()?],
            ..Figure::named("price_factor")
        };
        to.adjust(figure_now, factor, true);
        Ok(to)
    }

    /// Adds a note if the figure is NULL because of the currency or the age of the fundamentals.
    fn why_fundamentals_do_not_fit(
        &self,
        to: &mut Figure,
        metric: &MarketMetric,
        known: &Known,
        currency: Option<String>,
    ) -> Result<()> {
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
                    currency.unwrap_or_default()
                ));
                self.note_corrections(to, &["value"])?;
            }
            Some("stale_fundamentals") => {
                let needed = metric.statements().into_iter().filter_map(|source| known.of(source));
                if let Some(oldest) = needed.map(|key| key.date).min() {
                    to.notes.push(format!("the newest period known that day ended on {oldest}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
