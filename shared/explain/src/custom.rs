//! The user's metrics, which are rows of `analytics.fact_custom_metrics` and not columns.

use findata_domain::{Result, sql::literal};
use findata_models::CUSTOM_METRICS;

use crate::{
    facts::Facts,
    figure::Figure,
    reasons::reason,
    rows::{Key, figure},
};

impl Facts<'_> {
    /// Fills in the stored value of one of the user's metrics, or the reason for its NULL.
    ///
    /// # Errors
    /// `Stop` when the warehouse cannot be read.
    pub fn stored_custom(&self, to: &mut Figure, key: &Key) -> Result<()> {
        to.table = Some(format!("analytics.{CUSTOM_METRICS}"));
        // A warehouse of an earlier build has no such table until the next run.
        let table = self.first(&format!(
            "select table_name from information_schema.tables \
             where table_schema = 'analytics' and table_name = '{CUSTOM_METRICS}' limit 1"
        ))?;
        let query = format!(
            "select value, reason from analytics.{CUSTOM_METRICS} where symbol = {{symbol}} and known_to is null \
             and metric = {} and basis = '{}' and as_of_date = date '{}'",
            literal(&to.name),
            key.basis,
            key.date
        );
        let row = table.map(|_| self.first(&query)).transpose()?.flatten();
        match &row {
            Some(row) => {
                to.value = figure(row, "value");
                to.reason = row.get("reason").map(|word| reason(word));
            }
            None => to.reason = Some(reason("not_computed")),
        }
        to.column = Some("value".into());
        Ok(())
    }
}
