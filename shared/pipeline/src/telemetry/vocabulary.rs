//! The names of fields in log lines and of attributes of spans. The same thing has the same name in all
//! functions, so that one query finds a run everywhere. A test rejects other names, and compares the
//! table in `infra/README.md` with this list.

/// Name and meaning of each field.
pub const FIELDS: [(&str, &str); 41] = [
    ("timestamp", "when the line was written, UTC"),
    ("level", "`ERROR`, `WARN`, `INFO` or `DEBUG`"),
    ("message", "what happened"),
    ("function", "the function that wrote the line"),
    ("request_id", "Lambda's id of the invocation"),
    ("run_id", "the run"),
    ("batch", "the batch"),
    ("symbol", "the company"),
    ("dataset", "the dataset of the catalog"),
    ("endpoint", "the endpoint of FMP"),
    ("table", "the table of the warehouse"),
    ("step", "the step of a run: plan, fetch, load, compute"),
    ("status", "how a run or a step ended"),
    ("error", "the error, with what to do about it"),
    ("reason", "the reason, if it is not an error"),
    ("attempt", "the number of the attempt, from 1"),
    ("checkpoints", "checkpoints of a batch so far"),
    ("closed", "whether the batch was the last one of the run"),
    ("awaited_run_id", "the run whose data a scheduled run awaits"),
    ("retry_run_id", "the run that retries another one"),
    ("message_id", "the message of the queue"),
    ("code", "the error code of AWS"),
    ("seconds", "how long it took, or how long it waits"),
    ("symbols", "number of companies"),
    ("batches", "number of batches"),
    ("calls", "calls to FMP"),
    ("rows", "number of rows"),
    ("files", "number of files"),
    ("runs", "number of runs"),
    ("statements", "number of statements"),
    ("objects", "number of objects on the stage"),
    ("key", "an object on the stage, or a file"),
    ("ticks", "streamed prices"),
    ("bars", "bars of one minute"),
    ("quarantined", "rows or streamed prices that were quarantined"),
    ("late", "streamed prices that came late"),
    ("shard", "the shard of the price stream"),
    ("sequence", "the number of a record of the price stream"),
    ("limit", "a limit, with its unit"),
    ("event", "an event of the bus"),
    ("statement", "the beginning of a statement"),
];

/// Whether a field may be written.
pub fn is_known(field: &str) -> bool {
    FIELDS.iter().any(|(name, _)| *name == field)
}
