//! The queue on SQS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, config::retry::RetryConfig, types::SendMessageBatchRequestEntry};

use super::{SENDS, failure};
use findata_domain::{Error, Result};
use findata_pipeline::{plan::BatchMessage, ports::queue::Queue};

/// What one request may hold: ten messages, a mebibyte in all (SQS quotas); some room is left for the envelope.
const MOST_MESSAGES: usize = 10;
const MOST_BYTES: usize = 1_000_000;

/// A queue by its address.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue at that address, not called yet.
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(SENDS);
        let config = aws_sdk_sqs::config::Builder::from(config).retry_config(retry).build();
        SqsQueue { client: Client::from_conf(config), url: url.into() }
    }

    /// Sends some messages; those that were not taken, which an answer of success can still name.
    async fn send_once(&self, bodies: &[String]) -> Result<Vec<String>> {
        let entry = |(i, body): (usize, &String)| {
            let entry = SendMessageBatchRequestEntry::builder().id(i.to_string()).message_body(body);
            entry.build().map_err(|e| Error::Stop(format!("cannot write a message: {e}")))
        };
        let entries = bodies.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let sent = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        let sent = sent.map_err(|e| failure(&self.url, "sqs:SendMessage", e))?;
        let mut left = Vec::new();
        for refused in sent.failed {
            let reason = refused.message.unwrap_or_default();
            if refused.sender_fault {
                return Err(Error::Stop(format!("{} refuses a message: {}: {reason}", self.url, refused.code)));
            }
            tracing::warn!(code = refused.code, reason, "the queue did not take a message");
            left.extend(refused.id.parse().ok().and_then(|i: usize| bodies.get(i)).cloned());
        }
        Ok(left)
    }
}

impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        let bodies = messages.iter().map(|message| {
            serde_json::to_string(message).map_err(|e| Error::Stop(format!("cannot write a message: {e}")))
        });
        for mut left in packed(bodies.collect::<Result<_>>()?) {
            let mut pause = Duration::from_millis(100);
            let mut sends = 0;
            while !left.is_empty() {
                left = self.send_once(&left).await?;
                sends += 1;
                if !left.is_empty() && sends == SENDS {
                    return Err(Error::retry(format!("{} does not take {} messages", self.url, left.len())));
                }
                if !left.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }
}

/// Messages by request.
fn packed(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut packs: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for body in bodies {
        match packs.last_mut() {
            Some(pack) if pack.len() < MOST_MESSAGES && bytes + body.len() <= MOST_BYTES => {
                bytes += body.len();
                pack.push(body);
            }
            _ => {
                bytes = body.len();
                packs.push(vec![body]);
            }
        }
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_ten_messages_and_a_mebibyte() {
        let sizes = |bodies: Vec<String>| packed(bodies).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec!["a".into(); 23]), [10, 10, 3]);
        assert_eq!(sizes(vec!["b".repeat(400_000); 5]), [2, 2, 1]);
        assert!(packed(Vec::new()).is_empty());
    }
}
