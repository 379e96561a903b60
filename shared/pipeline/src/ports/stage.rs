//! The stage: object storage for landing files and the ledger. Its conditional writes replace locks
//! between functions.

pub mod memory;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use findata_domain::{Error, Result};

/// Maximum number of attempts of a compare-and-swap. An attempt fails only if another writer
/// succeeded.
const MAX_ATTEMPTS: u32 = 40;
/// Maximum pause after the first failed attempt. It grows with each attempt, up to eight times this
/// value.
const MAX_PAUSE: Duration = Duration::from_millis(40);

/// An object and its tag, which a conditional write compares.
#[derive(Debug, Clone)]
pub struct Object {
    /// The content.
    pub body: Bytes,
    /// The tag; it changes whenever the content changes.
    pub etag: String,
}

/// Object storage with conditional writes. A reader never sees a partly written object.
///
/// A key consists of validated names, separated by `/`.
pub trait Stage: Send + Sync {
    /// Reads an object, or `None` if it does not exist.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Object>>> + Send;

    /// Writes an object if the key does not exist yet. Returns whether the object was written.
    fn put_if_absent(&self, key: &str, body: Bytes) -> impl Future<Output = Result<bool>> + Send;

    /// Replaces an object if it still has this tag. Returns whether the object was written.
    fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Lists the keys that begin with `prefix`, in order.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Deletes objects in the given order. Ignores keys that do not exist.
    fn delete(&self, keys: &[String]) -> impl Future<Output = Result<()>> + Send;

    /// Returns the number of writes by this handle and its clones, for the cost estimate.
    fn puts(&self) -> u64 {
        0
    }
}

/// The subset of [`Stage`] that [`compare_and_swap`] needs. Unlike `Stage`, this trait can be used
/// as a `dyn` type.
pub trait ObjectStore: Send + Sync {
    /// Reads an object, or `None` if it does not exist.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>>>;

    /// Replaces an object if it still has this tag. Without a tag, writes the object if the key
    /// does not exist yet. Returns whether the object was written.
    fn write_if<'a>(&'a self, key: &'a str, body: Bytes, etag: Option<String>)
    -> BoxFuture<'a, Result<bool>>;
}

impl<S: Stage> ObjectStore for S {
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>>> {
        Box::pin(self.get(key))
    }

    fn write_if<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        etag: Option<String>,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            match etag {
                Some(etag) => self.put_if_match(key, body, &etag).await,
                None => self.put_if_absent(key, body).await,
            }
        })
    }
}

/// Reads a JSON object, or `None` if it does not exist.
///
/// # Errors
/// `Damaged` if the object exists but cannot be parsed; the stage's errors.
pub async fn read_json<T: DeserializeOwned>(stage: &impl Stage, key: &str) -> Result<Option<T>> {
    let Some(object) = stage.get(key).await? else {
        return Ok(None);
    };
    from_json(key, &object.body).map(Some)
}

/// Reads a JSON object whose content the next runs can rebuild. A damaged object counts as absent
/// and adds a note for the user.
///
/// # Errors
/// The stage's errors.
pub async fn read_rebuildable<T: DeserializeOwned>(
    stage: &impl Stage,
    key: &str,
    notes: &mut Vec<String>,
) -> Result<Option<T>> {
    let Some(object) = stage.get(key).await? else {
        return Ok(None);
    };
    let parsed = from_json_or_none(&object.body);
    if parsed.is_none() {
        notes.push(format!("{key} on the stage was damaged: the next runs fetch its data again"));
    }
    Ok(parsed)
}

/// Parses the JSON of an object whose content the next runs can rebuild. Returns `None` if it is
/// damaged.
pub fn from_json_or_none<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Parses an object's JSON.
///
/// # Errors
/// `Damaged` if the content cannot be parsed.
pub fn from_json<T: DeserializeOwned>(key: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        let fix = match key.starts_with("state/") {
            true => "restore it from a backup, or delete it: the next run writes it again",
            false => "restore it from a backup",
        };
        Error::Damaged(format!("{key} on the stage is damaged: {e}; {fix}"))
    })
}

/// Writes a JSON object if the key does not exist yet. Returns whether the object was written.
///
/// # Errors
/// The stage's errors.
pub async fn write_json_once<T: Serialize>(stage: &impl Stage, key: &str, value: &T) -> Result<bool> {
    stage.put_if_absent(key, to_json(value)?).await
}

