//! A batch of bulk files: reads each file once for all the tasks it serves.
//!
//! The batch is a state machine, [`BulkPhase`]. While it fetches, each complete file is landed and
//! its rows are counted per task in the batch's progress, which goes into the checkpoint, so that
//! an invocation that runs out of time loses no finished file. The tasks are recorded once no file
//! is left. If FMP refuses the files, the batch falls back to one call per task, and the refusal is
//! stored for the next plans.

mod reader;

use std::{collections::BTreeSet, time::Instant};

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use findata_domain::{Error, Result, catalog::Dataset, clock::Clock, nyse_calendar};
use findata_fmp::{
    BulkAnswer, BulkOutcome, Deadline, Fmp,
    bulk::{self, File, Part},
};
use findata_pipeline::{
    bulk_progress::{BulkPhase, BulkProgress, TaskProgress},
    ledger::{self, BatchEntry, Outcome},
    plan::{BatchMessage, Task, Window},
    ports::stage::Stage,
};
use reader::{Contents, Reader};

use crate::{Attempt, Limit, batch_writer::BatchWriter, fetch_each, journal::Journal, land};

/// The batch during one invocation.
struct BulkBatch<'a, S> {
    dataset: &'static Dataset,
    tasks: &'a [Task],
    message: &'a BatchMessage,
    stage: &'a S,
    progress: BulkProgress,
    entry: BatchEntry,
    writer: BatchWriter,
    /// Today in New York.
    today: NaiveDate,
    started: Instant,
}

/// Fetches the files and tasks that are not done. `before` is what earlier invocations did.
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
        // The calls below are made later than the batch began.
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
    /// Reads the files that are left, newest first. Returns false if the time runs out first, or after
    /// a file if `one_at_a_time`, so that a checkpoint follows each.
    async fn read_files(
        &mut self,
        fmp: &Fmp,
        clock: &impl Clock,
        limit: &Limit,
        one_at_a_time: bool,
    ) -> Result<bool> {
        let deadline = limit.deadline();
        let files_before = self.progress.files_done.len();
        // A file that would not be complete in time is not started. The estimate is one and a half
        // times the file before; for the first, three quarters of the time there is.
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
                // With a deadline the client itself ends in time. A file that the user does not wait for is not
                // counted as too slow.
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
                    // No call was made: the stage could not grant one. Files that are done are
                    // kept.
                    Err(error @ Error::Retry { .. }) if answer.calls == 0 => {
                        let none_done = self.progress.files_done.len() == files_before;
                        return if none_done { Err(error.clone()) } else { Ok(false) };
                    }
                    _ => {}
                }
                estimate = requested.elapsed() * 3 / 2;
                if let Some(stop) = self.record_file(&file, &open, answer, contents, clock).await? {
                    // Tasks that no remaining file serves keep the outcome of the files already
                    // read.
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

    /// The tasks that a file serves and that have no outcome yet. For a numbered part: those
    /// without a row in an earlier part.
    fn open_tasks(&self, file: &File) -> Vec<usize> {
        let is_numbered = matches!(file.part, Part::Number(_));
        let is_open = |i: &usize| {
            let progress = &self.progress.tasks[*i];
            file.serves(&self.tasks[*i]) && progress.ended.is_none() && !(is_numbered && progress.rows > 0)
        };
        (0..self.tasks.len()).filter(is_open).collect()
    }

    /// The tasks that get a call each once no file is left: all of them if FMP refuses the files,
    /// otherwise those with fewer reports in the files than requested. Such a company may have
    /// older reports: it stopped reporting, or it reports twice a year.
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

    /// Counts a file's calls and bytes for the first task that it serves.
    fn count(&mut self, open: &[usize], answer: &BulkAnswer) {
        if let Some(first) = open.first() {
            self.progress.tasks[*first].calls += answer.calls;
            self.progress.tasks[*first].bytes += answer.bytes;
        }
    }

    /// Switches to one call per task, in this run and in the next plans.
    async fn fall_back(&mut self, file: &File, now: DateTime<Utc>) -> Result<()> {
        bulk::note_refused(self.stage, file.endpoint, now).await?;
        self.progress.phase = BulkPhase::FallingBack;
        Ok(())
    }

    /// Whether a file may be missing or empty: a part after the first, a period that companies have
    /// not reported yet, the newest session. If any other file is empty, that says nothing about
    /// its companies.
    fn may_be_missing(&self, file: &File) -> bool {
        match file.part {
            Part::Number(number) => number > 0,
            Part::Period(year, _) => year >= self.today.year() - 1,
            Part::Day(day) => (self.today - day).num_days() <= 4,
        }
    }

    /// Records the result of one file. Returns the outcome for all remaining tasks if the run must
    /// stop.
    async fn record_file(
        &mut self,
        file: &File,
        open: &[usize],
        answer: BulkAnswer,
        contents: Contents,
        clock: &impl Clock,
    ) -> Result<Option<Outcome>> {
        self.count(open, &answer);
        let mut stop = None;
        match answer.outcome {
            Ok(BulkOutcome::DeadlineExceeded) => return Ok(None),
            Ok(BulkOutcome::NotFound(_) | BulkOutcome::Complete(0)) if self.may_be_missing(file) => {
                // The part before was the last one.
                if matches!(file.part, Part::Number(_)) {
                    self.progress.phase = BulkPhase::FilesRead;
                }
            }
            Ok(BulkOutcome::NotFound(reason)) => self.progress.end(open, &Outcome::failed(reason)),
            Ok(BulkOutcome::Complete(0)) => {
                let reason = format!("FMP's {} {} is empty", file.endpoint, file.name());
                self.progress.end(open, &Outcome::failed(reason));
            }
            Ok(BulkOutcome::Complete(_)) => {
                self.writer.note_drift(self.dataset.name, &contents.drift(self.dataset));
                if !contents.tasks.is_empty() {
                    let name = format!("{}-{}", self.message.batch.id, file.name());
                    self.entry
                        .files
                        .push(contents.landing.land(self.stage, &self.message.run_id, &name).await?);
                }
                for (task, progress) in contents.tasks {
                    self.progress.tasks[task].add(progress);
                }
                self.progress.follow_ups.extend(contents.follow_ups);
            }
            Err(Error::NotInPlan(reason)) => {
                tracing::warn!(
                    endpoint = file.endpoint,
                    reason,
                    "bulk files refused, falling back to one call per task"
                );
                self.fall_back(file, clock.now()).await?;
            }
            Err(error) => {
                let budget = matches!(error, Error::Budget(_) | Error::CallLimit(_));
                let outcome = |reason| Outcome::Failed { reason, budget };
                if error.ends_run() {
                    self.writer.stop.get_or_insert_with(|| error.to_string());
                    stop = Some(outcome(error.to_string()));
                } else {
                    // The client has retried already, so the next plans use one call per task.
                    bulk::note_refused(self.stage, file.endpoint, clock.now()).await?;
                    self.progress.end(open, &outcome(format!("{} {}: {error}", file.endpoint, file.name())));
                }
            }
        }
        self.progress.files_done.insert(file.name());
        Ok(stop)
    }
}
