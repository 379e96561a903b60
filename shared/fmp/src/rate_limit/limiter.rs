//! One client's side: it leases permits ahead and hands them to its calls.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    AHEAD, CallContext, Limits, ObjectStore, Time, USE,
    lease::Lease,
    permit::{Counted, Permit},
    shared_object::{self, Jitter, Writer},
    shared_state::{Ask, State, Stop, Taken, step},
};
use crate::client_stats::ClientStats;
use findata_domain::{Error, Result};
use findata_pipeline::ledger;

/// How far those who wait for the same moment spread.
const SPREAD: Duration = Duration::from_millis(300);
/// Future permits and bytes that are worth a write when a piece of work ends.
const WORTH: TimeDelta = TimeDelta::seconds(1);
const WORTH_BYTES: u64 = 1 << 20;

/// Calls of one run, where they are limited.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct RunCalls {
    /// Made or about to be made.
    taken: u64,
}

/// The budget as one client sees it.
pub(crate) struct RateLimiter {
    limits: Limits,
    pub(super) shelf: Box<dyn ObjectStore>,
    pub(super) time: Box<dyn Time>,
    chance: Jitter,
    /// Knows the calls under way, which others will follow.
    stats: Arc<ClientStats>,
    local: Mutex<Lease>,
    /// One caller asks for all.
    turn: tokio::sync::Mutex<()>,
    /// Callers without a permit.
    waiting: AtomicU64,
    /// These, and those whose permit's moment has not come.
    asking: AtomicU64,
}

impl RateLimiter {
    pub(crate) fn new(
        limits: Limits,
        key: &str,
        shelf: Box<dyn ObjectStore>,
        time: Box<dyn Time>,
        stats: Arc<ClientStats>,
    ) -> Self {
        let (local, turn) = (Mutex::new(Lease::of(key)), tokio::sync::Mutex::default());
        let (waiting, asking) = (AtomicU64::new(0), AtomicU64::new(0));
        RateLimiter { limits, shelf, time, chance: Jitter::new(), stats, local, turn, waiting, asking }
    }

    /// With other chances, the same for the same seed.
    #[cfg(test)]
    pub(super) fn with_seed(self, seed: u64) -> Self {
        RateLimiter { chance: Jitter::of(seed), ..self }
    }

    /// The same client, with the objects somewhere else.
    pub(crate) fn on(self, shelf: Box<dyn ObjectStore>) -> Self {
        RateLimiter { shelf, ..self }
    }

    /// Begins a piece of work: what ended the one before may have passed.
    pub(crate) fn begin(&self, work: &CallContext) {
        let mut local = self.local();
        if local.work.as_ref().is_none_or(|before| before.run != work.run) {
            // Of the other run; whoever ended that gave them back.
            local.credit = 0;
        }
        local.ended = None;
        local.work = Some(work.clone());
    }

    /// Another key has another budget.
    pub(crate) fn use_key(&self, key: &str) {
        let mut local = self.local();
        let (work, credit) = (local.work.take(), local.credit);
        *local = Lease { work, credit, ..Lease::of(key) };
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    /// `RateLimiter` and `Stop` when none may be made in this run; the stage's own.
    pub(crate) async fn permit(&self) -> Result<Permit<'_>> {
        if !self.limits.any() && self.most().is_none() {
            return Ok(Permit { budget: self, moment: None, of_run: false, held: false });
        }
        let _asking = Counted::new(&self.asking);
        loop {
            let permit = self.reserved().await?;
            // Else its moment went by while this call was not woken.
            if permit.comes().await {
                return Ok(permit);
            }
        }
    }

