//! Securities that change their symbol, and symbols that change their security.
//!
//! Analytics identifies a security by its key, by default the hash of its symbol. When a security
//! gets another symbol, its rows in `staging` move to that symbol, and `ops.securities` keeps its key.
//! The old symbol gets another key, in case another company uses it later.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use findata_domain::{
    Result,
    catalog::{CATALOG, Dataset, History, Requests},
    sql::{ONE_ROW, literal},
};
use findata_pipeline::{
    batch::Batch, ledger::Staged, plan::Renamed, ports::warehouse::Warehouse, run::RunId,
    write_fence::WriteFence,
};

use crate::{FUNCTION, sql};

/// The rows of `ops.securities` by symbol: previous symbol, day of the change and run.
#[derive(Debug, Default)]
pub(crate) struct Securities(BTreeMap<String, Change>);

#[derive(Debug, PartialEq, Eq)]
struct Change {
    previous: Option<String>,
    since: Option<NaiveDate>,
    run: String,
}

impl Securities {
    pub async fn read(warehouse: &mut impl Warehouse) -> Result<Securities> {
        let query = "select symbol, previous_symbol, since::varchar as since, run_id from ops.securities";
        let read = |row: Vec<Option<String>>| match <[_; 4]>::try_from(row) {
            Ok([Some(symbol), previous, since, Some(run)]) => {
                let since = since.and_then(|since| since.parse().ok());
                Some((symbol, Change { previous, since, run }))
            }
            _ => None,
        };
        Ok(Securities(warehouse.query(query).await?.into_iter().filter_map(read).collect()))
    }

    /// Whether rows in `staging` may still have been received under another symbol.
    pub fn has_renamed(&self) -> bool {
        self.0.values().any(|change| change.previous.is_some())
    }

    /// The run that moved a security, if one did.
    fn moved_in(&self, renamed: &Renamed) -> Option<&str> {
        let change = self.0.get(renamed.new.as_str())?;
        let is_same =
            change.previous.as_deref() == Some(renamed.old.as_str()) && change.since == Some(renamed.on);
        is_same.then_some(change.run.as_str())
    }
}

/// Moves the rows of renamed securities to their new symbols, before the run's rows are loaded.
/// Returns the old symbols: the fetch log of what was fetched under them is obsolete.
pub(crate) async fn move_renamed(
    run: &RunId,
    staged: &Staged,
    renamed: &[Renamed],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<(Securities, BTreeSet<String>)> {
    if staged.files.is_empty() && renamed.is_empty() {
        return Ok((Securities::default(), BTreeSet::new()));
    }
    let mut securities = Securities::read(warehouse).await?;
    let mut left = BTreeSet::new();
    for renamed in renamed {
        let (old, new) = (renamed.old.as_str(), renamed.new.as_str());
        match securities.moved_in(renamed) {
            // Rows under the old symbol may belong to another security by now.
            Some(moved_in) if moved_in != run.as_str() => continue,
            Some(_) => {}
            None if is_stored(old, warehouse).await? => {
                warehouse.begin_step(run, FUNCTION, "securities");
                let moved = Move { old, new, on: renamed.on, rows: &|_| "true".to_owned() };
                move_rows(run, &moved, Vec::new(), fence, warehouse).await?;
                securities = Securities::read(warehouse).await?;
            }
            None => {}
        }
        left.insert(old.to_owned());
    }
    Ok((securities, left))
}

/// The tables besides those of datasets whose rows belong to securities. `staging.corrections` is not
/// one of them: the user's file names the symbol.
const OTHER_TABLES: [&str; 3] = ["ops.missing_statements", "ops.restatements", "staging.profile_changes"];

/// The datasets whose rows belong to securities.
fn datasets() -> impl Iterator<Item = &'static Dataset> {
    CATALOG.iter().filter(|dataset| dataset.requests != Requests::Market)
}

async fn is_stored(symbol: &str, warehouse: &mut impl Warehouse) -> Result<bool> {
    let exists = |dataset: &Dataset| {
        format!("exists (select 1 from staging.{} where symbol = {})", dataset.name, literal(symbol))
    };
    let exists = datasets().map(exists).collect::<Vec<_>>().join(" or ");
    Ok(!warehouse
        .query(&format!("select 'stored' from {ONE_ROW} where {exists}"))
        .await?
        .is_empty())
}

/// A move of rows from one symbol to another.
pub(crate) struct Move<'a> {
    pub old: &'a str,
    pub new: &'a str,
    /// The day of the change.
    pub on: NaiveDate,
    /// The condition for the rows (`t`) of a dataset, or of another table, that belong to the security.
    pub rows: &'a (dyn Fn(Option<&Dataset>) -> String + Sync),
}

