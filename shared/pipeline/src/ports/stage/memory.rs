//! A stage in memory, for data that only one process uses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{Object, Stage};
use findata_domain::Result;

/// Objects by key, each with its content and version. Clones share the objects.
#[derive(Debug, Clone, Default)]
pub struct MemoryStage(Arc<Mutex<BTreeMap<String, (Bytes, u64)>>>);

impl MemoryStage {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage for MemoryStage {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let object =
            |(body, version): &(Bytes, u64)| Object { body: body.clone(), etag: version.to_string() };
        Ok(self.objects().get(key).map(object))
    }

    async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
        let mut objects = self.objects();
        let free = !objects.contains_key(key);
        if free {
            objects.insert(key.to_owned(), (body, 0));
        }
        Ok(free)
    }

    async fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> Result<bool> {
        let mut objects = self.objects();
        let Some(object) = objects.get_mut(key).filter(|(_, version)| version.to_string() == etag) else {
            return Ok(false);
        };
        *object = (body, object.1 + 1);
        Ok(true)
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        self.objects().retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.objects().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }
}
