//! Declares the tables of `ops`, which load and analytics maintain, the tables of `staging` without a
//! dataset, and the columns of `raw`, with names, types and descriptions.
//!
//! The descriptions appear in the data dictionary.

use findata_domain::catalog::Kind::{self, Boolean, Date, Decimal, Double, Instant, Integer, Text};

/// A column: name, type and description.
pub type OpsColumn = (&'static str, Kind, &'static str);

/// A table of `ops` or `staging`.
#[derive(Debug, Clone, Copy)]
pub struct OpsTable {
    /// Name without schema.
    pub name: &'static str,
    /// What one row of the table represents.
    pub about: &'static str,
    /// Columns of the table, in order.
    pub columns: &'static [OpsColumn],
}

/// Columns of a `raw` table: the row as received, and the place where the row first appeared.
pub const RAW: &[OpsColumn] = &[
    ("symbol", Text, "company or index"),
    ("payload", Text, "the row exactly as FMP sent it"),
    ("row_hash", Text, "hash of the row's content"),
    ("observed_at", Instant, "when the row was fetched, UTC"),
    ("run_id", Text, "run that fetched the row"),
    ("source_file", Text, "file on the stage"),
    ("source_row", Integer, "row in the file, from 1"),
];

/// The table of `raw` with streamed ticks. Ticks have no payload, because these columns have all of it.
pub const RAW_TICKS: OpsTable = OpsTable {
    name: "price_ticks",
    about: "symbol x exchange_time x tick_key. Every tick that was streamed, once",
    columns: &[
        ("shard_id", Text, "shard of the stream, or session of `findata stream`"),
        ("sequence_number", Text, "position in the shard"),
        ("symbol", Text, "company or index"),
        ("tick_id", Text, "the producer's id of the trade"),
        ("price", Decimal, "price of the trade"),
        ("size", Decimal, "number of shares; NULL for a price without a trade"),
        ("exchange_time", Instant, "when the exchange reported it, UTC"),
        ("price_date", Date, "day of the exchange time in New York"),
        ("bar_start", Instant, "minute of the exchange time"),
        ("source", Text, "feed of the tick"),
        ("tick_key", Text, "source and id or, without an id, shard and position"),
        ("observed_at", Instant, "when it arrived, UTC"),
        ("source_file", Text, "file on the stage"),
        ("source_row", Integer, "row in the file, from 1"),
        ("run_id", Text, "load of ticks that stored the row"),
    ],
};

/// The tables of `staging` that do not have the rows of a dataset.
pub const STAGING: &[OpsTable] = &[
    // One row per change, so a company whose profile never changed has no row. staging.profile has
    // the present values.
    OpsTable {
        name: "profile_changes",
        about: "symbol x change. Sector, industry and currency until FMP changed one of them",
        columns: &[
            ("symbol", Text, "company"),
            ("sector", Text, "sector until then"),
            ("industry", Text, "industry until then"),
            ("currency", Text, "currency of the price until then"),
            ("changed_at", Instant, "when the changed profile was received, UTC"),
            ("run_id", Text, "run that received the changed profile"),
            ("source_file", Text, "file of the earlier profile"),
            ("source_row", Integer, "row in that file"),
        ],
    },
    OpsTable {
        name: "corrections",
        about: "symbol x kind x subject x known_from. The entries of corrections.toml: decisions of the user about FMP's data",
        columns: &[
            ("symbol", Text, "company"),
            ("kind", Text, "value, period_label, share_count, share_ratio or split"),
            (
                "subject_date",
                Date,
                "end of the period, day of the split, or first day of a share count or ratio; NULL for every day",
            ),
            ("period_type", Text, "Q1 to Q4 or FY, for a value of a statement"),
            ("item", Text, "column of a corrected value"),
            ("value", Text, "the right value, label, ratio or judgement"),
            ("fiscal_year", Integer, "right fiscal year of a period label, if it is wrong too"),
            ("reason", Text, "why, in the user's words"),
            ("decided_on", Date, "day of the decision"),
            ("known_from", Instant, "when the run that first had the entry started, UTC"),
            (
                "known_to",
                Instant,
                "when the run that no longer had the entry started; NULL while it is in force",
            ),
            ("run_id", Text, "run that wrote the row"),
        ],
    },
];

