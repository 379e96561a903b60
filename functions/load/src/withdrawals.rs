//! Statements that FMP no longer sends.
//!
//! FMP deletes rows that it sent by mistake. An answer covers the statements of a company and a
//! cadence from the oldest one that it has. A stored statement that a covering answer lacks is
//! listed in `ops.missing_statements`. It counts as withdrawn if a second answer lacks it too,
//! because one answer may be incomplete, or at once in a run with `--full`. The models end it then.
//! If FMP sends it again, it is no longer listed.

use std::collections::BTreeSet;

use findata_domain::{
    Result,
    catalog::{Dataset, History},
    sql::{ONE_ROW, literal},
};
use findata_pipeline::{
    batch::Batch,
    landing::StagedFile,
    ledger::BatchEntry,
    plan::{FetchMode, PlanOutline, Renamed},
    ports::warehouse::Warehouse,
    run::RunId,
};

use crate::restatements::SAME_PERIOD_DAYS;

/// What the plan and the ledger of a run say about its answers: which landing files show the statements
/// that FMP has, and which securities have another symbol now.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Keys of the files with whole answers. A bulk file is not one: it has one period per company.
    files: BTreeSet<String>,
    /// Whether the run was started with `--full`.
    is_full: bool,
    /// The securities of earlier runs that have another symbol now.
    pub renamed: Vec<Renamed>,
}

impl Answers {
    /// Finds them in the ledger.
    pub fn of(plan: Option<&PlanOutline>, entries: &[BatchEntry]) -> Self {
        let is_whole = |entry: &&BatchEntry| {
            let mut statements = entry.tasks.iter().filter(|r| r.task.dataset.history == History::Versions);
            statements.all(|record| record.fetch_mode == FetchMode::PerSymbol)
        };
        let files = entries.iter().filter(is_whole).flat_map(|entry| &entry.files);
        Answers {
            files: files.map(|file| file.key.clone()).collect(),
            is_full: plan.is_some_and(|plan| plan.options.full),
            renamed: plan.map(|plan| plan.renamed.clone()).unwrap_or_default(),
        }
    }
}

/// The temporary tables of [`compare`].
const TABLES: [&str; 3] = ["answered_statements", "absent_statements", "changed_withdrawals"];

/// Returns the keys of the files with whole answers, as SQL literals.
pub(crate) fn whole_answers(dataset: &Dataset, answers: &Answers, files: &[StagedFile]) -> Vec<String> {
    let is_whole = |file: &&StagedFile| answers.files.contains(&file.key);
    match dataset.history {
        History::Versions => files.iter().filter(is_whole).map(|file| literal(&file.key)).collect(),
        History::Current => Vec::new(),
    }
}

/// Query that returns a row if whole answers in `incoming` lack a stored statement, or if one is listed as missing.
/// `None` if no file has whole answers.
pub(crate) fn any_missing(dataset: &Dataset, whole_answers: &[String]) -> Option<String> {
    if whole_answers.is_empty() {
        return None;
    }
    let listed = format!("select 1 from ops.missing_statements where dataset = '{}'", dataset.name);
    let missing = absent(dataset, whole_answers);
    Some(format!("select 'missing' from {ONE_ROW} where exists ({listed}) or exists ({missing})"))
}

/// Compares whole answers with the stored statements. Returns the statements of the load transaction that update
/// `ops.missing_statements`. [`release`] drops the temporary tables.
pub(crate) async fn compare(
    dataset: &Dataset,
    run: &RunId,
    answers: &Answers,
    whole_answers: &[String],
    warehouse: &mut impl Warehouse,
) -> Result<Vec<String>> {
    let mut batch = Batch::new(warehouse);
    for statement in temporary_tables(dataset, whole_answers, answers.is_full) {
        batch.execute("", statement).await?;
    }
    batch.run().await?;
    Ok(transaction(dataset, run))
}

/// Returns the datasets in which an answer of the run lacks a statement.
pub(crate) async fn datasets(
    run: &RunId,
    answers: &Answers,
    warehouse: &mut impl Warehouse,
) -> Result<BTreeSet<String>> {
    if answers.files.is_empty() {
        return Ok(BTreeSet::new());
    }
    let query = format!(
        "select distinct dataset from ops.missing_statements where run_id = {}",
        literal(run.as_str())
    );
    let rows = warehouse.query(&query).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}

/// Drops the temporary tables of [`compare`].
pub(crate) async fn release(warehouse: &mut impl Warehouse) -> Result<()> {
    warehouse.release(&TABLES).await
}

