//! Compares the figures of two runs, and says why each one changed.
//!
//! Versions of figures have the times between which they were known. A run published its figures at a
//! time too, so the figures of two runs are the versions known at these two times. The reasons come from
//! what was loaded in between: filings, restatements, corrections and prices.

mod sql;

use ::duckdb::Connection;
use findata_domain::{Error, Result};
use findata_models::metrics::Registry;
use serde::Serialize;

/// A run that published figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its id.
    pub run_id: String,
    /// When it published its figures, UTC.
    pub published_at: String,
}

/// The number of changes with one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Why the figures changed.
    pub reason: String,
    /// Number of companies.
    pub companies: u64,
    /// Number of figures.
    pub figures: u64,
}

/// A figure that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The company.
    pub symbol: String,
    /// The table, without its schema.
    pub table: String,
    /// The figure.
    pub metric: String,
    /// Kind of period, or `market` for the newest day.
    pub basis: String,
    /// The end of the period, or the newest day.
    pub date: String,
    /// The value in the older run; `None` is NULL or no row.
    pub old: Option<f64>,
    /// The value in the newer run; `None` is NULL or no row.
    pub new: Option<f64>,
    /// Why it changed.
    pub reason: String,
}

/// The difference of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The older run.
    pub old: Run,
    /// The newer run.
    pub new: Run,
    /// The changes by reason.
    pub summary: Vec<Count>,
    /// The companies with the most changes, with the number of their figures.
    pub companies: Vec<(String, u64)>,
    /// The changes, up to the limit.
    pub changes: Vec<Change>,
    /// The number of changes without the limit.
    pub total: u64,
}

/// Which changes are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these companies; empty for all.
    pub symbols: Vec<String>,
    /// Only this figure.
    pub metric: Option<String>,
    /// Maximum number of changes in the list.
    pub limit: usize,
}

/// Maximum number of companies in the summary.
const COMPANIES: usize = 10;

/// Returns the runs that published figures, oldest first.
///
/// # Errors
/// `Stop` if the warehouse cannot be read.
pub fn runs(connection: &Connection) -> Result<Vec<Run>> {
    let query = "select run_id, max(published_at)::varchar from ops.published group by 1 order by 1";
    rows(connection, query, |row| Ok(Run { run_id: row.get(0)?, published_at: row.get(1)? }))
}

/// Finds a run by `latest`, `previous`, its id or the beginning of its id.
///
/// # Errors
/// `Reject` if no run or several runs match.
pub fn find<'a>(runs: &'a [Run], name: &str) -> Result<&'a Run> {
    let found: Vec<&Run> = match name {
        "latest" => runs.last().into_iter().collect(),
        "previous" => runs.iter().rev().skip(1).take(1).collect(),
        id => runs.iter().filter(|run| run.run_id.starts_with(id)).collect(),
    };
    match found.as_slice() {
        [run] => Ok(run),
        [] if runs.len() < 2 => Err(Error::Reject(format!(
            "{} changed figures in this warehouse, and a comparison needs two",
            crate::render::counted(runs.len() as u64, "run")
        ))),
        [] => Err(Error::Reject(format!(
            "{name:?} is not a run that changed figures: use latest, previous, or an id such as {}",
            runs.last().map_or("", |run| run.run_id.as_str())
        ))),
        several => Err(Error::Reject(format!(
            "{name:?} is the beginning of {} run ids: write more of it",
            several.len()
        ))),
    }
}

/// Compares two runs.
///
/// # Errors
/// `Stop` if the warehouse cannot be read.
pub fn compare(
    connection: &Connection,
    registry: &Registry,
    old: &Run,
    new: &Run,
    filter: &Filter,
) -> Result<Difference> {
    connection
        .execute_batch(&sql::changes(connection, registry, old, new)?)
        .map_err(|e| unreadable(&e))?;
    let kept = sql::filter(filter);
    let summary = format!(
        "select reason, count(distinct symbol), count(*) from changes where {kept} group by 1 order by 3 desc, 1"
    );
    let summary = rows(connection, &summary, |row| {
        Ok(Count {
            reason: row.get(0)?,
            companies: row.get(1)?,
            figures: row.get(2)?,
        })
    })?;
    let companies = format!(
        "select symbol, count(*) from changes where {kept} group by 1 order by 2 desc, 1 limit {COMPANIES}"
    );
    let list = format!(
        "select symbol, fact, metric, basis, day::varchar, old_value, new_value, reason from changes where {kept} \
         order by symbol, fact, day desc, basis, metric limit {}",
        filter.limit
    );
    let changes = rows(connection, &list, |row| {
        Ok(Change {
            symbol: row.get(0)?,
            table: row.get(1)?,
            metric: row.get(2)?,
            basis: row.get(3)?,
            date: row.get(4)?,
            old: row.get(5)?,
            new: row.get(6)?,
            reason: row.get(7)?,
        })
    })?;
    Ok(Difference {
        old: old.clone(),
        new: new.clone(),
        total: summary.iter().map(|count| count.figures).sum(),
        summary,
        companies: rows(connection, &companies, |row| Ok((row.get(0)?, row.get(1)?)))?,
        changes,
    })
}

fn rows<T>(
    connection: &Connection,
    query: &str,
    read: impl FnMut(&::duckdb::Row<'_>) -> ::duckdb::Result<T>,
) -> Result<Vec<T>> {
    let read_all = || connection.prepare(query)?.query_map([], read)?.collect::<::duckdb::Result<Vec<T>>>();
    read_all().map_err(|e| unreadable(&e))
}

fn unreadable(error: &::duckdb::Error) -> Error {
    Error::Stop(format!(
        "cannot compare the runs: {}",
        error.to_string().lines().next().unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(run_id: &str) -> Run {
        Run { run_id: run_id.into(), published_at: "2026-01-01".into() }
    }

    #[test]
    fn runs_are_found_by_name_and_by_the_beginning_of_their_id() {
        let runs = [run("20260101T1"), run("20260102T1"), run("20260102T2")];
        let id = |name: &str| find(&runs, name).map(|run| run.run_id.clone()).map_err(|e| e.to_string());
        assert_eq!(id("latest"), Ok("20260102T2".into()));
        assert_eq!(id("previous"), Ok("20260102T1".into()));
        assert_eq!(id("20260101"), Ok("20260101T1".into()));
        assert!(id("20260102").unwrap_err().contains("2 run ids"));
        assert!(id("x").unwrap_err().contains("such as 20260102T2"));
        assert!(find(&runs[..1], "previous").unwrap_err().to_string().contains("needs two"));
    }
}
