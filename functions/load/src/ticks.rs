//! Loads landed ticks into `raw.price_ticks`, and corrects the bars of `analytics.fact_intraday_prices`.
//!
//! A tick may be in several files: a producer may send it twice, and Kinesis may deliver it again as a
//! part of another batch. Ticks of the same minute are compared with the stored ones, so each counts
//! once. A bar is computed from all ticks of its minute, whenever they arrived.
//!
//! Tick loads have their own write fence, so they never make the load of a run start over.

use std::collections::{BTreeMap, HashSet};

use chrono::{Days, NaiveDate};
use findata_domain::{
    Result,
    catalog::{PRICE_TICKS, TICK_COLUMNS},
    clock::Clock,
    schema_version,
};
use findata_pipeline::{
    batch::Batch,
    landing::StagedFile,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    tick_file::{FOLDER, TickFile, folder_of},
    write_fence::WriteFence,
};
use serde::Serialize;

use crate::{FUNCTION, files::compare_counts, sql::COUNTS, tick_sql};

/// The row of `ops.turns` for ticks.
const FENCE: &str = "ticks";
/// Days before the newest loaded file whose files are compared with the loaded ones. The files of a
/// day appear after that day while batches are delivered again; Kinesis keeps records for a day, and for
/// a week in most streams that keep them longer.
const DAYS_BACK: u64 = 8;
/// Key of the number of files per day of arrival that the last load has seen.
const SEEN: &str = "state/price-ticks.json";
/// Days of arrival that [`SEEN`] covers. Older files wait for the next load that has newer ones.
const SEEN_DAYS: u64 = 2;
/// With more days than this since the last load, all files are listed at once.
const MOST_FOLDERS: i64 = 40;
/// How many days the ticks of a day are kept in the warehouse unless a load says otherwise. Their files stay on
/// the stage.
pub const KEEP_DAYS: u32 = 30;
/// Rows per transaction on an engine in this process. The statements hold a portion and the stored
/// ticks of its minutes in memory.
const ROWS_PER_LOAD: u64 = 150_000;

/// The result of loading ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LoadedTicks {
    /// Files that were loaded.
    pub files: u64,
    /// New ticks.
    pub ticks: u64,
    /// Ticks that were stored before, or twice in these files.
    pub duplicates: u64,
    /// Quarantined records, including ticks of unknown symbols.
    pub quarantined: u64,
    /// Bars that were added or corrected.
    pub bars: u64,
    /// Reported gaps.
    pub gaps: u64,
    /// Ticks that were deleted because of their age.
    pub deleted: u64,
    /// Why each damaged file cannot be loaded, by key.
    pub damaged: BTreeMap<String, String>,
}

impl LoadedTicks {
    /// Adds the result of a later load.
    pub fn add(&mut self, later: LoadedTicks) {
        self.files += later.files;
        self.ticks += later.ticks;
        self.duplicates += later.duplicates;
        self.quarantined += later.quarantined;
        self.bars += later.bars;
        self.gaps += later.gaps;
        self.deleted += later.deleted;
        self.damaged = later.damaged;
    }

    /// Returns whether the load changed the warehouse.
    pub fn has_changes(&self) -> bool {
        self.files > 0 || self.bars > 0 || self.deleted > 0
    }
}

/// The number of files per day of arrival, for the newest days.
type Seen = BTreeMap<NaiveDate, usize>;

async fn files_by_day(stage: &impl Stage, clock: &impl Clock) -> Result<Seen> {
    let today = clock.latest().date_naive();
    let mut seen = Seen::new();
    for day in (today - Days::new(SEEN_DAYS)).iter_days().take_while(|day| *day <= today) {
        seen.insert(day, stage.list(&folder_of(day)).await?.len());
    }
    Ok(seen)
}

/// Like [`load_ticks`], but sends the warehouse no statement if no file has landed since the last load,
/// because a statement would resume a billed warehouse. Returns `None` in this case.
///
/// # Errors
/// The errors of [`load_ticks`].
pub async fn load_new_ticks(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
    keep_days: Option<u32>,
) -> Result<Option<LoadedTicks>> {
    // Counted before the load lists the files, so that a file that lands in between is loaded again.
    let found = files_by_day(stage, clock).await?;
    let seen: Option<Seen> = stage::read_rebuildable(stage, SEEN, &mut Vec::new()).await?;
    if found == seen.unwrap_or_default() || found.values().all(|files| *files == 0) {
        return Ok(None);
    }
    let loaded = load_ticks(run, stage, warehouse, clock, keep_days).await?;
    stage::replace_json(stage, SEEN, &found).await?;
    Ok(Some(loaded))
}

/// Loads the files of ticks that the warehouse does not have. Idempotent: every portion is one
/// transaction, which also lists its files. Then deletes ticks that are older than `keep_days` and arrived before
/// that; their bars stay. `None` keeps all.
///
/// # Errors
/// `Stop` if the rows of a file differ from its name; `Retry` if another load of ticks writes at the
/// same time; `Config` if the tables belong to another version; the stage's and the warehouse's
/// errors. A damaged file is skipped, and loaded once it is restored.
pub async fn load_ticks(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
    keep_days: Option<u32>,
) -> Result<LoadedTicks> {
    warehouse.begin_step(run, FUNCTION, PRICE_TICKS);
    schema_version::require_current(&warehouse.query(schema_version::RECORDED).await?)?;
    let mut loaded = LoadedTicks::default();
    rebuild_bars(run, warehouse, clock, &mut loaded).await?;
    let files = pending(stage, warehouse, clock).await?;
    loaded.damaged = warehouse.damaged_files(&files).await?;
    for reason in loaded.damaged.values() {
        tracing::warn!(reason, "a file of ticks cannot be loaded");
    }
    let files: Vec<StagedFile> =
        files.into_iter().filter(|file| !loaded.damaged.contains_key(&file.key)).collect();
    let most = if warehouse.is_billed() { u64::MAX } else { ROWS_PER_LOAD };
    for portion in portions(&files, warehouse.files_per_load(), most) {
        load_portion(run, portion, warehouse, clock, &mut loaded).await?;
    }
    // After all portions: a minute may have ticks in several of them.
    if let Some(until) = keep_days.and_then(|days| clock.today().checked_sub_days(Days::new(days.into()))) {
        loaded.deleted = warehouse.execute(&tick_sql::delete_ticks(until)).await?;
    }
    Ok(loaded)
}

