//! The newest rank of a figure within the company's sector and industry.

use findata_domain::Result;

use super::{
    ask::Fact,
    facts::Facts,
    figure::Figure,
    rows::{Row, figure as number},
};

/// A warehouse has the table after its first run with this version of findata.
const EXISTS: &str = "select 1 as n from duckdb_columns() where schema_name = 'analytics' \
     and table_name = 'fact_sector_ranks' limit 1";
const NEWEST: &str = "select r.metric, r.value, r.as_of_date, m.fundamentals_as_of, r.group_type, r.group_name, r.members, \
     r.percentile, r.z_score from analytics.fact_sector_ranks r \
     left join analytics.fact_market_metrics m on m.symbol = r.symbol and m.metric_date = r.as_of_date \
     where r.symbol = {symbol} and r.as_of_date = (select max(as_of_date) from analytics.fact_sector_ranks) \
     order by r.group_type desc nulls last";

impl Facts<'_> {
    /// Returns a note for each group in which the figure has a rank at the newest ranked session.
    /// A figure of an earlier session or period has none.
    ///
    /// # Errors
    /// `Stop` if the warehouse cannot be read.
    pub(super) fn ranks(&self, fact: Fact, metric: &str, figure: &Figure) -> Result<Vec<String>> {
        let is_ranked = self.models.registry.ranks.iter().any(|name| name == metric);
        let has_ranks = match fact {
            Fact::Market => true,
            Fact::Ratios | Fact::Growth => figure.basis.as_deref() == Some("TTM"),
            _ => false,
        };
        if !is_ranked || !has_ranks || figure.value.is_none() || self.first(EXISTS)?.is_none() {
            return Ok(Vec::new());
        }
        let date = match fact {
            Fact::Market => "as_of_date",
            _ => "fundamentals_as_of",
        };
        let is_same = |row: &Row| {
            row.get("metric").is_some_and(|name| name == metric)
                && row.get(date) == figure.date.as_ref()
                && number(row, "value") == figure.value
        };
        Ok(self.ask(NEWEST)?.iter().filter(|row| is_same(row)).map(note).collect())
    }
}

fn note(row: &Row) -> String {
    let text = |column: &str| row.get(column).map(String::as_str).unwrap_or_default();
    let z_score = number(row, "z_score").map(|z| format!(", z-score {z:.2}")).unwrap_or_default();
    format!(
        "percentile {:.2} of {} companies in the {} {} on {}{z_score}",
        number(row, "percentile").unwrap_or_default(),
        text("members"),
        text("group_type"),
        text("group_name"),
        text("as_of_date"),
    )
}
