//! The results of the quality checks, rejected rows, restatements and the user's corrections.

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::rows::{Row, figure, rows};
use serde::Serialize;

use crate::read::{count, text};

/// Maximum numbers of rows in the lists. The totals count all.
const FLAGS: usize = 300;
const QUARANTINE: usize = 100;
const RESTATEMENTS: usize = 200;

/// The quality of the data.
#[derive(Debug, Serialize)]
pub struct Quality {
    /// Checks by name and status.
    checks: Vec<Check>,
    /// The flagged checks, the largest differences first.
    flags: Vec<Flag>,
    flagged: u64,
    quarantined: u64,
    /// Rejected rows and fields by dataset and reason.
    quarantine_reasons: Vec<Reasons>,
    quarantine: Vec<Quarantined>,
    restated: u64,
    /// The newest restatements.
    restatements: Vec<Restatement>,
    corrections: Vec<Correction>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    kind: &'static str,
    pass: u64,
    flag: u64,
    not_checked: u64,
}

#[derive(Debug, Serialize)]
struct Flag {
    symbol: String,
    name: String,
    basis: String,
    date: Option<String>,
    ours: Option<f64>,
    theirs: Option<f64>,
    relative: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Reasons {
    dataset: String,
    reason: String,
    n: u64,
}

#[derive(Debug, Serialize)]
struct Quarantined {
    symbol: String,
    dataset: String,
    reason: String,
    column: Option<String>,
    text: Option<String>,
    seen: Option<String>,
}

#[derive(Debug, Serialize)]
struct Restatement {
    symbol: String,
    period: String,
    date: Option<String>,
    item: String,
    old: Option<String>,
    new: Option<String>,
    accepted: Option<String>,
}

#[derive(Debug, Serialize)]
struct Correction {
    symbol: String,
    name: String,
    date: Option<String>,
    reason: Option<String>,
}

/// Reads the quality of the data of all companies.
pub fn read(connection: &Connection) -> Result<Quality> {
    let total = |table: &str, only: &str| -> Result<u64> {
        let found = rows(connection, &format!("select count(*) as n from {table} {only}"))?;
        Ok(found.first().map_or(0, |row| count(row, "n")))
    };
    Ok(Quality {
        checks: checks(connection)?,
        flags: flags(connection)?,
        flagged: total("ops.quality", "where status = 'flag'")?,
        quarantined: total("ops.quarantine", "")?,
        quarantine_reasons: each(
            connection,
            "select dataset, split_part(reason, ':', 1) as reason, count(*) as n from ops.quarantine \
             group by all order by n desc, dataset, reason limit 40",
            |row| Reasons {
                dataset: text(row, "dataset").unwrap_or_default(),
                reason: text(row, "reason").unwrap_or_default(),
                n: count(row, "n"),
            },
        )?,
        quarantine: quarantine(connection)?,
        restated: total("ops.restatements", "")?,
        restatements: restatements(connection)?,
        corrections: each(
            connection,
            "select symbol, check_name, fiscal_date, reason from ops.quality where status = 'corrected' \
             order by symbol, check_name limit 200",
            |row| Correction {
                symbol: text(row, "symbol").unwrap_or_default(),
                name: text(row, "check_name").unwrap_or_default(),
                date: text(row, "fiscal_date"),
                reason: text(row, "reason"),
            },
        )?,
    })
}

fn each<T>(connection: &Connection, sql: &str, one: impl Fn(&Row) -> T) -> Result<Vec<T>> {
    Ok(rows(connection, sql)?.iter().map(one).collect())
}

fn checks(connection: &Connection) -> Result<Vec<Check>> {
    let sql = "select check_name, count(*) filter (status = 'pass') as pass, \
                   count(*) filter (status = 'flag') as flag, \
                   count(*) filter (status = 'not_checked') as not_checked, \
                   count(*) filter (status = 'flag' and reason = check_name) as suspicions \
               from ops.quality where status in ('pass', 'flag', 'not_checked') group by check_name order by check_name";
    each(connection, sql, |row| {
        let name = text(row, "check_name").unwrap_or_default();
        let kind = if count(row, "suspicions") > 0 {
            "suspicion"
        } else if name.starts_with("fmp_") {
            "fmp"
        } else {
            "identity"
        };
        let (pass, flag) = (count(row, "pass"), count(row, "flag"));
        Check {
            name,
            kind,
            pass,
            flag,
            not_checked: count(row, "not_checked"),
        }
    })
}

fn flags(connection: &Connection) -> Result<Vec<Flag>> {
    let sql = format!(
        "select symbol, check_name, basis, fiscal_date, ours, theirs, relative_difference from ops.quality \
         where status = 'flag' order by fiscal_date desc, abs(relative_difference) desc nulls last, symbol limit {FLAGS}"
    );
    each(connection, &sql, |row| Flag {
        symbol: text(row, "symbol").unwrap_or_default(),
        name: text(row, "check_name").unwrap_or_default(),
        basis: text(row, "basis").unwrap_or_default(),
        date: text(row, "fiscal_date"),
        ours: figure(row, "ours"),
        theirs: figure(row, "theirs"),
        relative: figure(row, "relative_difference"),
    })
}

fn quarantine(connection: &Connection) -> Result<Vec<Quarantined>> {
    let sql = format!(
        "select symbol, dataset, reason, column_name, left(column_text, 120) as column_text, \
             strftime(observed_at, '%Y-%m-%d') as seen \
         from ops.quarantine order by observed_at desc, symbol, dataset, source_row limit {QUARANTINE}"
    );
    each(connection, &sql, |row| Quarantined {
        symbol: text(row, "symbol").unwrap_or_default(),
        dataset: text(row, "dataset").unwrap_or_default(),
        reason: text(row, "reason").unwrap_or_default(),
        column: text(row, "column_name"),
        text: text(row, "column_text"),
        seen: text(row, "seen"),
    })
}

fn restatements(connection: &Connection) -> Result<Vec<Restatement>> {
    let sql = format!(
        "select symbol, period_type, fiscal_date, item, old_value, new_value, strftime(accepted_at, '%Y-%m-%d') as accepted \
         from ops.restatements order by observed_at desc, symbol, fiscal_date desc, item limit {RESTATEMENTS}"
    );
    each(connection, &sql, |row| Restatement {
        symbol: text(row, "symbol").unwrap_or_default(),
        period: text(row, "period_type").unwrap_or_default(),
        date: text(row, "fiscal_date"),
        item: text(row, "item").unwrap_or_default(),
        old: text(row, "old_value"),
        new: text(row, "new_value"),
        accepted: text(row, "accepted"),
    })
}
