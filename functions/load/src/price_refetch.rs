//! Schedules price histories to be fetched again after splits and dividends, since FMP adjusts a
//! series to the split basis of the day of the call.
//!
//! Until the refetch, the figures are still correct, because the models adjust every bar from the
//! split basis of its day of receipt to the newest split basis. The refetch can therefore wait for
//! the next session, when the symbol needs a call for its new bar anyway. So a run right after
//! another one has nothing to fetch.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use findata_domain::sql::literal;
use findata_domain::{
    Result,
    catalog::{self, CATALOG, Dataset},
    nyse_calendar,
};
use findata_pipeline::{
    batch::Batch,
    freshness::{self, Entry},
    ports::{stage::Stage, warehouse::Warehouse},
};

/// Maximum number of rows per INSERT statement.
const CHUNK: usize = 1_000;

/// Whether rows of a dataset may require a price history to be fetched again, or are price
/// histories themselves.
pub(crate) fn is_affected_by(dataset: &Dataset) -> bool {
    dataset == catalog::PRICES || day_column(dataset).is_some()
}

fn day_column(dataset: &Dataset) -> Option<&'static str> {
    dataset.date_column.filter(|_| dataset.adjusts_prices)
}

/// Query for the day of the newest event in `withdrawn_rows`, by symbol. `None` for a dataset without events that
/// adjust prices.
pub(crate) fn withdrawn_events(dataset: &Dataset) -> Option<String> {
    let day = day_column(dataset)?;
    Some(format!("select symbol, max({day})::varchar from withdrawn_rows group by symbol"))
}

/// Reject codes of bars that FMP may correct, as an SQL list. Not in the list are the codes of bars
/// that findata does not need: bars of days that were not requested, of days without a session, or
/// of another company.
const CORRECTABLE: &str = "'unreadable_field', 'missing_field', 'out_of_range', 'price_not_positive', 'high_below_low', \
     'outside_range', 'negative_volume'";

/// Query for the day of the newest quarantined bar in `incoming` that FMP may correct, by symbol.
/// Ignores a bar that was already quarantined from another file with the same content: FMP has not
/// corrected it, and a further refetch would not help. `None` for a dataset without bars.
pub(crate) fn quarantined_bars(dataset: &Dataset) -> Option<String> {
    let query = || {
        format!(
            "select i.subject, max(i.price_date)::varchar from incoming i \
             where split_part(i.reject, ':', 1) in ({CORRECTABLE}) and i.price_date is not null \
             and not exists (select 1 from ops.quarantine q where q.dataset = '{}' and q.symbol = i.subject \
                 and q.payload = i.payload and q.source_file <> i.source_file) group by i.subject",
            dataset.name
        )
    };
    (dataset == catalog::PRICES).then(query)
}

/// Schedules price histories to be refetched: those received before an event took effect or became
/// known, and those with an entry in `wrong_days`, the days of withdrawn events and quarantined
/// bars. Each history may be fetched from the day after `today` on, or from the event's day if that
/// is later.
pub(crate) async fn schedule(
    wrong_days: &BTreeMap<String, NaiveDate>,
    today: NaiveDate,
    latest: DateTime<Utc>,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let prices = catalog::PRICES;
    let known = freshness::subjects(stage, prices, latest).await?;
    let next_day = today + Days::new(1);
    let histories: Vec<_> = known.iter().filter_map(|(symbol, entry)| history(symbol, entry)).collect();
    let mut batch = Batch::new(warehouse);
    let create = "create or replace temporary table price_histories \
                  (symbol varchar, first_day date, received_on date, received_at timestamp)";
    batch.execute("", create.to_owned()).await?;
    for rows in histories.chunks(CHUNK) {
        let values: Vec<String> = rows.iter().map(values).collect();
        batch
            .execute("", format!("insert into price_histories values {}", values.join(", ")))
            .await?;
    }
    batch.run().await?;
    let events: Vec<String> = CATALOG
        .iter()
        .filter_map(|dataset| {
            let (table, day) = (dataset.name, day_column(dataset)?);
            Some(format!("select symbol, {day} as day, observed_at from staging.{table}"))
        })
        .collect();
    let query = format!(
        "select h.symbol, min(case when e.day > date '{today}' then e.day else date '{next_day}' end)::varchar \
         from price_histories h join ({}) e on e.symbol = h.symbol and e.day > h.first_day \
         where e.day > h.received_on or e.observed_at > h.received_at group by h.symbol",
        events.join(" union all ")
    );
    let mut due = days(warehouse.query(&query).await?);
    warehouse.release(&["price_histories"]).await?;
    for (symbol, first, _) in &histories {
        if wrong_days.get(*symbol).is_some_and(|day| *day <= today && day > first) {
            let on = due.entry((*symbol).to_owned()).or_insert(next_day);
            *on = next_day.min(*on);
        }
    }
    due.retain(|symbol, on| known.get(symbol).and_then(|e| e.refetch).is_none_or(|refetch| refetch.on > *on));
    if due.is_empty() {
        Ok(())
    } else {
        freshness::refetch(stage, prices, &due).await
    }
}

/// A symbol, the first day of its price history, and the time of the earliest call that returned a
/// part of it.
type History<'a> = (&'a str, NaiveDate, DateTime<Utc>);

fn history<'a>(symbol: &'a str, entry: &Entry) -> Option<History<'a>> {
    let days = entry.days.filter(|days| days.newest.is_some())?;
    Some((symbol, days.from, days.since.unwrap_or(entry.fetched_at)))
}

fn values((symbol, first, at): &History<'_>) -> String {
    let (day, at) = (nyse_calendar::new_york_date(*at), at.format("%Y-%m-%d %H:%M:%S%.6f"));
    format!("({}, date '{first}', date '{day}', timestamp '{at}')", literal(symbol))
}

/// Reads rows of a symbol and a day.
pub(crate) fn days(rows: Vec<Vec<Option<String>>>) -> BTreeMap<String, NaiveDate> {
    let read = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(symbol), Some(day), ..] => Some((symbol.clone(), day.parse().ok()?)),
        _ => None,
    };
    rows.into_iter().filter_map(read).collect()
}
