//! How many calls a client has in flight: as many as it takes to spend the plan's burst within
//! [`BURST_TIME`] at the latency that FMP shows, but never more than its machine can hold.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Most calls in flight of a Lambda function. Each one may hold an answer of some 100 kB; a batch
/// of 64 at once uses 40 MiB.
pub const MOST_IN_FLIGHT_IN_FUNCTION: usize = 64;
/// Most calls in flight on a laptop: more would only queue on two cores.
pub const MOST_IN_FLIGHT_ON_LAPTOP: usize = 512;

/// The time in which a burst is spent. At 750 calls a minute and 120 ms, 45 calls are in flight.
const BURST_TIME: Duration = Duration::from_secs(2);
/// The latency that is assumed before the first answer.
const EXPECTED_LATENCY: Duration = Duration::from_millis(120);
/// Fewest calls in flight: a single slow call must not delay all others.
const FEWEST: usize = 8;
/// The share of a new measurement in the average latency, as a divisor.
const SMOOTHING: u32 = 16;

/// The slots for calls in flight.
pub(super) struct CallSlots {
    free: Semaphore,
    /// Calls in a burst; `None` without a limit.
    burst: Option<u32>,
    most: usize,
    size: Mutex<Size>,
}

struct Size {
    /// Slots, free and taken.
    slots: usize,
    /// The average time of a call.
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
    /// None: the semaphore is never closed.
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
            // Taken slots are removed later, after the next calls.
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