    async fn reserved(&self) -> Result<Permit<'_>> {
        let _waiting = Counted::new(&self.waiting);
        loop {
            match self.reserve() {
                Some(permit) => return Ok(permit),
                None => self.refill().await?,
            }
        }
    }

    /// Notes bytes that came.
    pub(crate) fn received(&self, bytes: u64) {
        if self.limits.any() {
            self.local().used.bytes += bytes;
        }
    }

    /// FMP said that its limit is reached: everybody pauses.
    pub(crate) async fn slow(&self, pause: Duration) {
        if !self.limits.any() {
            return;
        }
        let pause = TimeDelta::from_std(pause).unwrap_or_default();
        let slowed = self.change(|state, now| {
            state.slow(pause, now);
            ((), true)
        });
        if let Err(error) = slowed.await {
            tracing::warn!(%error, "others do not learn that FMP's limit is reached");
        }
    }

    /// FMP said that no call will work: nobody makes one.
    pub(crate) async fn stop(&self, error: &Error) {
        // One call tells it for all that were under way.
        if !self.limits.any() || self.local().ended.replace(error.clone()).is_some() {
            return;
        }
        let stopped = self.change(|state, now| {
            state.stop = Some(Stop::of(error, now));
            ((), true)
        });
        if let Err(error) = stopped.await {
            tracing::warn!(%error, "others do not learn that FMP refuses the key");
        }
    }

    /// Gives back what the work that ends did not use, where that is cheap.
    pub(crate) async fn finish(&self) {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.give_back().await {
            // It runs out by itself.
            tracing::debug!(%error, "permits are not given back");
        }
    }

    async fn give_back(&self) -> Result<()> {
        let (credit, run) = {
            let mut local = self.local();
            (mem::take(&mut local.credit), local.work.as_ref().map(|work| work.run.clone()))
        };
        if let Some(run) = run.filter(|_| credit > 0) {
            let back = |calls: &mut RunCalls| {
                calls.taken = calls.taken.saturating_sub(credit);
                ((), true)
            };
            shared_object::change(self.shelf.as_ref(), &ledger::calls_key(&run), self.writer(), back).await?;
        }
        if !self.limits.any() {
            return Ok(());
        }
        let counted = self.limits.per_day.is_some();
        let (rest, first, until, told) = {
            let mut local = self.local();
            let (first, until) = (local.first_of_tail(step(&self.limits)), local.until);
            let unused = !local.used.unused.is_empty() || !local.permits.is_empty();
            let ahead = until - first.max(self.time.now());
            if ahead < WORTH && local.used.bytes < WORTH_BYTES && !(unused && counted) {
                return Ok(());
            }
            (mem::take(&mut local.permits), first, until, mem::take(&mut local.used))
        };
        let goes = |back: bool, moment: DateTime<Utc>| counted || (back && moment >= first);
        let back = self.change(|state, now| {
            let back = state.give_back(first, until, now);
            let mut used = told.clone();
            rest.iter().filter(|moment| goes(back, **moment)).for_each(|moment| used.note_unused(*moment));
            state.settle(&used, now);
            (back, true)
        });
        let back = back.await?;
        let mut local = self.local();
        if back {
            local.until = first;
        }
        // Where others have later ones, these may still serve the next piece of work.
        rest.iter().filter(|moment| !goes(back, **moment)).for_each(|moment| local.put(*moment));
        Ok(())
    }

    /// A permit that is here; those whose moment has passed go.
    fn reserve(&self) -> Option<Permit<'_>> {
        let now = self.time.now();
        let mut local = self.local();
        while let Some(moment) = local.permits.front().copied()
            && moment + USE < now
        {
            local.permits.pop_front();
            local.used.note_unused(moment);
        }
        let of_run = local.most().is_some();
        if of_run && local.credit == 0 {
            return None;
        }
        let moment = if self.limits.any() { Some(local.permits.pop_front()?) } else { None };
        if of_run {
            local.credit -= 1;
        }
        Some(Permit { budget: self, moment, of_run, held: true })
    }

    /// Takes permits for all who wait, unless somebody just did.
    async fn refill(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        if let Some(error) = self.local().ended.clone() {
            return Err(error);
        }
        if self.has_permit() {
            return Ok(());
        }
        let taken = async {
            self.take_of_run().await?;
            self.take_of_key().await
        };
        taken.await.inspect_err(|error| {
            if error.ends_run() {
                self.local().ended.get_or_insert_with(|| error.clone());
            }
        })
    }

    async fn take_of_run(&self) -> Result<()> {
        let Some(work) = self.local().work.clone() else { return Ok(()) };
        let Some(most) = work.max_calls.filter(|_| self.local().credit == 0) else { return Ok(()) };
        let wanted = self.waiting.load(Relaxed).max(1);
        let key = ledger::calls_key(&work.run);
        let credit = shared_object::change(self.shelf.as_ref(), &key, self.writer(), |calls: &mut RunCalls| {
            let credit = wanted.min(most.saturating_sub(calls.taken));
            calls.taken += credit;
            (credit, credit > 0)
        });
        match credit.await? {
            0 => Err(Error::Budget(format!("the limit of {most} calls is reached"))),
            credit => {
                self.local().credit += credit;
                Ok(())
            }
        }
    }

    async fn take_of_key(&self) -> Result<()> {
        if !self.limits.any() {
            return Ok(());
        }
        let until = self.local().until;
        self.sleep_until(until - AHEAD).await;
        loop {
            // One that a call gave back meanwhile.
            if self.has_permit() {
                return Ok(());
            }
            let ask = self.ask();
            let taken = self.change(|state, now| {
                let taken = state.take(&ask, &self.limits, now);
                let write = matches!(taken, Taken::Permits(_));
                (taken, write)
            });
            match taken.await? {
                Taken::Permits(lease) => {
                    let mut local = self.local();
                    local.used.subtract(&ask.used);
                    local.until = lease.until();
                    local.permits.extend(lease.moments());
                    return Ok(());
                }
                Taken::Wait(until) => {
                    self.sleep_until(until).await;
                    self.time.sleep(self.chance.part(SPREAD)).await;
                }
                Taken::Refused(error) => return Err(error),
            }
        }
    }

    fn ask(&self) -> Ask {
        let waiting = self.waiting.load(Relaxed).max(1);
        let local = self.local();
        // Each caller will make another call after this one, but where every call counts none is taken on suspicion.
        let counted = self.limits.per_day.is_some() || local.most().is_some();
        let wanted = if counted { waiting } else { self.asking.load(Relaxed).max(1) + self.stats.in_flight() };
        Ask {
            wanted: if local.most().is_some() { wanted.min(local.credit.max(1)) } else { wanted },
            on_demand: local.work.as_ref().is_none_or(|work| !work.run.is_scheduled()),
            begun: local.work.as_ref().map_or_else(|| self.time.now(), |work| work.begun),
            used: local.used.clone(),
        }
    }

    async fn change<R>(&self, mut change: impl FnMut(&mut State, DateTime<Utc>) -> (R, bool)) -> Result<R> {
        let key = self.local().key.clone();
        shared_object::change(self.shelf.as_ref(), &key, self.writer(), |state: &mut State| {
            change(state, self.time.now())
        })
        .await
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { chance: &self.chance, time: self.time.as_ref() }
    }

    fn has_permit(&self) -> bool {
        let now = self.time.now();
        let local = self.local();
        let of_run = local.most().is_none() || local.credit > 0;
        of_run && (!self.limits.any() || local.permits.back().is_some_and(|moment| *moment + USE >= now))
    }

    fn most(&self) -> Option<u64> {
        self.local().most()
    }

    /// By the clock on which moments are, which may be set meanwhile.
    pub(super) async fn sleep_until(&self, moment: DateTime<Utc>) {
        while let Ok(left) = (moment - self.time.now()).to_std()
            && !left.is_zero()
        {
            self.time.sleep(left).await;
        }
    }

    pub(super) fn local(&self) -> MutexGuard<'_, Lease> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
