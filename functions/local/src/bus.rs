//! The bus in one process: whoever started the run is the one who listens.

use std::sync::{Mutex, PoisonError};

use findata_domain::Result;
use findata_pipeline::ports::bus::{Bus, Event};

/// Keeps what was announced.
#[derive(Debug, Default)]
pub struct LocalBus(Mutex<Vec<Event>>);

impl LocalBus {
    /// Everything announced so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Bus for LocalBus {
    async fn publish(&self, event: Event) -> Result<()> {
        tracing::info!(?event, "announced");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }
}
