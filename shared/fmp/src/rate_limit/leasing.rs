//! Leases permits from the shared objects, ahead of their use, and returns unused ones.

use std::{mem, sync::atomic::Ordering::Relaxed, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    AHEAD, RateLimiter,
    request::{Decision, Request},
    shared_state::step,
};
use crate::failure::Failure;
use findata_domain::{Error, Result};
use findata_pipeline::ledger;

/// Clients that wait for the same moment spread over this time.
const SPREAD: Duration = Duration::from_millis(300);
/// Future permits and bytes that are worth a write when an invocation ends.
const WORTH_RETURNING: TimeDelta = TimeDelta::seconds(1);
const WORTH_REPORTING: u64 = 1 << 20;

/// The calls of one run that has a call limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct RunCalls {
    /// Calls made, and calls that clients hold permits for.
    taken: u64,
}

impl RateLimiter {
    /// Leases permits for all waiting callers, unless another caller just did.
    pub(super) async fn refill(&self) -> Result<(), Failure> {
        let _only_one = self.leasing.lock().await;
        if let Some(failure) = self.lease().halted.clone() {
            return Err(failure);
        }
        if self.has_permit() {
            return Ok(());
        }
        let refilled = async {
            self.take_from_run().await?;
            self.take_from_key().await
        };
        refilled.await.inspect_err(|failure| {
            if failure.ends_run() {
                self.lease().halted.get_or_insert_with(|| failure.clone());
            }
        })
    }

    /// Takes calls from the call limit of the run.
    async fn take_from_run(&self) -> Result<(), Failure> {
        let Some(context) = self.lease().context.clone() else {
            return Ok(());
        };
        let Some(most) = context.max_calls.filter(|_| self.lease().run_permits == 0) else {
            return Ok(());
        };
        let wanted = self.waiting.load(Relaxed).max(1);
        let key = ledger::calls_key(&context.run);
        let taken = self.change(&key, |calls: &mut RunCalls| {
            let taken = wanted.min(most.saturating_sub(calls.taken));
            calls.taken += taken;
            (taken, taken > 0)
        });
        match taken.await? {
            0 => Err(Failure::Local(Error::Budget(format!("the limit of {most} calls is reached")))),
            taken => {
                self.lease().run_permits += taken;
                Ok(())
            }
        }
    }

    /// Takes permits from the budget of the key.
    async fn take_from_key(&self) -> Result<(), Failure> {
        if !self.limits.any() {
            return Ok(());
        }
        let until = self.lease().until;
        self.sleep_until(until - AHEAD).await;
        loop {
            // A call may have returned its permit meanwhile.
            if self.has_permit() {
                return Ok(());
            }
            let request = self.request();
            let decision = self.change_state(|state, now| {
                let decision = state.take(&request, &self.limits, now);
                let write = matches!(decision, Decision::Granted(_));
                (decision, write)
            });
            match decision.await? {
                Decision::Granted(grant) => {
                    let mut lease = self.lease();
                    lease.unreported.subtract(&request.unreported);
                    lease.until = grant.until();
                    lease.permits.extend(grant.moments());
                    return Ok(());
                }
                Decision::Wait(until) => {
                    self.sleep_until(until).await;
                    self.time.sleep(self.jitter.part_of(SPREAD)).await;
                }
                Decision::Refused(failure) => return Err(failure),
            }
        }
    }

    fn request(&self) -> Request {
        let waiting = self.waiting.load(Relaxed).max(1);
        let lease = self.lease();
        // Every caller probably makes another call after this one. Where each call counts, none is
        // leased on a guess.
        let counted = self.limits.per_day.is_some() || lease.max_calls().is_some();
        let wanted = if counted {
            waiting
        } else {
            self.requesting.load(Relaxed).max(1) + self.stats.in_flight()
        };
        let context = lease.context.as_ref();
        Request {
            wanted: if lease.max_calls().is_some() {
                wanted.min(lease.run_permits.max(1))
            } else {
                wanted
            },
            on_demand: context.is_none_or(|context| !context.run.is_scheduled()),
            begun: context.map_or_else(|| self.time.now(), |context| context.begun),
            unreported: lease.unreported.clone(),
        }
    }

    /// Ends an invocation: returns unused permits if that is cheap.
    pub(crate) async fn finish(&self) {
        let _only_one = self.leasing.lock().await;
        if let Err(error) = self.give_back().await {
            // The permits expire.
            tracing::debug!(%error, "cannot return unused permits");
        }
    }

    async fn give_back(&self) -> Result<()> {
        let (run_permits, run) = {
            let mut lease = self.lease();
            (
                mem::take(&mut lease.run_permits),
                lease.context.as_ref().map(|context| context.run.clone()),
            )
        };
        if let Some(run) = run.filter(|_| run_permits > 0) {
            let key = ledger::calls_key(&run);
            let returned = self.change(&key, |calls: &mut RunCalls| {
                calls.taken = calls.taken.saturating_sub(run_permits);
                ((), true)
            });
            returned.await?;
        }
        if !self.limits.any() {
            return Ok(());
        }
        let counted = self.limits.per_day.is_some();
        let (permits, first, until, unreported) = {
            let mut lease = self.lease();
            let (first, until) = (lease.first_of_tail(step(&self.limits)), lease.until);
            let has_unused = !lease.unreported.unused.is_empty() || !lease.permits.is_empty();
            let ahead = until - first.max(self.time.now());
            let report = lease.unreported.bytes >= WORTH_REPORTING || (has_unused && counted);
            if ahead < WORTH_RETURNING && !report {
                return Ok(());
            }
            (mem::take(&mut lease.permits), first, until, mem::take(&mut lease.unreported))
        };
        let is_returned =
            |tail_returned: bool, moment: DateTime<Utc>| counted || (tail_returned && moment >= first);
        let tail_returned = self.change_state(|state, now| {
            let tail_returned = state.give_back(first, until, now);
            let mut report = unreported.clone();
            let returned = permits.iter().filter(|moment| is_returned(tail_returned, **moment));
            returned.for_each(|moment| report.note_unused(*moment));
            state.settle(&report, now);
            (tail_returned, true)
        });
        let tail_returned = tail_returned.await?;
        let mut lease = self.lease();
        if tail_returned {
            lease.until = first;
        }
        // If others hold later permits, these stay here for the next invocation.
        permits
            .iter()
            .filter(|moment| !is_returned(tail_returned, **moment))
            .for_each(|moment| lease.put(*moment));
        Ok(())
    }
}
