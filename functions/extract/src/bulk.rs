//! A batch of bulk files: reads each file once for all the tasks it serves.
//!
//! The batch is a state machine ([`BulkPhase`]). Each complete file is landed at once, and its rows
//! are counted per task in the batch's progress. The progress is part of the checkpoint, so an
//! invocation that runs out of time loses no finished file. The tasks are recorded after the last
//! file. If FMP refuses a file, the batch falls back to one call per task, and the refusal is
//! stored for later plans.

mod reader;
mod record;

use std::{collections::BTreeSet, time::Instant};

use chrono::NaiveDate;

use findata_domain::{Error, Result, catalog::Dataset, clock::Clock, nyse_calendar};
use findata_fmp::{
    BulkOutcome, Deadline, Fmp,
    bulk::{self, File, Part},
};
use findata_pipeline::{
    bulk_progress::{BulkPhase, BulkProgress, TaskProgress},
    ledger::{self, BatchEntry},
    plan::{BatchMessage, Task, Window},
    ports::stage::Stage,
};
use reader::Reader;

use crate::{Attempt, Limit, batch_writer::BatchWriter, fetch_each, journal::Journal, land};

/// The state of the batch during one invocation.
struct BulkBatch<'a, S> {
    dataset: &'static Dataset,
    tasks: &'a [Task],
    message: &'a BatchMessage,
    stage: &'a S,
    progress: BulkProgress,
    entry: BatchEntry,
    writer: BatchWriter,
    /// The current day in New York.
    today: NaiveDate,
    started: Instant,
}

/// Downloads the files and fetches the tasks that earlier invocations did not finish. `before`
/// contains the results of those invocations.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
pub(crate) async fn attempt(
    message: &BatchMessage,
    tasks: &[Task],
    before: &BatchEntry,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: &Limit,
    journal: Option<&dyn Journal>,
) -> Result<Attempt> {
    let (started, now) = (Instant::now(), clock.now());
    let entry = BatchEntry::new(&message.batch.id);
    let Some(dataset) = tasks.first().map(|task| task.dataset) else {
        return Ok(Attempt::Complete(entry));
    };
    let mut progress = before.bulk.clone().unwrap_or_else(|| BulkProgress::new(tasks.len(), now));
    progress.tasks.resize_with(tasks.len(), Default::default);
    let resumed_from = progress.clone();
    let (writer, today) = (BatchWriter::new(now), nyse_calendar::new_york_date(now));
    let mut batch = BulkBatch {
        dataset,
        tasks,
        message,
        stage,
        progress,
        entry,
        writer,
        today,
        started,
    };

    let in_time = batch.read_files(fmp, clock, limit, journal.is_some()).await?;
    let mut by_call = Vec::new();
    if in_time {
        // The calls below are made after the files were read, so they need a new fetch time.
        batch.writer.set_fetched_at(clock.now());
        let tasks = batch.tasks_by_call().into_iter().chain(batch.progress.follow_ups.clone());
        by_call = ledger::pending(&tasks.collect::<Vec<_>>(), before);
    }
    let complete = fetch_each(&mut batch.writer, by_call, false, fmp, limit, journal).await? && in_time;

    let BulkBatch { mut progress, entry, mut writer, .. } = batch;
    let has_progress = progress != resumed_from || !writer.records.is_empty();
    // A task's record includes its share of the files' calls and bytes, even if a separate call
    // answered the task in the end.
    for record in &mut writer.records {
        let position = tasks.iter().position(|task| *task == record.task);
        if let Some(counted) = position.and_then(|i| progress.tasks.get_mut(i)) {
            record.calls += std::mem::take(&mut counted.calls);
            record.bytes += std::mem::take(&mut counted.bytes);
        }
    }
    if complete {
        let recorded =
            |task: &Task| writer.records.iter().chain(&before.tasks).any(|record| record.task == *task);
        let from_files: Vec<_> = progress
            .records(tasks, None)
            .into_iter()
            .filter(|record| !recorded(&record.task))
            .collect();
        writer.records.extend(from_files);
    }
    let mut entry = land(writer, entry, message, started, stage).await?;
    entry.pacing = fmp.pacing();
    entry.bulk = Some(progress);
    Ok(match (complete, has_progress) {
        (true, _) => Attempt::Complete(entry),
        (false, true) => Attempt::OutOfTime(entry),
        (false, false) => Attempt::NoProgress,
    })
}

