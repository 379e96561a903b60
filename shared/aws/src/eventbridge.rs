//! The bus on EventBridge.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    config::retry::RetryConfig,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use serde_json::Value;

use super::{SENDS, failure};
use findata_domain::{Error, Result};
use findata_pipeline::ports::bus::{Bus, Event, SOURCE};

/// A bus by its name.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    name: String,
}

impl EventBridge {
    /// The bus of that name, not called yet.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(SENDS);
        let config = aws_sdk_eventbridge::config::Builder::from(config).retry_config(retry).build();
        EventBridge { client: Client::from_conf(config), name: name.into() }
    }

    /// Puts an event of ours: its type and its content.
    ///
    /// # Errors
    /// `Config` where the bus is not there or may not be used; `Retry` when it did not take the event.
    pub async fn put(&self, detail_type: &str, detail: &Value) -> Result<()> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail.to_string())
            .build();
        let place = format!("event bus {}", self.name);
        let mut pause = Duration::from_millis(100);
        // An answer of success can still hold the failure of an entry.
        for _ in 0..SENDS {
            let put = self.client.put_events().entries(entry.clone()).send().await;
            let put = put.map_err(|e| failure(&place, "events:PutEvents", e))?;
            let code = |entry: &PutEventsResultEntry| entry.error_code.clone();
            match put.entries.unwrap_or_default().iter().find_map(code) {
                None => return Ok(()),
                Some(code) => tracing::warn!(bus = self.name, code, "the bus did not take an event"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::retry(format!("{place} takes no event")))
    }
}

impl Bus for EventBridge {
    async fn publish(&self, event: Event) -> Result<()> {
        let written = serde_json::to_value(&event).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        let kind = written["detail-type"].as_str().unwrap_or_default();
        self.put(kind, &written["detail"]).await
    }
}
