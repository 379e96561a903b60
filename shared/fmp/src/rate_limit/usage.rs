//! Reads how much of a key's call budget is used, without a change.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Limits, SPAN,
    lease::object_key,
    shared_state::State,
    window::{Kind, Window},
};
use findata_domain::Result;
use findata_pipeline::ports::stage::{self, Stage};

/// The use of a key's call budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BudgetUsage {
    /// Calls granted within the last minute, and the limit.
    pub calls_last_minute: u64,
    /// Maximum number of calls per minute; `None` if unlimited.
    pub limit_per_minute: Option<u32>,
    /// Calls of the UTC day.
    pub calls_today: u64,
    /// Maximum number of calls per day; `None` if unlimited.
    pub limit_per_day: Option<u64>,
    /// Bytes received within 30 days.
    pub bytes_30_days: u64,
    /// Maximum number of bytes within 30 days; `None` if unlimited.
    pub limit_bytes: Option<u64>,
    /// Until when all clients wait, because FMP responded that its limit is reached.
    pub paused_until: Option<DateTime<Utc>>,
    /// Why no client may call FMP at the moment.
    pub stopped: Option<String>,
}

impl BudgetUsage {
    /// Reads the use of a key's budget. Without a key, reads the budget of all keys together. Clients with a
    /// plan without limits record nothing.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn read(
        stage: &impl Stage,
        limits: &Limits,
        fmp_key: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let keys: Vec<String> = match fmp_key {
            Some(key) => vec![object_key(key)],
            None => stage.list("state/budget/").await?.into_iter().collect(),
        };
        let mut usage = BudgetUsage {
            limit_per_minute: limits.per_minute,
            limit_per_day: limits.per_day,
            limit_bytes: limits.bytes,
            ..BudgetUsage::default()
        };
        for key in keys {
            if let Some(state) = stage::read_json::<State>(stage, &key).await? {
                usage.add(&state, now);
            }
        }
        Ok(usage)
    }

    fn add(&mut self, state: &State, now: DateTime<Utc>) {
        if let Some(window) = &state.window {
            self.calls_last_minute += window.used(Kind::All, SPAN, Window::moment(now));
        }
        self.calls_today += state.days.get(&now.date_naive()).map_or(0, |day| day.calls);
        self.bytes_30_days += state.bytes(now);
        self.paused_until = self.paused_until.max(Some(state.paused_until).filter(|until| *until > now));
        // A stop without an end applies only to runs that have begun.
        let stop = state.stop.as_ref().filter(|stop| stop.until.is_some_and(|until| now < until));
        self.stopped = self.stopped.take().or(stop.map(|stop| stop.reason.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{request::Request, shared_state::Day},
        *,
    };

    #[test]
    fn usage_counts_the_minute_the_day_and_thirty_days() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let limits = Limits { per_minute: Some(300), ..Limits::default() };
        let mut state = State::default();
        let request = Request {
            client: 1,
            waiting: 40,
            wanted: 40,
            on_demand: true,
            begun: now,
            ..Request::default()
        };
        state.take(&request, &limits, now);
        let day = |text: &str| text.parse().unwrap();
        state.days.insert(day("2026-11-23"), Day { calls: 7, bytes: 100 });
        state.days.insert(day("2026-10-20"), Day { calls: 7, bytes: 1_000 });
        let mut usage = BudgetUsage::default();
        usage.add(&state, now);
        assert_eq!((usage.calls_last_minute, usage.calls_today, usage.bytes_30_days), (40, 40, 100));
        let mut later = BudgetUsage::default();
        later.add(&state, now + SPAN + SPAN);
        assert_eq!((later.calls_last_minute, later.calls_today), (0, 40));
        assert_eq!((later.paused_until, later.stopped), (None, None));
    }
}
