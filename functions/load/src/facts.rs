//! What load must know about the rows in `incoming` before it writes them. One query reads all of it, because each
//! query costs a round trip, and a single symbol on demand has eight datasets.

use findata_domain::{Error, Result, catalog::Dataset};
use findata_pipeline::ports::warehouse::Warehouse;

use crate::{filers, price_refetch, restatements, sql};

/// The rows of a query, with [`COLUMNS`] cells each. Cells after those of the query are `None`.
type Rows = Vec<Vec<Option<String>>>;

/// Most columns of a query.
const COLUMNS: usize = 4;

/// What the queries return.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Of [`sql::COUNTS`].
    pub counts: Rows,
    /// Of [`filers::changes`].
    pub filers: Rows,
    /// Of [`price_refetch::quarantined_bars`] or [`price_refetch::withdrawn_events`].
    pub wrong_days: Rows,
    /// Whether [`crate::withdrawals::any_missing`] returns a row.
    pub any_missing: bool,
    /// Whether there are restatements.
    pub any_restated: bool,
}

impl Facts {
    /// Reads them. `has_quarantined` says whether the ledger lists quarantined rows. `any_missing` is the query for
    /// the field of this name.
    pub async fn read(
        dataset: &Dataset,
        has_quarantined: bool,
        any_missing: Option<&str>,
        warehouse: &mut impl Warehouse,
    ) -> Result<Facts> {
        let bars = price_refetch::quarantined_bars(dataset).filter(|_| has_quarantined);
        let wrong_days = bars.or_else(|| price_refetch::withdrawn_events(dataset));
        let mut queries = vec![branch("counts", 3, sql::COUNTS)];
        queries.extend(filers::changes(dataset).map(|query| branch("filers", 4, query)));
        queries.extend(wrong_days.map(|query| branch("wrong_days", 2, &query)));
        queries.extend(any_missing.map(|query| branch("missing", 1, query)));
        queries.extend(restatements::any(dataset).map(|query| branch("restated", 1, query)));
        let mut facts = Facts::default();
        for mut row in warehouse.query(&queries.join(" union all ")).await? {
            match row.remove(0).as_deref() {
                Some("counts") => facts.counts.push(row),
                Some("filers") => facts.filers.push(row),
                Some("wrong_days") => facts.wrong_days.push(row),
                Some("missing") => facts.any_missing = true,
                Some("restated") => facts.any_restated = true,
                _ => return Err(Error::Stop("the warehouse did not return what it was asked for".into())),
            }
        }
        Ok(facts)
    }
}

/// A query that puts the kind of its rows before the columns of another query, and fills them up to [`COLUMNS`].
fn branch(kind: &str, columns: usize, query: &str) -> String {
    let missing = ", null::varchar".repeat(COLUMNS.saturating_sub(columns));
    format!("select '{kind}', {kind}.*{missing} from ({query}) {kind}")
}
