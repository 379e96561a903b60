//! Limits the calls in flight of a client. The limit follows FMP's measured latency, so that a
//! burst of the plan's calls takes [`BURST_TIME`]. It never exceeds what the machine can handle.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Maximum number of calls in flight in a Lambda function. A response may take some 100 kB of
/// memory, and 64 calls in flight use 40 MiB.
pub const MOST_IN_FLIGHT_IN_FUNCTION: usize = 64;
/// Maximum number of calls in flight on a laptop. With two cores, more calls would not be faster.
pub const MOST_IN_FLIGHT_ON_LAPTOP: usize = 512;

/// How long a burst should take. With 750 calls a minute and a latency of 120 ms, this results in
/// 45 calls in flight.
const BURST_TIME: Duration = Duration::from_secs(2);
/// The assumed latency before the first response.
const EXPECTED_LATENCY: Duration = Duration::from_millis(120);
/// Smallest limit on calls in flight. A single slow call must not delay all others.
const FEWEST: usize = 8;
/// A new measurement contributes 1/`SMOOTHING` to the average latency.
const SMOOTHING: u32 = 16;

/// The slots for calls in flight.
pub(super) struct CallSlots {
    free: Semaphore,
    /// Number of calls in a burst; `None` without a limit.
    burst: Option<u32>,
    most: usize,
    size: Mutex<Size>,
}

struct Size {
    /// Number of slots, free and taken.
    slots: usize,
    /// The average duration of a call.
    latency: Duration,
}

impl CallSlots {
    pub(super) fn new(burst: Option<u32>, most: usize) -> Self {
        let most = most.max(1);
        let slots = slots(burst, EXPECTED_LATENCY, most);
        CallSlots {
            free: Semaphore::new(slots),
            burst,
            most,
            size: Mutex::new(Size { slots, latency: EXPECTED_LATENCY }),
        }
    }

    /// The largest number of slots.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Waits for a free slot.
    ///
    /// # Errors
    /// Never fails, because the semaphore is never closed.
    pub(super) async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.free.acquire().await
    }

    /// Records how long a call took, and adds or removes slots accordingly.
    pub(super) fn record(&self, took: Duration) {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        size.latency = (size.latency * (SMOOTHING - 1) + took) / SMOOTHING;
        let wanted = slots(self.burst, size.latency, self.most);
        if wanted > size.slots {
            self.free.add_permits(wanted - size.slots);
            size.slots = wanted;
        } else {
            // Only free slots are removed now. The next calls to `record` remove the others.
            size.slots -= self.free.forget_permits(size.slots - wanted);
        }
    }
}

fn slots(burst: Option<u32>, latency: Duration, most: usize) -> usize {
    let wanted = burst.map_or(most, |burst| {
        (f64::from(burst) * latency.as_secs_f64() / BURST_TIME.as_secs_f64()).ceil() as usize
    });
    wanted.max(FEWEST).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_follow_the_latency_within_bounds() {
        let slots = CallSlots::new(Some(750), 64);
        assert_eq!(slots.free.available_permits(), 45);
        let taken = slots.acquire().await;
        (0..100).for_each(|_| slots.record(Duration::from_millis(10)));
        assert_eq!(slots.free.available_permits() + 1, FEWEST);
        drop(taken);
        (0..100).for_each(|_| slots.record(Duration::from_millis(60)));
        assert_eq!(slots.free.available_permits(), 23);
        (0..100).for_each(|_| slots.record(Duration::from_secs(5)));
        assert_eq!(slots.free.available_permits(), 64);
        assert_eq!(CallSlots::new(None, 512).free.available_permits(), 512);
        assert_eq!(CallSlots::new(Some(3_000), 4).free.available_permits(), 4);
    }
}
