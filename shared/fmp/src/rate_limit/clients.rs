//! The clients that share the budget of a key, and the share that each has used.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::SPAN;

/// How long a client counts as active after a grant. A waiting client counts as active for this
/// long after the moment for which it waits.
const ACTIVE: TimeDelta = TimeDelta::seconds(2);
/// Maximum number of clients in the shared state. It bounds the size of the state.
const MOST: usize = 100;

/// A client that received or requested permits within the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Client {
    /// The client's random number.
    id: u32,
    /// Whether the client works for an on-demand run.
    on_demand: bool,
    /// Whether the client waits for permits.
    waits: bool,
    /// Until when the client counts as active.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    until: DateTime<Utc>,
    /// Start of the period that `calls` counts; at most one window (63 s) ago.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    since: DateTime<Utc>,
    /// Calls granted to the client in this period.
    calls: u64,
}

/// The clients that received or requested permits within the last minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Clients(Vec<Client>);

impl Clients {
    /// Drops clients without a request for one window (63 s), and clients of a machine with a wrong
    /// clock.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        let recent = now - SPAN..now + SPAN + ACTIVE * 2;
        self.0
            .retain(|client| client.until < recent.end && client.until.max(client.since) > recent.start);
        for client in self.0.iter_mut().filter(|client| !(now - SPAN..now + SPAN).contains(&client.since)) {
            (client.since, client.calls) = (now, 0);
        }
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// Whether a client requested permits within the last minute.
    pub(super) fn knows(&self, id: u32) -> bool {
        self.0.iter().any(|client| client.id == id)
    }

    /// The number of clients that work for on-demand or for scheduled runs. The client `id` is
    /// always included.
    pub(super) fn count(&self, id: u32, on_demand: bool) -> u64 {
        let others = self.0.iter().filter(|client| client.id != id && client.on_demand == on_demand);
        others.count() as u64 + 1
    }

    /// Until when clients of the given kind of run count as active: the latest time of all clients.
    /// `None` if no such client is active.
    pub(super) fn active_until(&self, on_demand: bool, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_kind = self.0.iter().filter(|client| client.on_demand == on_demand);
        of_kind.map(|client| client.until).max().filter(|until| *until > now)
    }

    /// How many calls of its share a client may still take, and until when this restriction
    /// applies. `None` unless another client for the same kind of run waits and has used less than
    /// its share of the limit.
    pub(super) fn rest_of_share(
        &self,
        id: u32,
        on_demand: bool,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Option<(u64, DateTime<Utc>)> {
        let share = limit.div_ceil(self.count(id, on_demand));
        let goes_first = |client: &&Client| {
            let is_other = client.id != id && client.on_demand == on_demand;
            is_other && client.waits && client.until > now && client.calls < share
        };
        let until = self.0.iter().filter(goes_first).map(|client| client.until).max()?;
        let own = self.0.iter().find(|client| client.id == id)?;
        Some((share.saturating_sub(own.calls), until.min(own.since + SPAN))).filter(|(_, until)| *until > now)
    }

    /// Records a grant of `calls` permits to a client.
    pub(super) fn granted(&mut self, id: u32, on_demand: bool, calls: u64, now: DateTime<Utc>) {
        let before = self.remove(id);
        let (since, earlier) = before.map_or((now, 0), |client| (client.since, client.calls));
        let until = now + ACTIVE;
        self.0.push(Client {
            id,
            on_demand,
            waits: false,
            until,
            since,
            calls: earlier + calls,
        });
    }

    /// Records that a client waits until a moment. Returns `false` if the state contained this
    /// already, which saves a write.
    pub(super) fn waits(
        &mut self,
        id: u32,
        on_demand: bool,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> bool {
        let before = self.remove(id);
        let is_known = before.is_some_and(|client| client.waits && client.until >= until);
        let (since, calls) = before.map_or((now, 0), |client| (client.since, client.calls));
        self.0.push(Client {
            id,
            on_demand,
            waits: true,
            until: until + ACTIVE,
            since,
            calls,
        });
        !is_known
    }

    fn remove(&mut self, id: u32) -> Option<Client> {
        let place = self.0.iter().position(|client| client.id == id)?;
        Some(self.0.remove(place))
    }
}
