//! Changing a small object that others change too.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Time;
use findata_domain::{Error, Result};
use findata_pipeline::ports::stage::{self, Object, Stage};

/// Tries of one change, of which each failed because somebody else's came first.
const TRIES: u32 = 40;
/// The longest pause between the first tries; later ones pause longer.
const PAUSE: Duration = Duration::from_millis(40);

/// A stage of whatever kind.
pub(crate) trait ObjectStore: Send + Sync {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>>>;
    fn put<'a>(&'a self, key: &'a str, body: Bytes, etag: Option<String>) -> BoxFuture<'a, Result<bool>>;
}

impl<S: Stage> ObjectStore for S {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>>> {
        Box::pin(Stage::get(self, key))
    }

    fn put<'a>(&'a self, key: &'a str, body: Bytes, etag: Option<String>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            match etag {
                Some(etag) => self.put_if_match(key, body, &etag).await,
                None => self.put_if_absent(key, body).await,
            }
        })
    }
}

/// Numbers that differ between processes.
#[derive(Debug)]
pub(super) struct Jitter {
    seed: u64,
    drawn: AtomicU64,
}

impl Jitter {
    pub(super) fn new() -> Self {
        Jitter::of(RandomState::new().hash_one(0))
    }

    pub(super) fn of(seed: u64) -> Self {
        Jitter { seed, drawn: AtomicU64::new(0) }
    }

    /// The next number (splitmix64).
    pub(super) fn number(&self) -> u64 {
        let n = self.drawn.fetch_add(1, Relaxed) + 1;
        let z = self.seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A part of a time.
    pub(super) fn part(&self, of: Duration) -> Duration {
        of.mul_f64((self.number() % 1_000) as f64 / 1e3)
    }
}

/// Who changes an object: its chances and its time.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub chance: &'a Jitter,
    pub time: &'a dyn Time,
}

#[derive(Default, Serialize, Deserialize)]
struct Signed<T> {
    /// Who wrote it: a writer whose answer got lost finds out that it was heard.
    by: u64,
    #[serde(flatten)]
    value: T,
}

/// Changes an object, which begins as its default. `change` says its result and whether there is anything to write; it
/// is called again whenever somebody else's change came first.
///
/// # Errors
/// The stage's own; `Retry` where others come first again and again; `Stop` for an object that cannot be read.
pub(super) async fn change<T, R>(
    shelf: &dyn ObjectStore,
    key: &str,
    writer: Writer<'_>,
    mut change: impl FnMut(&mut T) -> (R, bool),
) -> Result<R>
where
    T: Default + Serialize + DeserializeOwned,
{
    let own = writer.chance.number();
    let mut before = None;
    for again in 1..=TRIES {
        let found = shelf.get(key).await?;
        let mut signed: Signed<T> = match &found {
            Some(object) => stage::from_json(key, &object.body)?,
            None => Signed::default(),
        };
        if signed.by == own
            && let Some(result) = before
        {
            return Ok(result);
        }
        let (result, write) = change(&mut signed.value);
        if !write {
            return Ok(result);
        }
        signed.by = own;
        let body = stage::to_json(&signed)?;
        if shelf.put(key, body, found.map(|object| object.etag)).await? {
            return Ok(result);
        }
        before = Some(result);
        writer.time.sleep(writer.chance.part(PAUSE * again.min(8))).await;
    }
    Err(Error::retry(format!("{key}: others write to it all the time")))
}
