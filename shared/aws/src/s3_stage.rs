//! The stage on S3: a prefix in a bucket, with its conditional writes (`If-None-Match`, `If-Match`).

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
};
use bytes::Bytes;

use findata_domain::{Error, Result};
use findata_pipeline::ports::stage::{Object, Stage};

use crate::SENDS;

/// Sends of a conditional write that another one was under way with (409).
const CONFLICTS: u32 = 6;

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

    /// The prefix, without a slash at either end; empty for the bucket itself.
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

    /// Takes names that need no escape in an address, a policy or SQL.
    fn from_str(text: &str) -> Result<Self> {
        let path = text.strip_prefix("s3://").unwrap_or_default().trim_end_matches('/');
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let of_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        let part = |part: &str| !part.is_empty() && part.chars().all(of_part) && part.chars().any(|c| c != '.');
        let ends = |text: &str| {
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            edge(text.chars().next()) && edge(text.chars().next_back())
        };
        let right = (3..=63).contains(&bucket.len())
            && bucket.chars().all(of_bucket)
            && ends(bucket)
            && (prefix.is_empty() || prefix.split('/').all(part));
        if right {
            Ok(Location { bucket: bucket.into(), prefix: prefix.into() })
        } else {
            Err(Error::Reject(format!(
                "{text:?} is no place on S3: write it as s3://BUCKET/PREFIX, with letters, digits, -, _, . and = in the prefix"
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
    /// A stage that is not called yet. An address of its own for the SDK means another server than AWS's, which may not
    /// know buckets as host names.
    pub fn new(config: &SdkConfig, location: Location) -> Self {
        let own = aws_sdk_s3::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(SENDS))
            .force_path_style(config.endpoint_url().is_some())
            .build();
        S3Stage { client: Client::from_conf(own), location, puts: Arc::default() }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    fn full(&self, key: &str) -> String {
        let prefix = &self.location.prefix;
        if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") }
    }

    /// Writes on a condition; `false` where it does not hold.
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: impl Fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) -> Result<bool> {
        self.puts.fetch_add(1, Relaxed);
        for again in 0..CONFLICTS {
            let request = self.client.put_object().bucket(&self.location.bucket).key(self.full(key));
            match condition(request.body(body.clone().into())).send().await {
                Ok(_) => return Ok(true),
                Err(error) => match crate::status(&error) {
                    Some(412) => return Ok(false),
                    // Another write to this key is under way: whose it was shows when it is done.
                    Some(409) => tokio::time::sleep(Duration::from_millis(50 << again)).await,
                    _ => return Err(self.failure(key, error)),
                },
            }
        }
        Err(Error::retry(format!("{}: others write to it all the time", self.full(key))))
    }

    fn failure<E>(&self, key: &str, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let place = format!("s3://{}/{}", self.location.bucket, self.full(key));
        crate::failure(&place, "s3:GetObject, s3:PutObject and s3:ListBucket", error)
    }
}

impl Stage for S3Stage {
    fn puts(&self) -> u64 {
        self.puts.load(Relaxed)
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let got = self.client.get_object().bucket(&self.location.bucket).key(self.full(key)).send().await;
        let got = match got {
            Ok(got) => got,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.failure(key, error)),
        };
        let etag = got.e_tag.unwrap_or_default();
        let body = got.body.collect().await.map_err(|e| Error::retry(format!("{}: {e}", self.full(key))))?;
        Ok(Some(Object { body: body.into_bytes(), etag }))
    }

    async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
        if self.put(key, body.clone(), |request| request.if_none_match("*")).await? {
            return Ok(true);
        }
        // The answer to our own write may have been lost, and its second send refused: what is there says whose it is.
        Ok(self.get(key).await?.is_some_and(|object| object.body == body))
    }

    async fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> Result<bool> {
        match self.put(key, body, |request| request.if_match(etag)).await {
            // The object itself has gone.
            Err(Error::Stop(reason)) if reason.contains("NoSuchKey") => Ok(false),
            done => done,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let own = self.full("");
        let pages = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(self.full(prefix));
        let mut pages = pages.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.failure(prefix, e))?;
            let own_key = |object: aws_sdk_s3::types::Object| Some(object.key?.strip_prefix(&own)?.to_owned());
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(own_key));
        }
        // In bytes' order already, as the port wants it.
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_that_need_no_escape() {
        let right: Location = "s3://findata-prod/some/home=1/".parse().unwrap();
        assert_eq!((right.bucket(), right.prefix()), ("findata-prod", "some/home=1"));
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
