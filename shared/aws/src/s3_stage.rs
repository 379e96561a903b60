//! The stage, implemented on S3: a prefix in a bucket. It uses S3's conditional writes (`If-None-Match`, `If-Match`).

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::builders::PutObjectFluentBuilder,
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;

use findata_domain::{Error, Result};
use findata_pipeline::ports::stage::{Object, Stage};

use crate::MAX_ATTEMPTS;

/// Maximum number of attempts of a conditional write that conflicts with another write in progress (HTTP 409).
const MAX_CONFLICT_ATTEMPTS: u32 = 6;
/// Maximum number of objects that S3 deletes in one request.
const MAX_DELETED: usize = 1_000;

/// A prefix in a bucket: `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    bucket: String,
    prefix: String,
}

impl Location {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix, without slashes at its ends; empty if the location is the whole bucket.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for Location {
    type Err = Error;

    /// Parses `s3://BUCKET/PREFIX`. Accepts only names that need no escaping in URLs, IAM policies and SQL.
    fn from_str(text: &str) -> Result<Self> {
        let path = text.strip_prefix("s3://").unwrap_or_default().trim_end_matches('/');
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let bucket_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let prefix_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        let is_folder =
            |part: &str| !part.is_empty() && part.chars().all(prefix_char) && part.chars().any(|c| c != '.');
        let starts_and_ends_alphanumeric = |text: &str| {
            let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            alphanumeric(text.chars().next()) && alphanumeric(text.chars().next_back())
        };
        let valid = (3..=63).contains(&bucket.len())
            && bucket.chars().all(bucket_char)
            && starts_and_ends_alphanumeric(bucket)
            && (prefix.is_empty() || prefix.split('/').all(is_folder));
        if valid {
            Ok(Location { bucket: bucket.into(), prefix: prefix.into() })
        } else {
            Err(Error::Reject(format!(
                "{text:?} is not a valid S3 location: write it as s3://BUCKET/PREFIX, with only letters, digits, -, _, . \
                 and = in the prefix"
            )))
        }
    }
}

/// A stage on S3.
#[derive(Debug, Clone)]
pub struct S3Stage {
    client: Client,
    location: Location,
    puts: Arc<AtomicU64>,
}

impl S3Stage {
    /// Creates a client for the stage at `location`. Sends no request. Uses path-style addresses if `config` sets an
    /// endpoint URL, because a server other than AWS may not support bucket names in host names.
    pub fn new(config: &SdkConfig, location: Location) -> Self {
        let s3_config = aws_sdk_s3::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .force_path_style(config.endpoint_url().is_some())
            .build();
        S3Stage {
            client: Client::from_conf(s3_config),
            location,
            puts: Arc::default(),
        }
    }

    /// The bucket and prefix.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Converts a key of the stage to a key of the bucket.
    fn full_key(&self, key: &str) -> String {
        let prefix = &self.location.prefix;
        if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}/{key}")
        }
    }

    /// Writes an object if `condition` holds. Returns `false` if it does not.
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: impl Fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) -> Result<bool> {
        self.puts.fetch_add(1, Relaxed);
        for attempt in 0..MAX_CONFLICT_ATTEMPTS {
            let request = self.client.put_object().bucket(&self.location.bucket).key(self.full_key(key));
            match condition(request.body(body.clone().into())).send().await {
                Ok(_) => return Ok(true),
                Err(error) => match (crate::status(&error), error.code()) {
                    // S3 responds to `If-Match` with NoSuchKey if the object no longer exists.
                    (Some(412), _) | (_, Some("NoSuchKey")) => return Ok(false),
                    // Another write to this key is in progress. A retry shows which write succeeded.
                    (Some(409), _) => tokio::time::sleep(Duration::from_millis(50 << attempt)).await,
                    _ => return Err(self.failure(key, error)),
                },
            }
        }
        Err(Error::retry(format!(
            "{}: other writers keep writing this object at the same time",
            self.full_key(key)
        )))
    }

    fn failure<E>(&self, key: &str, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let location = format!("s3://{}/{}", self.location.bucket, self.full_key(key));
        crate::failure(&location, "s3:GetObject, s3:PutObject and s3:ListBucket", error)
    }
}

