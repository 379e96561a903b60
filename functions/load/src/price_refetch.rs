//! Splits and dividends make a price history another: FMP's series is on the basis of the day of the call.
//!
//! Until it is fetched again the figures hold all the same, since every bar is brought to the newest basis by its day of
//! receipt. So it is fetched with the next session's bars, in the call that the symbol takes anyway, and a run right after
//! another has nothing to fetch.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use findata_domain::{
    Result,
    catalog::{self, CATALOG, Dataset},
    nyse_calendar,
};
use findata_models::literal;
use findata_pipeline::{
    freshness::{self, Entry},
    ports::{stage::Stage, warehouse::Warehouse},
};

/// Rows of one INSERT.
const CHUNK: usize = 1_000;

/// Whether its rows may make a price history another, or are one.
pub(crate) fn concerns(dataset: &Dataset) -> bool {
    dataset == catalog::PRICES || day_column(dataset).is_some()
}

fn day_column(dataset: &Dataset) -> Option<&'static str> {
    dataset.date_column.filter(|_| dataset.adjusts_prices)
}

/// The newest event that each symbol lost with the rows in `departed`.
pub(crate) async fn withdrawn(
    dataset: &Dataset,
    warehouse: &mut impl Warehouse,
) -> Result<BTreeMap<String, NaiveDate>> {
    let Some(day) = day_column(dataset) else { return Ok(BTreeMap::new()) };
    days(&format!("select symbol, max({day})::varchar from departed group by symbol"), warehouse).await
}

/// Notes which price histories are to be fetched again, and from when on: those that came before an event took effect or
/// was known, and those of which an event was withdrawn.
pub(crate) async fn note(
    withdrawn: &BTreeMap<String, NaiveDate>,
    today: NaiveDate,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let prices = catalog::PRICES;
    let known = freshness::subjects(stage, prices).await?;
    let next_day = today + Days::new(1);
    let histories: Vec<_> = known.iter().filter_map(|(symbol, entry)| history(symbol, entry)).collect();
    warehouse
        .execute("create or replace temporary table histories (symbol varchar, first_day date, received_on date, received_at timestamp)")
        .await?;
    for rows in histories.chunks(CHUNK) {
        let values: Vec<String> = rows.iter().map(values).collect();
        warehouse.execute(&format!("insert into histories values {}", values.join(", "))).await?;
    }
    let events: Vec<String> = CATALOG
        .iter()
        .filter_map(|dataset| {
            let (table, day) = (dataset.name, day_column(dataset)?);
            Some(format!("select symbol, {day} as day, observed_at from staging.{table}"))
        })
        .collect();
    let query = format!(
        "select h.symbol, min(case when e.day > date '{today}' then e.day else date '{next_day}' end)::varchar \
         from histories h join ({}) e on e.symbol = h.symbol and e.day > h.first_day \
         where e.day > h.received_on or e.observed_at > h.received_at group by h.symbol",
        events.join(" union all ")
    );
    let mut due = days(&query, warehouse).await?;
    warehouse.release(&["histories"]).await?;
    for (symbol, first, _) in &histories {
        if withdrawn.get(*symbol).is_some_and(|day| *day <= today && day > first) {
            let on = due.entry((*symbol).to_owned()).or_insert(next_day);
            *on = next_day.min(*on);
        }
    }
    due.retain(|symbol, on| known.get(symbol).and_then(|e| e.refetch).is_none_or(|again| again.on > *on));
    if due.is_empty() { Ok(()) } else { freshness::refetch(stage, prices, &due).await }
}

/// A symbol, the first day of its prices, and when they came.
type History<'a> = (&'a str, NaiveDate, DateTime<Utc>);

fn history<'a>(symbol: &'a str, entry: &Entry) -> Option<History<'a>> {
    let days = entry.days.filter(|days| days.newest.is_some())?;
    Some((symbol, days.from, days.since.unwrap_or(entry.fetched_at)))
}

fn values((symbol, first, at): &History<'_>) -> String {
    let (day, at) = (nyse_calendar::new_york_date(*at), at.format("%Y-%m-%d %H:%M:%S%.6f"));
    format!("({}, date '{first}', date '{day}', timestamp '{at}')", literal(symbol))
}

/// Rows of a symbol and a day.
async fn days(query: &str, warehouse: &mut impl Warehouse) -> Result<BTreeMap<String, NaiveDate>> {
    let read = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(symbol), Some(day)] => Some((symbol.clone(), day.parse().ok()?)),
        _ => None,
    };
    Ok(warehouse.query(query).await?.into_iter().filter_map(read).collect())
}
