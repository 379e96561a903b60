//! The tables of `ops`, which load and analytics keep, and the columns of `raw`: names, types and what they hold.

use findata_domain::catalog::Kind::{self, Date, Double, Instant, Integer, Text};

/// A column: its name, its type and what it holds.
pub type OpsColumn = (&'static str, Kind, &'static str);

/// A table of `ops`.
#[derive(Debug, Clone, Copy)]
pub struct OpsTable {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Its columns, in order.
    pub columns: &'static [OpsColumn],
}

/// Columns of a `raw` table: the row as received, and where it was first seen.
pub const RAW: &[OpsColumn] = &[
    ("symbol", Text, "the company, or the index"),
    ("payload", Text, "the row exactly as FMP sent it"),
    ("row_hash", Text, "hash of the row's content"),
    ("observed_at", Instant, "when the row was fetched, UTC"),
    ("run_id", Text, "run that brought the row"),
    ("source_file", Text, "file on the stage"),
    ("source_row", Integer, "row in the file, from 1"),
];

/// The tables of `ops`.
pub const OPS: &[OpsTable] = &[
    OpsTable {
        name: "runs",
        about: "every run that was closed",
        columns: &[
            ("run_id", Text, "the run; later runs sort after earlier ones"),
            ("status", Text, "complete, partial, budget or failed"),
            ("started_at", Instant, "when it began, UTC"),
            ("seconds", Double, "seconds it took"),
            ("symbols", Integer, "symbols of its universe"),
            ("tasks_planned", Integer, "tasks that were due"),
            ("tasks_done", Integer, "tasks that had an answer"),
            ("tasks_skipped_fresh", Integer, "tasks left out since their answers were fresh"),
            ("tasks_failed", Integer, "tasks that failed"),
            ("calls", Integer, "calls made, retries included"),
            ("bytes", Integer, "bytes received"),
            ("published_at", Instant, "when its figures were published, UTC"),
        ],
    },
    OpsTable {
        name: "tasks",
        about: "every task of a run and what came of it",
        columns: &[
            ("run_id", Text, "the run"),
            ("batch", Text, "batch that the task was in"),
            ("dataset", Text, "dataset that was asked for"),
            ("subject", Text, "whose, and which window"),
            ("outcome", Text, "rows, empty, not_in_plan or failed"),
            ("reason", Text, "why it failed or is not in the plan"),
            ("row_count", Integer, "rows of the answer"),
            ("calls", Integer, "calls it took"),
            ("bytes", Integer, "bytes received"),
            ("fetched_at", Instant, "when it was fetched, UTC"),
        ],
    },
    OpsTable {
        name: "files",
        about: "every landing file that was loaded; staged = loaded + unchanged + quarantined",
        columns: &[
            ("run_id", Text, "run that wrote it"),
            ("dataset", Text, "dataset of its rows"),
            ("source_file", Text, "its key on the stage"),
            ("sha256", Text, "hash of the file"),
            ("bytes", Integer, "its size"),
            ("staged", Integer, "rows in it"),
            ("loaded", Integer, "rows that said something new"),
            ("unchanged", Integer, "rows that were known already"),
            ("quarantined", Integer, "rows set aside"),
            ("loaded_at", Instant, "when it was loaded, UTC"),
        ],
    },
    OpsTable {
        name: "quarantine",
        about: "rows that cannot be true, set aside with the reason",
        columns: &[
            ("run_id", Text, "run that met the row"),
            ("dataset", Text, "its dataset"),
            ("symbol", Text, "whose answer it was in"),
            ("reason", Text, "what is wrong with it"),
            ("payload", Text, "the row as FMP sent it"),
            ("source_file", Text, "file on the stage"),
            ("source_row", Integer, "row in the file, from 1"),
            ("observed_at", Instant, "when it was fetched, UTC"),
        ],
    },
    OpsTable {
        name: "restatements",
        about: "every item of a statement that a newer version says otherwise, with both versions' rows",
        columns: &[
            ("run_id", Text, "run that brought the newer version"),
            ("dataset", Text, "the statement"),
            ("symbol", Text, "the company"),
            ("period_type", Text, "Q1 to Q4 or FY"),
            ("fiscal_date", Date, "end of the period"),
            ("item", Text, "column that changed"),
            ("old_value", Text, "what the older version says"),
            ("new_value", Text, "what the newer one says"),
            ("accepted_at", Instant, "when the newer version was accepted, UTC"),
            ("observed_at", Instant, "when it was seen, UTC"),
            ("source_file", Text, "file of the newer version"),
            ("source_row", Integer, "row in that file"),
            ("older_source_file", Text, "file of the older version"),
            ("older_source_row", Integer, "row in that file"),
        ],
    },
    // Analytics takes its scope from here and empties it in the transaction that publishes, so a run that failed to
    // compute leaves its work to the next.
    OpsTable {
        name: "changes",
        about: "what was loaded and not yet published",
        columns: &[
            ("run_id", Text, "run that loaded it"),
            ("dataset", Text, "dataset that changed"),
            ("symbol", Text, "whose"),
            ("first_date", Date, "first day whose figures may differ; NULL for every day"),
        ],
    },
    OpsTable {
        name: "published",
        about: "as of which day and with which index figures were computed, one row a run that changed some",
        columns: &[
            ("run_id", Text, "the run"),
            ("as_of", Date, "day as of which they were computed"),
            ("index_symbol", Text, "index behind beta and correlation"),
            ("published_at", Instant, "when they were published, UTC"),
        ],
    },
    OpsTable {
        name: "models",
        about: "which files made the figures: figures of other models are computed anew",
        columns: &[("file", Text, "file of a model, a table or a view"), ("sha256", Text, "hash of its text")],
    },
    OpsTable {
        name: "turns",
        about: "how often load and analytics wrote: a call that finds another number than it began with begins again",
        columns: &[("function", Text, "load or analytics"), ("number", Integer, "transactions so far")],
    },
    OpsTable {
        name: "identity",
        about: "which warehouse this is: the stage knows its name, and refuses another",
        columns: &[("warehouse_id", Text, "its name")],
    },
];

/// Columns as a CREATE TABLE has them.
pub(super) fn sql(columns: &[OpsColumn]) -> String {
    columns.iter().map(|(name, kind, _)| format!("{name} {}", kind.sql())).collect::<Vec<_>>().join(", ")
}