/// Moves the rows of a security to another symbol, with its key. A newer row of that symbol stays.
/// Rows of other tables that do not belong to the security are deleted. `also` runs in the same transaction.
pub(crate) async fn move_rows(
    run: &RunId,
    moved: &Move<'_>,
    also: Vec<String>,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let Move { old, new, on, .. } = *moved;
    let is_new_stored = is_stored(new, warehouse).await?;
    let mut prepare = vec![moved_security(old, new, on, is_new_stored)];
    let mut transaction = change_keys(run, old, on);
    let mut temporary = vec!["moved_security".to_owned()];
    let tables = datasets().map(|dataset| (format!("staging.{}", dataset.name), Some(dataset)));
    for (table, dataset) in tables.chain(OTHER_TABLES.map(|table| (table.to_owned(), None))) {
        let condition = (moved.rows)(dataset);
        let rows = format!("moved_{}", table.replace('.', "_"));
        prepare.push(moved_rows(&table, &rows, dataset, moved, &condition));
        let is_left = format!("t.symbol = {}", literal(old));
        transaction.push(match dataset {
            Some(_) => format!("delete from {table} t where {is_left} and {condition}"),
            None => format!("delete from {table} t where {is_left}"),
        });
        if let Some(dataset) = dataset.filter(|dataset| dataset.history == History::Current) {
            let same_key = sql::join_on(dataset, "t", "m");
            transaction.push(format!("delete from {table} t using {rows} m where {same_key}"));
        }
        transaction.push(format!("insert into {table} select * from {rows}"));
        temporary.push(rows);
    }
    let run_id = literal(run.as_str());
    transaction.extend([old, new].map(|symbol| {
        format!(
            "insert into ops.changes (run_id, dataset, symbol, first_date) select {run_id}, 'securities', {}, null::date",
            literal(symbol)
        )
    }));
    transaction.extend(also);
    let mut batch = Batch::new(warehouse);
    for statement in prepare {
        batch.execute("", statement).await?;
    }
    batch.run().await?;
    fence.write(warehouse, &transaction).await?;
    warehouse.release(&temporary.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Builds the row of `ops.securities` for the new symbol. The security keeps the key of its old symbol. If the
/// new symbol has rows already, their key is recorded as replaced, and analytics deletes its figures.
fn moved_security(old: &str, new: &str, on: NaiveDate, is_new_stored: bool) -> String {
    let (old, new) = (literal(old), literal(new));
    let key = |symbol: &str| {
        format!(
            "coalesce((select max(company_key) from ops.securities where symbol = {symbol}), md5({symbol}))"
        )
    };
    let replaced = if is_new_stored { key(&new) } else { "null::varchar".to_owned() };
    format!(
        "create or replace temporary table moved_security as select {new} as symbol, {} as company_key, \
         {old} as previous_symbol, date '{on}' as since, {replaced} as replaced_key",
        key(&old)
    )
}

/// Gives the new symbol the key of the security, and the old symbol a key that no other security has.
fn change_keys(run: &RunId, old: &str, on: NaiveDate) -> Vec<String> {
    let (run, next) = (literal(run.as_str()), literal(&format!("{old}@{on}")));
    let old = literal(old);
    vec![
        format!(
            "delete from ops.securities s using moved_security m where s.symbol = m.symbol or s.symbol = {old}"
        ),
        format!(
            "insert into ops.securities (symbol, company_key, previous_symbol, since, replaced_key, run_id) \
             select symbol, company_key, previous_symbol, since, replaced_key, {run} from moved_security"
        ),
        format!(
            "insert into ops.securities (symbol, company_key, since, run_id) select {old}, md5({next}), date '{on}', {run}"
        ),
    ]
}

fn moved_rows(
    table: &str,
    rows: &str,
    dataset: Option<&Dataset>,
    moved: &Move<'_>,
    condition: &str,
) -> String {
    let (old, new) = (literal(moved.old), literal(moved.new));
    let is_newest = dataset.filter(|dataset| dataset.history == History::Current).map(|dataset| {
        let others = dataset.key.iter().filter(|key| **key != "symbol");
        let same: String = others.map(|key| format!(" and n.{key} = t.{key}")).collect();
        format!(
            " and not exists (select 1 from {table} n where n.symbol = {new}{same} and n.observed_at >= t.observed_at)"
        )
    });
    format!(
        "create or replace temporary table {rows} as select t.* replace ({new} as symbol) from {table} t \
         where t.symbol = {old} and {condition}{}",
        is_newest.unwrap_or_default()
    )
}

/// Statements that a renamed security's answers repeat under its new symbol: not a new version, although the
/// hash of a row includes the symbol. Removes them from `new_rows`, and gives the stored rows the new
/// hash. Returns the statements to run before the load transaction, and those of the transaction.
pub(crate) fn repeated_versions(dataset: &Dataset) -> Option<([String; 2], [String; 2])> {
    if dataset.history != History::Versions {
        return None;
    }
    let table = dataset.name;
    let same: Vec<String> = dataset
        .columns
        .iter()
        .map(|c| format!("s.{0} is not distinct from n.{0}", c.name))
        .collect();
    let same = same.join(" and ");
    let before = [
        format!(
            "create or replace temporary table repeated_rows as \
             select s.* replace (n.row_hash as row_hash), n.source_file as new_file, n.source_row as new_row \
             from new_rows n join ops.securities k on k.symbol = n.symbol and k.previous_symbol is not null \
             join staging.{table} s on {same}"
        ),
        "delete from new_rows n using repeated_rows r where n.source_file = r.new_file and n.source_row = r.new_row"
            .to_owned(),
    ];
    let transaction = [
        format!(
            "delete from staging.{table} s using repeated_rows r where s.symbol = r.symbol \
             and s.source_file = r.source_file and s.source_row = r.source_row"
        ),
        format!("insert into staging.{table} select * exclude (new_file, new_row) from repeated_rows"),
    ];
    Some((before, transaction))
}