impl<S: Stage> BulkBatch<'_, S> {
    /// Reads the remaining files, newest first. Returns false if the time runs out before the last
    /// file. With `one_at_a_time`, also returns false after each file, so that the caller writes a
    /// checkpoint.
    async fn read_files(
        &mut self,
        fmp: &Fmp,
        clock: &impl Clock,
        limit: &Limit,
        one_at_a_time: bool,
    ) -> Result<bool> {
        let deadline = limit.deadline();
        let files_before = self.progress.files_done.len();
        // A file is started only if it is expected to be complete in time. The estimate is one and
        // a half times the duration of the previous file; for the first file, it is three quarters
        // of the available time.
        let mut estimate = deadline
            .map(|limit| limit.wait.saturating_duration_since(self.started) * 3 / 4)
            .unwrap_or_default();
        let mut queue = bulk::files(self.dataset, &self.tasks.iter().collect::<Vec<_>>(), self.today);
        queue.reverse();
        while self.progress.phase == BulkPhase::Fetching {
            let Some(file) = queue.pop() else {
                self.progress.phase = BulkPhase::FilesRead;
                break;
            };
            let open = self.open_tasks(&file);
            if !open.is_empty() && !self.progress.files_done.contains(&file.name()) {
                if one_at_a_time && self.progress.files_done.len() > files_before {
                    return Ok(false);
                }
                let day = match file.part {
                    Part::Day(day) => Some(day),
                    Part::Number(_) | Part::Period(..) => None,
                };
                let mut reader =
                    Reader::new(self.dataset, self.tasks, &open, &self.progress.tasks, clock.now(), day);
                let until = deadline.map(|limit| Deadline {
                    begin: limit.begin.min(limit.wait.checked_sub(estimate).unwrap_or(limit.begin)),
                    wait: limit.wait,
                });
                let requested = Instant::now();
                let file_answer = fmp.bulk(file.endpoint, &file.parameters, &mut reader, until);
                // The client itself observes the deadline. A file that is cut short because the
                // user stops the run does not count as too slow.
                let Some(answer) = limit.unless_stopped(file_answer).await else {
                    return Ok(false);
                };
                let contents = reader.finish();
                match &answer.outcome {
                    Ok(BulkOutcome::DeadlineExceeded) => {
                        self.count(&open, &answer);
                        if answer.calls > 0 {
                            // The file takes longer than an invocation, or FMP keeps refusing it.
                            self.fall_back(&file, clock.now()).await?;
                        }
                        return Ok(false);
                    }
                    // No call was made, because the rate limiter on the stage could not grant one.
                    // Files that are done are kept.
                    Err(error @ Error::Retry { .. }) if answer.calls == 0 => {
                        let none_done = self.progress.files_done.len() == files_before;
                        return if none_done { Err(error.clone()) } else { Ok(false) };
                    }
                    _ => {}
                }
                estimate = requested.elapsed() * 3 / 2;
                if let Some(stop) = self.record_file(&file, &open, answer, contents, clock).await? {
                    // The remaining tasks end with the failure. Tasks that no remaining file serves
                    // keep their outcome from the files already read.
                    queue.push(file);
                    let left: BTreeSet<usize> = queue.iter().flat_map(|file| self.open_tasks(file)).collect();
                    self.progress.end(&left.into_iter().collect::<Vec<_>>(), &stop);
                    self.progress.phase = BulkPhase::FilesRead;
                    break;
                }
            }
            queue.extend(file.next().filter(|_| !self.open_tasks(&file).is_empty()));
        }
        Ok(true)
    }

    /// Returns the tasks that a file serves and that have no outcome yet. For a numbered part,
    /// tasks with rows from an earlier part are left out.
    fn open_tasks(&self, file: &File) -> Vec<usize> {
        let is_numbered = matches!(file.part, Part::Number(_));
        let is_open = |i: &usize| {
            let progress = &self.progress.tasks[*i];
            file.serves(&self.tasks[*i]) && progress.ended.is_none() && !(is_numbered && progress.rows > 0)
        };
        (0..self.tasks.len()).filter(is_open).collect()
    }

    /// Returns the tasks that need one call each after the last file: all tasks if FMP refuses the
    /// files, otherwise the tasks for which the files have fewer reports than requested. Such a
    /// company may have older reports, because it stopped reporting or reports only twice a year.
    fn tasks_by_call(&self) -> Vec<Task> {
        let is_short = |task: &Task, progress: &TaskProgress| match task.window {
            Window::Newest { limit, .. } => {
                progress.ended.is_none() && (1..u64::from(limit)).contains(&progress.rows)
            }
            Window::All | Window::Days { .. } => false,
        };
        let falls_back = self.progress.phase == BulkPhase::FallingBack;
        let tasks = self.tasks.iter().zip(&self.progress.tasks);
        tasks
            .filter(|(task, progress)| falls_back || is_short(task, progress))
            .map(|(task, _)| task.clone())
            .collect()
    }
}
