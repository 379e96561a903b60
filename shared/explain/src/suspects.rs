//! Suspicions: values that contradict each other, in the data from which a figure is computed.

use chrono::NaiveDate;
use findata_domain::Result;

use crate::{
    ask::Fact,
    facts::{Facts, key},
    figure::Contradiction,
    rows::{Key, Row, figure},
};

/// The suspicions of the rebuilt models, newest first.
const SUSPICIONS: &str = "select suspicion, period_type, fiscal_date, ours, theirs from period_suspects \
     union all select suspicion, 'TTM', fiscal_date, ours, theirs from ttm_suspects where suspicion = 'filer_change' \
     union all select suspicion, 'MARKET', noticed_on, ours, theirs from share_suspects \
     order by fiscal_date desc, suspicion, period_type";

/// Maximum number of contradictions shown per suspicion.
const SHOWN: usize = 4;

impl Facts<'_> {
    /// Returns the contradictions that make a row of a fact table suspect, as its `suspect_reason`
    /// lists them.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn contradictions_of_row(&self, fact: Fact, at: &Key) -> Result<Vec<Contradiction>> {
        let row = match fact {
            Fact::Market => self.day(at.date)?,
            Fact::Ttm => self.ttm.get(at).cloned().unwrap_or_default(),
            Fact::Ratios | Fact::Growth => {
                let table = if fact == Fact::Ratios {
                    "fact_financial_ratios"
                } else {
                    "fact_growth_rates"
                };
                let query = format!(
                    "select * from analytics.{table} where symbol = {{symbol}} and basis = '{}' and fiscal_date = date '{}'",
                    at.basis, at.date
                );
                self.first(&query)?.unwrap_or_default()
            }
            Fact::Financials => return self.contradictions_of_period(at),
            Fact::Prices => return Ok(Vec::new()),
        };
        let Some(codes) = row.get("suspect_reason") else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for code in codes.split(", ") {
            let of_code =
                self.contradictions(|row, day| (day <= at.date || is_of_days(row)) && is(row, code))?;
            match of_code.is_empty() {
                // A suspicion that does not concern a period has no row here.
                true => found.extend(self.contradiction(code, &Row::new())),
                false => found.extend(of_code.into_iter().take(SHOWN)),
            }
        }
        Ok(found)
    }

    /// Returns the contradictions of a period's statements.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn contradictions_of_period(&self, period: &Key) -> Result<Vec<Contradiction>> {
        self.contradictions(|row, _| key(row).as_ref() == Some(period))
    }

    fn contradictions(&self, wanted: impl Fn(&Row, NaiveDate) -> bool) -> Result<Vec<Contradiction>> {
        let rows = self.ask(SUSPICIONS)?;
        let wanted = rows.iter().filter(|row| key(row).is_some_and(|key| wanted(row, key.date)));
        let one = |row: &Row| self.contradiction(row.get("suspicion")?, row);
        Ok(wanted.filter_map(one).collect())
    }

    fn contradiction(&self, code: &str, row: &Row) -> Option<Contradiction> {
        let declared = self.models.registry.suspicion(code)?;
        Some(Contradiction {
            code: code.to_owned(),
            meaning: declared.about.clone(),
            period: key(row).map(|key| format!("{} {}", key.basis, key.date)),
            ours: declared.ours.clone(),
            our_value: figure(row, "ours"),
            theirs: declared.theirs.clone(),
            their_value: figure(row, "theirs"),
        })
    }
}

/// Whether a suspicion concerns days, also those before it was noticed.
fn is_of_days(row: &Row) -> bool {
    row.get("period_type").is_some_and(|basis| basis == "MARKET")
}

fn is(row: &Row, code: &str) -> bool {
    row.get("suspicion").is_some_and(|known| known == code)
}
