//! Records the result of each bulk file in the batch's progress.

use chrono::{DateTime, Datelike, Utc};
use findata_domain::{Error, Result, clock::Clock};
use findata_fmp::{
    BulkAnswer, BulkOutcome,
    bulk::{self, File, Part},
};
use findata_pipeline::{bulk_progress::BulkPhase, ledger::Outcome, ports::stage::Stage};

use super::{BulkBatch, reader::Contents};

impl<S: Stage> BulkBatch<'_, S> {
    /// Adds a file's calls and bytes to the first of the tasks that the file serves, whose indices
    /// are in `open`.
    pub(super) fn count(&mut self, open: &[usize], answer: &BulkAnswer) {
        if let Some(first) = open.first() {
            self.progress.tasks[*first].calls += answer.calls;
            self.progress.tasks[*first].bytes += answer.bytes;
        }
    }

    /// Switches to one call per task, in this run and in the next plans.
    pub(super) async fn fall_back(&mut self, file: &File, now: DateTime<Utc>) -> Result<()> {
        bulk::note_refused(self.stage, file.endpoint, now).await?;
        self.progress.phase = BulkPhase::FallingBack;
        Ok(())
    }

    /// Whether a missing or empty file is normal: a part after the first, a period that companies
    /// may not have reported yet, or one of the last four days. Any other empty file is a failure,
    /// because it proves nothing about its companies.
    fn may_be_missing(&self, file: &File) -> bool {
        match file.part {
            Part::Number(number) => number > 0,
            Part::Period(year, _) => year >= self.today.year() - 1,
            Part::Day(day) => (self.today - day).num_days() <= 4,
        }
    }

    /// Records the result of one file. Returns the outcome for all remaining tasks if the run must
    /// stop.
    pub(super) async fn record_file(
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
                // The previous part was the last one.
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
                let outcome = |reason: String| Outcome::of_error(&error, reason);
                if error.ends_run() {
                    self.writer.stop.get_or_insert_with(|| error.to_string());
                    stop = Some(outcome(error.to_string()));
                } else {
                    // The client has already retried the file, so later plans use one call per
                    // task.
                    bulk::note_refused(self.stage, file.endpoint, clock.now()).await?;
                    self.progress.end(open, &outcome(format!("{} {}: {error}", file.endpoint, file.name())));
                }
            }
        }
        self.progress.files_done.insert(file.name());
        Ok(stop)
    }
}
