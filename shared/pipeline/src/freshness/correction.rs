//! Corrects entries that were written while a clock was ahead, so that they do not count as fresh
//! until the day on which they claim to have been fetched.

use chrono::{DateTime, Utc};
use findata_domain::{clock::is_ahead, nyse_calendar};

use super::{Entry, UNDATED};

impl Entry {
    /// Marks an entry from a clock ahead of `latest` as never fetched, and limits its days to the
    /// sessions that have closed by then.
    pub(super) fn correct(&mut self, latest: DateTime<Utc>) {
        if is_ahead(self.fetched_at, latest) {
            self.fetched_at = UNDATED;
            // The same clock may have scheduled the refetch.
            if let Some(refetch) = &mut self.refetch {
                refetch.on = refetch.on.min(nyse_calendar::new_york_date(latest));
            }
        }
        let Some(days) = &mut self.days else { return };
        let last = nyse_calendar::last_closed_session(latest);
        days.since = days.since.map(|since| if is_ahead(since, latest) { UNDATED } else { since });
        days.to = days.to.min(last);
        days.own = days.own.map(|own| own.min(last));
        days.newest = days.newest.filter(|newest| *newest <= last);
        if days.from > days.to {
            self.days = None;
        }
    }

    /// Whether the entry was fetched while a clock was ahead, or counts as never fetched for
    /// another reason.
    pub fn is_undated(&self) -> bool {
        self.fetched_at == UNDATED
    }
}
