//! The stage: where files land and the ledger is kept. Its conditional writes are the project's only locks.

pub mod memory;

use std::future::Future;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use findata_domain::{Error, Result};

/// An object and the tag that a conditional write needs.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content.
    pub body: Bytes,
    /// Changes with the content.
    pub etag: String,
}

/// Object storage with conditional writes. A reader sees an object whole or not at all.
///
/// Keys are `/`-separated and made of validated names only.
pub trait Stage: Send + Sync {
    /// The object, or `None` where there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Object>>> + Send;

    /// Writes it on condition that the key is free; `false` when somebody was first.
    fn put_if_absent(&self, key: &str, body: Bytes) -> impl Future<Output = Result<bool>> + Send;

    /// Writes it on condition that the object still has this tag; `false` when it has changed.
    fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Keys that begin with `prefix`, in order.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Writes so far by this handle and its clones, for the cost estimate.
    fn puts(&self) -> u64 {
        0
    }
}

/// Reads a JSON object.
///
/// # Errors
/// `Stop` when it is there and is not what it should be; the stage's own errors.
pub async fn read_json<T: DeserializeOwned>(stage: &impl Stage, key: &str) -> Result<Option<T>> {
    let Some(object) = stage.get(key).await? else { return Ok(None) };
    from_json(key, &object.body).map(Some)
}

/// A value from an object's JSON.
///
/// # Errors
/// `Stop` when it is not what it should be.
pub fn from_json<T: DeserializeOwned>(key: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| Error::Stop(format!("{key} on the stage is damaged: {e}")))
}

/// Writes a JSON object once; `false` when it was there already.
///
/// # Errors
/// The stage's own errors.
pub async fn write_json_once<T: Serialize>(stage: &impl Stage, key: &str, value: &T) -> Result<bool> {
    stage.put_if_absent(key, to_json(value)?).await
}

/// Changes a JSON object that others may change at the same time; what is not there yet begins as its default.
///
/// # Errors
/// `Retry` when others keep changing it; the stage's own.
pub async fn change_json<T>(stage: &impl Stage, key: &str, change: impl Fn(&mut T)) -> Result<()>
where
    T: Default + Serialize + DeserializeOwned,
{
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let before = stage.get(key).await?;
        let mut value: T = match &before {
            None => T::default(),
            Some(object) => from_json(key, &object.body)?,
        };
        change(&mut value);
        let body = to_json(&value)?;
        let written = match before {
            None => stage.put_if_absent(key, body).await?,
            Some(object) => stage.put_if_match(key, body, &object.etag).await?,
        };
        if written {
            return Ok(());
        }
    }
    Err(Error::retry(format!("{key} on the stage kept changing")))
}

/// A value as JSON bytes.
///
/// # Errors
/// `Stop` when it cannot be written as JSON.
pub fn to_json<T: Serialize>(value: &T) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))
}