/// Writes a JSON object and replaces the existing object of this key, if any.
///
/// # Errors
/// `Retry` if another writer changes the object at the same time; the stage's errors.
pub async fn replace_json<T: Serialize>(stage: &impl Stage, key: &str, value: &T) -> Result<()> {
    let body = to_json(value)?;
    let written = match stage.get(key).await? {
        Some(object) if object.body == body => true,
        Some(object) => stage.put_if_match(key, body, &object.etag).await?,
        None => stage.put_if_absent(key, body).await?,
    };
    if written {
        Ok(())
    } else {
        Err(Error::retry(format!("another writer changed {key} on the stage")))
    }
}

/// Writes an object again with the same content, so that S3 announces it again. Returns whether it was written:
/// not if it does not exist, or if another writer changed it at the same time.
///
/// # Errors
/// The stage's errors.
pub async fn rewrite(stage: &impl Stage, key: &str) -> Result<bool> {
    match stage.get(key).await? {
        Some(object) => stage.put_if_match(key, object.body, &object.etag).await,
        None => Ok(false),
    }
}

/// Changes a JSON object that other writers may change at the same time. If the object does not
/// exist, `change` gets the type's default value.
///
/// `change` must be idempotent: it may run several times, even after a successful write whose
/// response was lost.
///
/// # Errors
/// `Retry` if other writers keep changing the object; `Damaged` if it cannot be parsed; the stage's
/// errors.
pub async fn change_json<T>(stage: &impl Stage, key: &str, change: impl Fn(&mut T)) -> Result<()>
where
    T: Default + Serialize + DeserializeOwned,
{
    swap(stage, key, from_json, random_pause, |value| (change(value), true)).await
}

/// Like [`change_json`], for an object whose content the next runs can rebuild: `change` gets the
/// default value for a damaged object too.
///
/// # Errors
/// `Retry` if other writers keep changing the object; the stage's errors.
pub async fn change_rebuildable<T>(stage: &impl Stage, key: &str, change: impl Fn(&mut T)) -> Result<()>
where
    T: Default + Serialize + DeserializeOwned,
{
    let parse = |_: &str, body: &[u8]| Ok(from_json_or_none(body).unwrap_or_default());
    swap(stage, key, parse, random_pause, |value| (change(value), true)).await
}

fn random_pause(longest: Duration) -> impl Future<Output = ()> {
    tokio::time::sleep(longest.mul_f64(fastrand::f64()))
}

/// Changes a JSON object by compare-and-swap. If the object does not exist, `change` gets the
/// type's default value.
///
/// `change` returns a result and whether to write the object. If another writer changed the object
/// meanwhile, `pause` waits and `change` runs again. `pause` must wait for a random part of the
/// given duration, so that the same writers do not collide again.
///
/// # Errors
/// `Retry` if other writers keep changing the object; `Damaged` if it cannot be parsed; the stage's
/// errors.
pub async fn compare_and_swap<T, R, P>(
    store: &dyn ObjectStore,
    key: &str,
    pause: impl Fn(Duration) -> P,
    change: impl FnMut(&mut T) -> (R, bool),
) -> Result<R>
where
    T: Default + Serialize + DeserializeOwned,
    P: Future<Output = ()>,
{
    swap(store, key, from_json, pause, change).await
}

async fn swap<T, R, P>(
    store: &dyn ObjectStore,
    key: &str,
    parse: impl Fn(&str, &[u8]) -> Result<T>,
    pause: impl Fn(Duration) -> P,
    mut change: impl FnMut(&mut T) -> (R, bool),
) -> Result<R>
where
    T: Default + Serialize,
    P: Future<Output = ()>,
{
    for attempt in 1..=MAX_ATTEMPTS {
        let found = store.read(key).await?;
        let mut value: T = match &found {
            Some(object) => parse(key, &object.body)?,
            None => T::default(),
        };
        let (result, write) = change(&mut value);
        if !write || store.write_if(key, to_json(&value)?, found.map(|object| object.etag)).await? {
            return Ok(result);
        }
        pause(MAX_PAUSE * attempt.min(8)).await;
    }
    Err(Error::retry(format!("other writers keep changing {key} on the stage")))
}

/// Serializes a value as JSON.
///
/// # Errors
/// `Stop` if the value cannot be represented as JSON.
pub fn to_json<T: Serialize>(value: &T) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))
}
