//! An in-process event bus. It only records events, because the caller that starts a run waits for
//! the run and needs no notification.

use std::sync::{Mutex, PoisonError};

use findata_domain::Result;
use findata_pipeline::ports::bus::{Bus, Event};

/// Records published events.
#[derive(Debug, Default)]
pub struct LocalBus(Mutex<Vec<Event>>);

impl LocalBus {
    /// All events published so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Bus for LocalBus {
    async fn publish(&self, event: Event) -> Result<()> {
        tracing::info!(?event, "published");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }
}
