//! The batch queue, implemented on SQS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, config::retry::RetryConfig, types::SendMessageBatchRequestEntry};

use super::{MAX_ATTEMPTS, failure};
use findata_domain::{Error, Result};
use findata_pipeline::{
    plan::BatchMessage,
    ports::queue::{Queue, Redelivery},
};

/// Maximum number of messages that SQS accepts in one request.
const MAX_MESSAGES: usize = 10;
/// Maximum total size of the messages in one request, in bytes. SQS accepts one mebibyte per
/// request. The difference leaves room for the rest of the request.
const MAX_BYTES: usize = 1_000_000;
/// Maximum time in seconds for which SQS hides a message.
const MAX_VISIBILITY: i32 = 43_200;

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// Creates a client for the queue at `url`. Sends no request.
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
        let config = aws_sdk_sqs::config::Builder::from(config).retry_config(retry).build();
        SqsQueue { client: Client::from_conf(config), url: url.into() }
    }

    /// Sends messages in one request. Returns the messages that SQS did not accept, because a
    /// successful response can still report failures of single messages.
    async fn send_once(&self, bodies: &[String]) -> Result<Vec<String>> {
        let entry = |(i, body): (usize, &String)| {
            let entry = SendMessageBatchRequestEntry::builder().id(i.to_string()).message_body(body);
            entry.build().map_err(|e| Error::Stop(format!("cannot serialize a batch message: {e}")))
        };
        let entries = bodies.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let sent = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await;
        let sent = sent.map_err(|e| failure(&self.url, "sqs:SendMessage", e))?;
        let mut unsent = Vec::new();
        for rejected in sent.failed {
            let reason = rejected.message.unwrap_or_default();
            if rejected.sender_fault {
                return Err(Error::Stop(format!(
                    "{} rejected a message: {}: {reason}",
                    self.url, rejected.code
                )));
            }
            tracing::warn!(code = rejected.code, reason, "SQS did not accept a message; sending it again");
            unsent.extend(rejected.id.parse().ok().and_then(|i: usize| bodies.get(i)).cloned());
        }
        Ok(unsent)
    }
}

impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        let bodies = messages.iter().map(|message| {
            serde_json::to_string(message)
                .map_err(|e| Error::Stop(format!("cannot serialize a batch message: {e}")))
        });
        for mut unsent in group_into_requests(bodies.collect::<Result<_>>()?) {
            let mut pause = Duration::from_millis(100);
            let mut sends = 0;
            while !unsent.is_empty() {
                unsent = self.send_once(&unsent).await?;
                sends += 1;
                if !unsent.is_empty() && sends == MAX_ATTEMPTS {
                    return Err(Error::retry(format!(
                        "{} did not accept {} messages after {MAX_ATTEMPTS} attempts",
                        self.url,
                        unsent.len()
                    )));
                }
                if !unsent.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }
}

impl Redelivery for SqsQueue {
    async fn deliver_again(&self, receipt: &str, pause: Duration) -> Result<()> {
        let seconds = i32::try_from(pause.as_secs()).unwrap_or(MAX_VISIBILITY).min(MAX_VISIBILITY);
        let changed = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await;
        changed.map(|_| ()).map_err(|e| failure(&self.url, "sqs:ChangeMessageVisibility", e))
    }
}

/// Groups message bodies into requests within the limits of SQS. Keeps their order.
fn group_into_requests(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut requests: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for body in bodies {
        match requests.last_mut() {
            Some(request) if request.len() < MAX_MESSAGES && bytes + body.len() <= MAX_BYTES => {
                bytes += body.len();
                request.push(body);
            }
            _ => {
                bytes = body.len();
                requests.push(vec![body]);
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_at_most_ten_messages_and_one_mebibyte() {
        let sizes =
            |bodies: Vec<String>| group_into_requests(bodies).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec!["a".into(); 23]), [10, 10, 3]);
        assert_eq!(sizes(vec!["b".repeat(400_000); 5]), [2, 2, 1]);
        assert!(group_into_requests(Vec::new()).is_empty());
    }
}
