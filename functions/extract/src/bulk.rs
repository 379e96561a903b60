//! A batch that comes by FMP's bulk files: each is read once for all the tasks that it serves.
//!
//! The rows of a file are landed when it is whole, and what they tell of the tasks is kept with the batch's parts, so that a
//! delivery whose time ends loses no file that is done. The tasks are recorded once no file is left. Where FMP refuses the
//! files, the tasks are done each by a call, and the next plans know it.

mod reader;

use std::{collections::BTreeSet, time::Instant};

use chrono::{Datelike, NaiveDate};

use findata_domain::{Error, Result, catalog::Dataset, clock::Clock, nyse_calendar};
use findata_fmp::{
    BulkAnswer, BulkOutcome, Deadline, Fmp,
    bulk::{self, File, Part},
};
use findata_pipeline::{
    bulk_progress::{BulkProgress, TaskProgress},
    ledger::{self, BatchEntry, Outcome},
    plan::{BatchMessage, Task, Window},
    ports::stage::Stage,
};
use reader::Reader;

use crate::{Delivery, batch_writer::BatchWriter, each, land};

/// What a delivery has of a batch.
struct Files<'a, S> {
    dataset: &'static Dataset,
    tasks: &'a [Task],
    message: &'a BatchMessage,
    stage: &'a S,
    progress: BulkProgress,
    part: BatchEntry,
    work: BatchWriter,
    /// Why no further file is asked for, as the outcome of the tasks that are left.
    stopped: Option<Outcome>,
    /// Today in New York.
    today: NaiveDate,
}

/// Does the files and tasks that are not done. `before` is what earlier deliveries did.
pub(crate) async fn work_off(
    message: &BatchMessage,
    tasks: &[Task],
    before: &BatchEntry,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: Option<Deadline>,
) -> Result<Delivery> {
    let (begun, now) = (Instant::now(), clock.now());
    let mut progress = before.bulk.clone().unwrap_or_else(|| BulkProgress::new(tasks.len(), now));
    let part = BatchEntry::new(&message.batch.id);
    let Some(dataset) = tasks.first().map(|task| task.dataset) else {
        return Ok(Delivery { part, whole: true, moved: false, calls: 0 });
    };
    progress.tasks.resize_with(tasks.len(), Default::default);
    let done_before = progress.done.len();
    let work = BatchWriter::new(now);
    let today = nyse_calendar::new_york_date(now);
    let mut files = Files { dataset, tasks, message, stage, progress, part, work, stopped: None, today };

    let (mut whole, mut calls, mut moved) = (true, 0, false);
    // A file that would not be whole in time is not begun: so long as the longest, at first most of the time there is.
    let mut longest = limit.map(|limit| limit.wait.saturating_duration_since(begun) * 3 / 4).unwrap_or_default();
    let mut todo = bulk::files(dataset, &tasks.iter().collect::<Vec<_>>(), today);
    todo.reverse();
    while !files.progress.refused && files.stopped.is_none() {
        let Some(file) = todo.pop() else { break };
        let open = files.open(&file);
        if !open.is_empty() && !files.progress.done.contains(&file.name()) {
            let mut reader = Reader::new(dataset, tasks, &open, &files.progress.tasks, clock.now());
            let until = limit.map(|limit| Deadline {
                begin: limit.begin.min(limit.wait.checked_sub(longest).unwrap_or(limit.begin)),
                wait: limit.wait,
            });
            let asked = Instant::now();
            let answer = fmp.bulk(file.endpoint, &file.parameters, &mut reader, until).await;
            let read = reader.finish();
            match &answer.came {
                Ok(BulkOutcome::DeadlineExceeded) => {
                    (whole, calls) = (false, answer.calls);
                    files.count(&open, &answer);
                    if calls > 0 {
                        // It takes longer than a delivery may, or FMP goes on refusing it: each task has a call of its own.
                        bulk::note_refused(stage, file.endpoint, clock.now()).await?;
                        (files.progress.refused, moved) = (true, true);
                    }
                    break;
                }
                // No call was made: it is the stage that could not give it its turn.
                Err(error @ Error::Retry { .. }) if answer.calls == 0 => {
                    if files.progress.done.len() == done_before {
                        return Err(error.clone());
                    }
                    whole = false;
                    break;
                }
                _ => {}
            }
            longest = asked.elapsed() * 3 / 2;
            files.take(&file, &open, answer, read, clock).await?;
        }
        if files.stopped.is_some() {
            todo.push(file);
        } else {
            todo.extend(file.next().filter(|_| !files.progress.last && !files.open(&file).is_empty()));
        }
    }
    if let Some(outcome) = files.stopped.take() {
        // What no file that is left serves is told already.
        let left: BTreeSet<usize> = todo.iter().flat_map(|file| files.open(file)).collect();
        files.progress.end(&left.into_iter().collect::<Vec<_>>(), &outcome);
    }
    let mut asked = Vec::new();
    if whole {
        // What follows from a file came later than the batch began.
        files.work.renew(clock.now());
        let each = files.asked_each().into_iter().chain(files.progress.following.clone());
        asked = ledger::pending(&each.collect::<Vec<_>>(), before);
    }
    whole = each(&mut files.work, asked, false, fmp, limit).await? && whole;
    let Files { mut progress, part, mut work, .. } = files;
    let moved = moved || progress.done.len() > done_before || !work.records.is_empty();
    // What files took counts with the record of the task, however that came about.
    for record in &mut work.records {
        let told = tasks.iter().position(|task| *task == record.task).and_then(|i| progress.tasks.get_mut(i));
        if let Some(told) = told {
            record.calls += std::mem::take(&mut told.calls);
            record.bytes += std::mem::take(&mut told.bytes);
        }
    }
    if whole {
        let told = progress.records(tasks, None).into_iter();
        let recorded = |task: &Task| work.records.iter().chain(&before.tasks).any(|record| record.task == *task);
        let told: Vec<_> = told.filter(|record| !recorded(&record.task)).collect();
        work.records.extend(told);
    }
    let mut part = land(work, part, message, begun, stage).await?;
    part.bulk = Some(progress);
    Ok(Delivery { part, whole, moved, calls })
}