impl Stage for S3Stage {
    fn puts(&self) -> u64 {
        self.puts.load(Relaxed)
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let response = self
            .client
            .get_object()
            .bucket(&self.location.bucket)
            .key(self.full_key(key))
            .send()
            .await;
        let response = match response {
            Ok(response) => response,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.failure(key, error)),
        };
        let etag = response.e_tag.unwrap_or_default();
        let body = response
            .body
            .collect()
            .await
            .map_err(|e| Error::retry(format!("{}: {e}", self.full_key(key))))?;
        Ok(Some(Object { body: body.into_bytes(), etag }))
    }

    async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
        if self.put(key, body.clone(), |request| request.if_none_match("*")).await? {
            return Ok(true);
        }
        // The first response may have been lost, so that the SDK's retry was rejected. If the object has the same
        // content, the first write succeeded.
        Ok(self.get(key).await?.is_some_and(|object| object.body == body))
    }

    async fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> Result<bool> {
        self.put(key, body, |request| request.if_match(etag)).await
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        for keys in keys.chunks(MAX_DELETED) {
            let object = |key: &String| ObjectIdentifier::builder().key(self.full_key(key)).build();
            let objects: Result<Vec<_>, _> = keys.iter().map(object).collect();
            let objects =
                objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
            let objects = objects.map_err(|e| Error::Stop(format!("cannot build a request to S3: {e}")))?;
            let request = self.client.delete_objects().bucket(&self.location.bucket).delete(objects);
            let response = request.send().await.map_err(|e| self.failure("", e))?;
            if let Some(error) = response.errors.unwrap_or_default().first() {
                let (key, message) = (error.key.as_deref().unwrap_or_default(), error.message.as_deref());
                let reason = message.unwrap_or("no reason given");
                return Err(Error::Stop(format!(
                    "cannot delete {key}: {reason}; pruning needs s3:DeleteObject"
                )));
            }
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let root = self.full_key("");
        let pages = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(self.full_key(prefix));
        let mut pages = pages.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.failure(prefix, e))?;
            let stage_key =
                |object: aws_sdk_s3::types::Object| Some(object.key?.strip_prefix(&root)?.to_owned());
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(stage_key));
        }
        // No sorting: S3 lists keys in byte order, which `Stage` requires.
        Ok(keys)
    }
}

/// Whether a bucket sends its events to EventBridge.
pub(crate) async fn sends_events(config: &SdkConfig, bucket: &str) -> Result<bool> {
    let stage = S3Stage::new(config, Location { bucket: bucket.to_owned(), prefix: String::new() });
    let response = stage.client.get_bucket_notification_configuration().bucket(bucket).send().await;
    let place = format!("s3://{bucket}");
    let response = response.map_err(|e| crate::failure(&place, "s3:GetBucketNotification", e))?;
    Ok(response.event_bridge_configuration.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_locations_that_need_no_escaping_are_accepted() {
        let location: Location = "s3://findata-prod/some/home=1/".parse().unwrap();
        assert_eq!((location.bucket(), location.prefix()), ("findata-prod", "some/home=1"));
        assert_eq!("s3://abc".parse::<Location>().unwrap().to_string(), "s3://abc/");
        for wrong in [
            "",
            "s3://",
            "s3://ab",
            "s3://Abc/x",
            "http://abc/x",
            "s3://abc//x",
            "s3://abc/../x",
            "s3://abc/it's",
            "s3://abc/x y",
            "s3://-abc/x",
            "s3://abc/x;drop",
        ] {
            assert!(matches!(wrong.parse::<Location>(), Err(Error::Reject(_))), "{wrong}");
        }
    }
}