const CADENCE: &str = "case when period_type = 'FY' then 'FY' else 'Q' end";

/// The companies and cadences that the files answer, with the oldest period of the answer. An
/// answer with a rejected row shows nothing: the row may be the statement that seems to be missing.
fn answered(files: &[String]) -> String {
    format!(
        "select symbol, {CADENCE} as cadence, min(fiscal_date) as oldest, max(observed_at) as answered_at \
         from incoming where source_file in ({}) and reject is null \
         and subject not in (select subject from incoming where reject is not null) \
         group by symbol, {CADENCE}",
        files.join(", ")
    )
}

/// The stored statements that the answers cover and lack. A statement with the same label whose end
/// is a few days off is the same statement.
fn absent(dataset: &Dataset, files: &[String]) -> String {
    format!(
        "select s.symbol, s.period_type, s.fiscal_date, s.known_on, a.answered_at from ( \
             select symbol, period_type, fiscal_date, {CADENCE} as cadence, min(known_on) as known_on \
             from staging.{table} group by symbol, period_type, fiscal_date \
         ) s join ({answered}) a on a.symbol = s.symbol and a.cadence = s.cadence and s.fiscal_date >= a.oldest \
         left join incoming i on i.symbol = s.symbol and i.period_type = s.period_type \
             and i.fiscal_date between s.fiscal_date - {SAME_PERIOD_DAYS} and s.fiscal_date + {SAME_PERIOD_DAYS} \
         where i.symbol is null",
        table = dataset.name,
        answered = answered(files),
    )
}

fn temporary_tables(dataset: &Dataset, files: &[String], is_full: bool) -> [String; 3] {
    let name = dataset.name;
    let is_withdrawn = if is_full { "true" } else { "m.answers >= 1" };
    [
        format!("create or replace temporary table answered_statements as {}", answered(files)),
        format!(
            "create or replace temporary table absent_statements as \
             select n.symbol, n.period_type, n.fiscal_date, n.known_on, \
                 coalesce(m.missing_since, n.answered_at) as missing_since, coalesce(m.answers, 0) + 1 as answers, \
                 case when m.withdrawn_at is not null then m.withdrawn_at when {is_withdrawn} then n.answered_at end \
                     as withdrawn_at, \
                 m.withdrawn_at as old_withdrawn_at \
             from ({absent}) n left join ops.missing_statements m on m.dataset = '{name}' and m.symbol = n.symbol \
                 and m.period_type = n.period_type and m.fiscal_date = n.fiscal_date",
            absent = absent(dataset, files),
        ),
        // A statement that FMP sends again was withdrawn and is no longer absent.
        format!(
            "create or replace temporary table changed_withdrawals as \
             select symbol, known_on from absent_statements where withdrawn_at is not null and old_withdrawn_at is null \
             union all select t.symbol, t.known_on from ops.missing_statements m \
             join answered_statements a on a.symbol = m.symbol and a.cadence = case when m.period_type = 'FY' then 'FY' \
                 else 'Q' end and m.fiscal_date >= a.oldest \
             join staging.{name} t on t.symbol = m.symbol and t.period_type = m.period_type and t.fiscal_date = m.fiscal_date \
             left join absent_statements n on n.symbol = m.symbol and n.period_type = m.period_type \
                 and n.fiscal_date = m.fiscal_date \
             where m.dataset = '{name}' and m.withdrawn_at is not null and n.symbol is null"
        ),
    ]
}

fn transaction(dataset: &Dataset, run: &RunId) -> Vec<String> {
    let (name, run) = (dataset.name, literal(run.as_str()));
    vec![
        format!(
            "delete from ops.missing_statements m using answered_statements a where m.dataset = '{name}' \
             and m.symbol = a.symbol and case when m.period_type = 'FY' then 'FY' else 'Q' end = a.cadence \
             and m.fiscal_date >= a.oldest"
        ),
        format!(
            "insert into ops.missing_statements \
             (run_id, dataset, symbol, period_type, fiscal_date, missing_since, answers, withdrawn_at) \
             select {run}, '{name}', symbol, period_type, fiscal_date, missing_since, answers, withdrawn_at \
             from absent_statements"
        ),
        format!(
            "insert into ops.changes (run_id, dataset, symbol, first_date) \
             select {run}, '{name}', symbol, min(known_on) from changed_withdrawals group by symbol"
        ),
    ]
}