impl<S: Stage> Files<'_, S> {
    /// The tasks that a file serves and that have not ended; of a file in parts, those that were in no part yet.
    fn open(&self, file: &File) -> Vec<usize> {
        let in_parts = matches!(file.part, Part::Number(_));
        let open = |i: &usize| {
            let told = &self.progress.tasks[*i];
            file.serves(&self.tasks[*i]) && told.ended.is_none() && !(in_parts && told.rows > 0)
        };
        (0..self.tasks.len()).filter(open).collect()
    }

    /// The tasks that are done each by a call, once no file is left: all where FMP refuses the files; else those that the
    /// files cannot tell. A company with fewer reports than are asked for may have older ones: a company that stopped
    /// reporting, one that reports twice a year.
    fn asked_each(&self) -> Vec<Task> {
        let short = |task: &Task, told: &TaskProgress| match task.window {
            Window::Newest { limit, .. } => told.ended.is_none() && (1..u64::from(limit)).contains(&told.rows),
            Window::All | Window::Days { .. } => false,
        };
        let each = self.tasks.iter().zip(&self.progress.tasks);
        each.filter(|(task, told)| self.progress.refused || short(task, told)).map(|(task, _)| task.clone()).collect()
    }

    /// Counts a file's calls and bytes as those of the first task that it serves.
    fn count(&mut self, open: &[usize], answer: &BulkAnswer) {
        if let Some(first) = open.first() {
            self.progress.tasks[*first].calls += answer.calls;
            self.progress.tasks[*first].bytes += answer.bytes;
        }
    }

    /// Whether there may be no such file, or nothing in it: of a period that companies have not reported yet, of the newest
    /// session. That another one is empty is no news of its companies.
    fn may_be_missing(&self, file: &File) -> bool {
        match file.part {
            Part::Number(number) => number > 0,
            Part::Period(year, _) => year >= self.today.year() - 1,
            Part::Day(day) => (self.today - day).num_days() <= 4,
        }
    }

    /// Takes in what came of a file.
    async fn take(
        &mut self,
        file: &File,
        open: &[usize],
        answer: BulkAnswer,
        read: reader::Read,
        clock: &impl Clock,
    ) -> Result<()> {
        self.count(open, &answer);
        match answer.came {
            Ok(BulkOutcome::DeadlineExceeded) => return Ok(()),
            Ok(BulkOutcome::NotFound(_) | BulkOutcome::Complete(0)) if self.may_be_missing(file) => {
                self.progress.last = matches!(file.part, Part::Number(_));
            }
            Ok(BulkOutcome::NotFound(reason)) => self.progress.end(open, &Outcome::failed(reason)),
            Ok(BulkOutcome::Complete(0)) => {
                let reason = format!("FMP's {} {} is empty", file.endpoint, file.name());
                self.progress.end(open, &Outcome::failed(reason));
            }
            Ok(BulkOutcome::Complete(_)) => {
                self.work.note_drift(self.dataset.name, &read.drift(self.dataset));
                if !read.told.is_empty() {
                    let name = format!("{}-{}", self.message.batch.id, file.name());
                    self.part.files.push(read.landing.land(self.stage, &self.message.run_id, &name).await?);
                }
                for (task, told) in read.told {
                    self.progress.tasks[task].add(told);
                }
                self.progress.following.extend(read.following);
            }
            Err(Error::NotInPlan(reason)) => {
                tracing::warn!(endpoint = file.endpoint, reason, "no bulk files; each task by a call of its own");
                bulk::note_refused(self.stage, file.endpoint, clock.now()).await?;
                self.progress.refused = true;
            }
            Err(error) => {
                let budget = matches!(error, Error::Budget(_));
                let outcome = |reason| Outcome::Failed { reason, budget };
                if error.ends_run() {
                    self.work.stop.get_or_insert_with(|| error.to_string());
                    self.stopped = Some(outcome(error.to_string()));
                } else {
                    // It had its tries: the next plans ask for each task instead.
                    bulk::note_refused(self.stage, file.endpoint, clock.now()).await?;
                    self.progress.end(open, &outcome(format!("{} {}: {error}", file.endpoint, file.name())));
                }
            }
        }
        self.progress.done.insert(file.name());
        Ok(())
    }
}