/// The tables of `ops`.
pub const OPS: &[OpsTable] = &[
    OpsTable {
        name: "runs",
        about: "every finished run",
        columns: &[
            ("run_id", Text, "id of the run; ids sort by start time"),
            ("status", Text, "complete, partial, budget or failed"),
            ("started_at", Instant, "when it started, UTC"),
            ("seconds", Double, "duration in seconds"),
            ("symbols", Integer, "number of symbols in its universe"),
            ("tasks_planned", Integer, "tasks that were due"),
            ("tasks_done", Integer, "tasks that were answered, with or without rows"),
            ("tasks_skipped_fresh", Integer, "tasks skipped because the stored answer was fresh"),
            ("tasks_failed", Integer, "tasks that failed"),
            ("calls", Integer, "calls made, retries included"),
            ("bytes", Integer, "bytes received"),
            ("published_at", Instant, "when its figures were published, UTC"),
        ],
    },
    OpsTable {
        name: "tasks",
        about: "every task of a run and its outcome",
        columns: &[
            ("run_id", Text, "the run"),
            ("batch", Text, "batch of the task"),
            ("dataset", Text, "dataset requested"),
            ("subject", Text, "symbol, with the cadence for statements"),
            ("outcome", Text, "rows, empty, not_offered, not_in_plan, unexpectedly_empty or failed"),
            ("reason", Text, "why it failed, is not offered or is outside the FMP plan"),
            ("row_count", Integer, "rows in the answer"),
            ("calls", Integer, "calls made, retries included"),
            ("bytes", Integer, "bytes received"),
            ("fetched_at", Instant, "when it was fetched, UTC"),
        ],
    },
    OpsTable {
        name: "files",
        about: "every loaded landing file; staged = loaded + unchanged + quarantined",
        columns: &[
            ("run_id", Text, "run that wrote the file"),
            ("dataset", Text, "dataset of its rows"),
            ("source_file", Text, "key on the stage"),
            ("sha256", Text, "SHA-256 of the file"),
            ("bytes", Integer, "compressed size in bytes"),
            ("staged", Integer, "rows in the file"),
            ("loaded", Integer, "new or changed rows"),
            ("unchanged", Integer, "rows already in the warehouse"),
            ("quarantined", Integer, "rows moved to ops.quarantine"),
            ("loaded_at", Instant, "when it was loaded, UTC"),
        ],
    },
    OpsTable {
        name: "quarantine",
        about: "rows and fields that cannot be right and are not used, with the reason",
        columns: &[
            ("run_id", Text, "run that fetched the row"),
            ("dataset", Text, "dataset of the row"),
            ("symbol", Text, "symbol whose answer contained the row"),
            ("reason", Text, "what is wrong, beginning with a code"),
            ("payload", Text, "the row exactly as FMP sent it"),
            ("source_file", Text, "file on the stage"),
            ("source_row", Integer, "row in the file, from 1"),
            ("observed_at", Instant, "when it was fetched, UTC"),
            (
                "status",
                Text,
                "rejected: the row is not loaded; field: only this column of the loaded row is not used",
            ),
            ("column_name", Text, "column of the field that is to blame, if it is one field"),
            ("column_text", Text, "the field's text as FMP sent it, at most 500 characters"),
        ],
    },
    OpsTable {
        name: "price_gaps",
        about: "source x gap_start. Times for which streamed prices may be incomplete",
        columns: &[
            ("source", Text, "feed, or `stdin`"),
            ("gap_start", Instant, "last time at which prices were received, UTC"),
            ("gap_end", Instant, "when prices were received again, UTC"),
            ("reason", Text, "why prices may be missing"),
            ("observed_at", Instant, "when the gap was recorded, UTC"),
            ("source_file", Text, "file on the stage"),
            ("source_row", Integer, "row in the file, from 1"),
            ("run_id", Text, "load of ticks that stored the row"),
        ],
    },
    OpsTable {
        name: "restatements",
        about: "every statement item that a newer version changed, with the rows of both versions",
        columns: &[
            ("run_id", Text, "run that fetched the newer version"),
            ("dataset", Text, "dataset of the statement"),
            ("symbol", Text, "company"),
            ("period_type", Text, "Q1 to Q4 or FY"),
            ("fiscal_date", Date, "end of the period"),
            ("item", Text, "column that changed"),
            ("old_value", Text, "value in the older version"),
            ("new_value", Text, "value in the newer version"),
            ("accepted_at", Instant, "when the newer version was accepted, UTC"),
            ("observed_at", Instant, "when the newer version was fetched, UTC"),
            ("source_file", Text, "file of the newer version"),
            ("source_row", Integer, "row in that file"),
            ("older_source_file", Text, "file of the older version"),
            ("older_source_row", Integer, "row in that file"),
        ],
    },
    OpsTable {
        name: "missing_statements",
        about: "statements that the newest answers lack; the models end those that are withdrawn",
        columns: &[
            ("run_id", Text, "run of the newest answer that lacks it"),
            ("dataset", Text, "dataset of the statement"),
            ("symbol", Text, "company"),
            ("period_type", Text, "Q1 to Q4 or FY"),
            ("fiscal_date", Date, "end of the period"),
            ("missing_since", Instant, "when the first answer without it was fetched, UTC"),
            ("answers", Integer, "consecutive answers that lack it"),
            (
                "withdrawn_at",
                Instant,
                "when it counted as withdrawn, UTC; NULL after one answer without --full",
            ),
        ],
    },
    OpsTable {
        name: "securities",
        about: "symbols whose security began under another symbol, and symbols that another security used before",
        columns: &[
            ("symbol", Text, "present symbol"),
            (
                "company_key",
                Text,
                "key of the security in analytics; for all other symbols, the hash of the symbol",
            ),
            (
                "previous_symbol",
                Text,
                "symbol before the change; NULL if another security used this symbol before",
            ),
            ("since", Date, "day of the change"),
            ("replaced_key", Text, "key under which figures of the symbol are still published"),
            ("run_id", Text, "run that loaded the change"),
        ],
    },
    OpsTable {
        name: "filer_changes",
        about: "profiles whose CIK changed: a successor of the same security, or an unrelated company",
        columns: &[
            ("run_id", Text, "run that received the new profile"),
            ("symbol", Text, "symbol of both profiles"),
            ("old_cik", Text, "CIK before"),
            ("new_cik", Text, "CIK now"),
            ("changed_at", Instant, "when the new profile was received, UTC"),
            (
                "is_successor",
                Boolean,
                "whether prices and periods continue; if not, the earlier rows have moved to another symbol",
            ),
        ],
    },
    // Analytics reads from this table which companies to recompute, and empties it in the
    // publishing transaction. If a run fails to compute, the rows stay, and the next run does its
    // work.
    OpsTable {
        name: "changes",
        about: "changes that were loaded but are not yet published",
        columns: &[
            ("run_id", Text, "run that loaded it"),
            ("dataset", Text, "dataset that changed"),
            ("symbol", Text, "symbol that changed"),
            ("first_date", Date, "first day whose figures may differ; NULL if any day may"),
        ],
    },
    OpsTable {
        name: "published",
        about: "as-of day and index of the stored figures, one row per run that changed some",
        columns: &[
            ("run_id", Text, "the run"),
            ("as_of", Date, "day as of which the figures were computed"),
            ("index_symbol", Text, "index for beta and correlation"),
            ("published_at", Instant, "when the figures were published, UTC"),
            ("has_ranks", Boolean, "whether the run also computed analytics.fact_sector_ranks"),
        ],
    },
    // Only a computation with a time limit and several slices has rows. Its differences are in tables of the
    // session's schema until they are published.
    OpsTable {
        name: "slices",
        about: "slices of companies that are computed but not yet published, so that another invocation can continue",
        columns: &[
            (
                "computation",
                Integer,
                "the computation: number in ops.turns of the transaction that began it",
            ),
            ("run_id", Text, "run that began it"),
            ("fingerprint", Text, "hash of its models and tables"),
            ("as_of", Date, "day as of which it computes"),
            ("fence", Integer, "number in ops.turns of the transaction that wrote the row"),
            (
                "last_company",
                Integer,
                "number of the last company computed so far; NULL until the computation can be continued",
            ),
        ],
    },
    OpsTable {
        name: "models",
        about: "SQL files that made the stored figures; if a file changes, the figures are recomputed",
        columns: &[
            (
                "file",
                Text,
                "file of a model, table or view; `schema_version` for the version of the tables",
            ),
            ("sha256", Text, "hash of its statement, or the version"),
        ],
    },
    OpsTable {
        name: "turns",
        about: "write fences: an invocation that finds a changed number starts over",
        columns: &[
            ("function", Text, "load, analytics or ticks"),
            ("number", Integer, "number of its transactions so far"),
        ],
    },
    OpsTable {
        name: "identity",
        about: "id of this warehouse; a stage accepts only the warehouse it was first used with",
        columns: &[("warehouse_id", Text, "id of the warehouse")],
    },
];