/// The files that are on the stage and not in the warehouse, in the order of their keys.
async fn pending(
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Vec<StagedFile>> {
    let newest = first_cell(warehouse, tick_sql::NEWEST_FILE).await?.and_then(|key| TickFile::parse(&key));
    let since = newest.map(|file| file.day - Days::new(DAYS_BACK));
    let keys = list(stage, since, clock.latest().date_naive()).await?;
    let known = warehouse.query(&tick_sql::files_from(&since.map_or(FOLDER.into(), folder_of))).await?;
    let known: HashSet<String> = known.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    let new = keys.iter().filter(|key| !known.contains(*key));
    Ok(new.filter_map(|key| TickFile::parse(key)).map(|file| file.staged()).collect())
}

/// Lists the files that arrived since a day; all of them without a day.
async fn list(stage: &impl Stage, since: Option<NaiveDate>, today: NaiveDate) -> Result<Vec<String>> {
    let tomorrow = today + Days::new(1);
    let Some(since) = since.filter(|since| (tomorrow - *since).num_days() < MOST_FOLDERS) else {
        return stage.list(FOLDER).await;
    };
    let mut keys = Vec::new();
    for day in since.iter_days().take_while(|day| *day <= tomorrow) {
        keys.extend(stage.list(&folder_of(day)).await?);
    }
    Ok(keys)
}

/// Divides files into portions of at most `files` files and, unless a file alone has more, `rows`
/// rows.
fn portions(all: &[StagedFile], files: usize, rows: u64) -> impl Iterator<Item = &[StagedFile]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |file: &&StagedFile| {
            sum += file.rows;
            sum <= rows
        };
        let number = rest.iter().take(files).take_while(fits).count().max(1).min(rest.len());
        let (portion, later) = rest.split_at(number);
        rest = later;
        (!portion.is_empty()).then_some(portion)
    })
}

async fn load_portion(
    run: &RunId,
    files: &[StagedFile],
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
    loaded: &mut LoadedTicks,
) -> Result<()> {
    // Read before the stored ticks: if another load commits in between, this one must start over.
    let mut fence = WriteFence::read(FENCE, warehouse).await?;
    warehouse.expect_rows(files.iter().map(|file| file.rows).sum())?;
    let copies = warehouse.copies(TICK_COLUMNS, files);
    let mut batch = Batch::new(warehouse);
    for statement in copies.into_iter().chain(tick_sql::new_ticks()) {
        batch.execute("", statement).await?;
    }
    batch.run().await?;
    compare_counts(files, &warehouse.query(COUNTS).await?)?;
    let counts = warehouse.query(tick_sql::PORTION).await?;
    let count = |i: usize| {
        let cell = counts.first().and_then(|row| row.get(i)?.as_deref());
        cell.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default()
    };
    let (rows, ticks, quarantined, bars, gaps) = (count(0), count(1), count(2), count(3), count(4));
    fence.write(warehouse, &tick_sql::transaction(run, files, clock.latest())).await?;
    warehouse
        .release(&["incoming", "incoming_ticks", "stored_ticks", "expired_minutes", "new_ticks", "new_bars"])
        .await?;
    loaded.files += files.len() as u64;
    loaded.ticks += ticks;
    loaded.quarantined += quarantined;
    loaded.duplicates += rows.saturating_sub(ticks + quarantined);
    loaded.bars += bars;
    loaded.gaps += gaps;
    Ok(())
}

/// Computes all bars from the stored ticks, day by day, if an upgrade has created their table again.
async fn rebuild_bars(
    run: &RunId,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
    loaded: &mut LoadedTicks,
) -> Result<()> {
    for row in warehouse.query(tick_sql::DAYS_WITHOUT_BARS).await? {
        let Some(Some(day)) = row.into_iter().next() else { continue };
        let mut fence = WriteFence::read(FENCE, warehouse).await?;
        warehouse.execute(&tick_sql::bars_of_day(&day)).await?;
        let bars = first_cell(warehouse, "select count(*)::varchar from new_bars").await?;
        loaded.bars += bars.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        fence.write(warehouse, &tick_sql::replace_bars(run, clock.latest())).await?;
        warehouse.release(&["new_bars"]).await?;
    }
    Ok(())
}

async fn first_cell(warehouse: &mut impl Warehouse, query: &str) -> Result<Option<String>> {
    let rows = warehouse.query(query).await?;
    Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_bounded_and_complete() {
        let file = |rows| StagedFile {
            dataset: "price_ticks".into(),
            key: String::new(),
            rows,
            quarantined: 0,
            fields: Some(0),
            bytes: 1,
            sha256: String::new(),
        };
        let files = [5, 3, 20, 1, 1, 1].map(file);
        let lengths =
            |files_per_load, rows| portions(&files, files_per_load, rows).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(10, 8), [2, 1, 3]);
        assert_eq!(lengths(2, 100), [2, 2, 2]);
        assert_eq!(lengths(usize::MAX, u64::MAX), [6]);
        assert_eq!(portions(&[], 1, 1).count(), 0);
    }
}
