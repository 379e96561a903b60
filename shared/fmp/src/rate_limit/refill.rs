//! Takes permits from the shared objects of the run and the key, and returns unused permits.

use std::{mem, sync::atomic::Ordering::Relaxed};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    MAX_LEAD, RateLimiter, USE,
    request::{Decision, Request},
};
use crate::failure::Failure;
use findata_domain::{Error, Result};
use findata_pipeline::ledger;

/// How often a waiting client repeats its request, in case other clients have returned permits.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// At the end of an invocation, fewer bytes than this are not worth a write to the shared object.
const WORTH_REPORTING: u64 = 1 << 20;

/// The shared object of a run with a call limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct RunCalls {
    /// Calls made, plus calls that clients have taken and not made yet.
    taken: u64,
}

impl RateLimiter {
    /// Takes permits for all waiting callers. Returns at once if another caller has taken some.
    pub(super) async fn refill(&self) -> Result<(), Failure> {
        let _only_one = self.refilling.lock().await;
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

    /// Takes calls for all waiting callers from the run's call limit, if the run has one.
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
            0 => Err(Failure::Local(Error::Budget(format!("the run's limit of {most} calls is reached")))),
            taken => {
                self.lease().run_permits += taken;
                Ok(())
            }
        }
    }

    /// Takes permits from the shared budget of the key. Waits until there are some.
    async fn take_from_key(&self) -> Result<(), Failure> {
        if !self.limits.any() {
            return Ok(());
        }
        loop {
            // A cancelled call may have returned its permit in the meantime.
            if self.has_permit() {
                return Ok(());
            }
            let request = self.request();
            let mut decided_at = self.time.now();
            let decision = self.change_state(|state, now| {
                decided_at = now;
                let (decision, written) = state.take(&request, &self.limits, now);
                ((decision, written, state.is_paced(now)), written)
            });
            let (decision, written, is_paced) = decision.await?;
            self.note_paced(is_paced);
            if written {
                self.lease().unreported.subtract(&request.unreported);
            }
            match decision {
                Decision::Granted(grant) => {
                    let took = self.time.now() - decided_at;
                    let mut lease = self.lease();
                    lease.lead = if took > USE / 2 { took.min(MAX_LEAD) } else { TimeDelta::zero() };
                    lease.put(grant);
                    return Ok(());
                }
                Decision::Wait(until, spread) => {
                    self.sleep_until(until.min(decided_at + LOOK_AGAIN)).await;
                    self.time.sleep(self.jitter.part_of(spread)).await;
                }
                Decision::Refused(failure) => return Err(failure),
            }
        }
    }

    fn request(&self) -> Request {
        let waiting = self.waiting.load(Relaxed).max(1);
        let lease = self.lease();
        // Another call probably follows each call in flight, so the request includes permits for
        // these calls. With a limit per day or per run, the request includes none for them, because
        // other clients could not use these permits in the meantime.
        let counted = self.limits.per_day.is_some() || lease.max_calls().is_some();
        let wanted = if counted { waiting } else { waiting + self.stats.in_flight() };
        let most = lease.max_calls().map_or(u64::MAX, |_| lease.run_permits.max(1));
        let context = lease.context.as_ref();
        Request {
            client: self.client,
            waiting: waiting.min(most),
            wanted: wanted.min(most),
            on_demand: context.is_none_or(|context| !context.run.is_scheduled()),
            begun: context.map_or_else(|| self.time.now(), |context| context.begun),
            lead: lease.lead,
            unreported: lease.unreported.clone(),
        }
    }

    /// Ends an invocation: returns unused permits to the shared objects.
    pub(crate) async fn finish(&self) {
        let _only_one = self.refilling.lock().await;
        if let Err(error) = self.give_back().await {
            // Harmless: the permits expire.
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
        let unreported = {
            let mut lease = self.lease();
            lease.give_up();
            lease.unreported.clone()
        };
        if unreported.unused.is_empty() && unreported.bytes < WORTH_REPORTING {
            return Ok(());
        }
        let report = self.change_state(|state, now| {
            state.settle(&unreported, &self.limits, now);
            ((), true)
        });
        report.await?;
        self.lease().unreported.subtract(&unreported);
        Ok(())
    }
}
