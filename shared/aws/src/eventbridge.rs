//! The event bus, implemented on EventBridge.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    config::retry::RetryConfig,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use serde_json::{Value, json};

use super::{MAX_ATTEMPTS, failure, s3_stage::Location};
use findata_domain::{Error, Result};
use findata_pipeline::ports::bus::{Bus, Event, SOURCE};

/// An EventBridge event bus.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    name: String,
    /// URL of the stage, for the commands in notices.
    stage: String,
}

impl EventBridge {
    /// Creates a client for the bus `name`. Sends no request.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
        let config = aws_sdk_eventbridge::config::Builder::from(config).retry_config(retry).build();
        EventBridge {
            client: Client::from_conf(config),
            name: name.into(),
            stage: String::new(),
        }
    }

    /// Sets the URL of the stage, which notices name in their commands.
    #[must_use]
    pub fn for_stage(self, stage: &Location) -> Self {
        EventBridge { stage: stage.to_string(), ..self }
    }

    /// Publishes an event with source `findata`.
    ///
    /// # Errors
    /// `Config` if the bus does not exist or access is denied; `Retry` if EventBridge rejects the event repeatedly.
    pub async fn put(&self, detail_type: &str, detail: &Value) -> Result<()> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail.to_string())
            .build();
        let place = format!("event bus {}", self.name);
        let mut pause = Duration::from_millis(100);
        // A successful response can still report that the entry failed.
        for _ in 0..MAX_ATTEMPTS {
            let put = self.client.put_events().entries(entry.clone()).send().await;
            let put = put.map_err(|e| failure(&place, "events:PutEvents", e))?;
            let code = |entry: &PutEventsResultEntry| entry.error_code.clone();
            match put.entries.unwrap_or_default().iter().find_map(code) {
                None => return Ok(()),
                Some(code) => tracing::warn!(event = detail_type, code, "EventBridge rejected the event"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::retry(format!("EventBridge rejected an event {MAX_ATTEMPTS} times: {place}")))
    }
}

impl Bus for EventBridge {
    async fn publish(&self, event: Event) -> Result<()> {
        // The bus has the name of the stack.
        let notice = event.notice(&self.name, &self.stage);
        let mut event = serde_json::to_value(&event)
            .map_err(|e| Error::Stop(format!("cannot serialize the event: {e}")))?;
        if let Some(notice) = notice {
            event["detail"]["notice"] = json!(notice);
        }
        let detail_type = event["detail-type"].as_str().unwrap_or_default();
        self.put(detail_type, &event["detail"]).await
    }
}
