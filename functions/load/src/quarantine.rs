//! SQL that moves rejected rows and unused fields to `ops.quarantine`.

use findata_domain::{catalog::Dataset, sql::literal};
use findata_pipeline::{landing::StagedFile, run::RunId};

use crate::{readmission, sql::FILES};

const QUARANTINE: &str = "run_id, dataset, symbol, reason, payload, source_file, source_row, observed_at, status, column_name, column_text";

/// Inserts the rejected rows of `incoming` and the unused fields of `new_rows`. Rows in a file of an earlier build get no
/// status.
pub(crate) fn insert(dataset: &Dataset, run: &RunId, files: &[StagedFile]) -> [String; 2] {
    let earlier = files.iter().filter(|file| readmission::is_of_earlier_build(file));
    let earlier: Vec<String> = earlier.map(|file| literal(&file.key)).collect();
    let status = match earlier.is_empty() {
        true => "'rejected'".to_owned(),
        false => format!("case when source_file not in ({}) then 'rejected' end", earlier.join(", ")),
    };
    let rejected = format!(
        "insert into ops.quarantine ({QUARANTINE}) \
         select {run}, '{table}', subject, reject, payload, source_file, source_row, observed_at, {status}, {column}, {text} \
         from incoming where reject is not null",
        run = literal(run.as_str()),
        table = dataset.name,
        column = part_of("findings", 1),
        text = part_of("findings", 3),
    );
    [rejected, quarantined_fields(dataset, &literal(run.as_str()))]
}

/// Builds `recounted_files`: the rows of `ops.files` whose rows were typed again, with their new counts.
pub(crate) const RECOUNTED_FILES: &str = "create or replace temporary table recounted_files as \
     with accepted as (select source_file, count(*) as n from incoming where reject is null group by source_file), \
     loaded as (select source_file, count(*) as n from new_rows group by source_file) \
     select f.run_id, f.dataset, f.source_file, f.sha256, f.bytes, f.staged, f.loaded + coalesce(l.n, 0) as loaded, \
     f.unchanged + a.n - coalesce(l.n, 0) as unchanged, f.quarantined - a.n as quarantined, f.loaded_at \
     from ops.files f join accepted a on a.source_file = f.source_file left join loaded l on l.source_file = f.source_file";

/// Replaces the counts of files whose rows were typed again.
pub(crate) fn recount_files() -> [String; 2] {
    [
        "delete from ops.files f using recounted_files r where f.source_file = r.source_file".to_owned(),
        format!("insert into ops.files ({FILES}) select {FILES} from recounted_files"),
    ]
}

/// Inserts the unused fields of `new_rows`, one row each. A row that is stored already has its fields there.
fn quarantined_fields(dataset: &Dataset, run: &str) -> String {
    let numbers: Vec<String> = (1..=dataset.columns.len()).map(|n| format!("({n})")).collect();
    let line = format!("split_part(n.findings, {LINE_BREAK}, k.number)");
    format!(
        "insert into ops.quarantine ({QUARANTINE}) \
         select {run}, '{table}', n.subject, {reason}, n.payload, n.source_file, n.source_row, n.observed_at, 'field', \
         {column}, {text} from new_rows n cross join (values {numbers}) k(number) \
         where n.findings is not null and {line} <> ''",
        table = dataset.name,
        column = part_of(&line, 1),
        reason = part_of(&line, 2),
        text = part_of(&line, 3),
        numbers = numbers.join(", "),
    )
}

/// Separators of findings in landing files, as SQL.
const LINE_BREAK: &str = "chr(10)";
const TAB: &str = "chr(9)";

/// A part of a finding's line, counted from 1: column, reason, text.
fn part_of(line: &str, part: u32) -> String {
    format!("nullif(split_part({line}, {TAB}, {part}), '')")
}
