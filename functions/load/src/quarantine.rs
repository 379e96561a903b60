//! SQL that inserts rejected rows and unused fields into `ops.quarantine`.

use findata_domain::{catalog::Dataset, sql::literal};
use findata_pipeline::{landing::StagedFile, run::RunId};

const QUARANTINE: &str = "run_id, dataset, symbol, reason, payload, source_file, source_row, observed_at, status, column_name, column_text";

/// Returns the statements that insert the rejected rows of `incoming` and the unused fields of
/// `new_rows`. A rejected row from a file of an earlier build gets no status, so that
/// `readmission` checks it again.
pub(crate) fn insert(dataset: &Dataset, run: &RunId, files: &[StagedFile]) -> [String; 2] {
    let earlier = files.iter().filter(|file| is_of_earlier_build(file));
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

/// Returns the statement that inserts a row for each unused field of `new_rows`. Unchanged rows are
/// not in `new_rows`, because their fields were inserted when the rows were first loaded.
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

/// SQL for the separator between the findings of a row in landing files.
const LINE_BREAK: &str = "chr(10)";
/// SQL for the separator between the parts of a finding.
const TAB: &str = "chr(9)";

/// Returns the SQL for a part of a finding: 1 is the column, 2 the reason, 3 the text.
fn part_of(line: &str, part: u32) -> String {
    format!("nullif(split_part({line}, {TAB}, {part}), '')")
}

/// Returns whether an earlier build wrote the file. Rejected rows of such a file get no status, so
/// that `readmission` checks them again.
fn is_of_earlier_build(file: &StagedFile) -> bool {
    file.fields.is_none()
}
