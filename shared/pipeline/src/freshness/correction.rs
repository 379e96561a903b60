//! Corrects entries that were written while a clock was ahead. Without the correction, such an
//! entry would count as fresh until its wrong fetch time has passed.

use chrono::{DateTime, Utc};
use findata_domain::{clock::is_ahead, nyse_calendar};

use super::{Entry, UNDATED};

impl Entry {
    /// Marks the entry as never fetched if its fetch time is ahead of `latest`. Limits its days to
    /// the sessions that have closed by `latest`.
    pub(super) fn correct(&mut self, latest: DateTime<Utc>) {
        if is_ahead(self.fetched_at, latest) {
            self.fetched_at = UNDATED;
            // The clock that was ahead may also have scheduled the refetch, so limit its day to
            // today.
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

    /// Returns whether the entry counts as never fetched, for example because a clock was ahead
    /// when it was written.
    pub fn is_undated(&self) -> bool {
        self.fetched_at == UNDATED
    }
}
