//! API keys that were looked up a moment ago, so that not every request asks the store.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::{access::ApiKey, ids::ApiKeyId};
use store::Store;

/// Keys remembered, at most; whoever tries more drives out what is remembered, which costs look-ups and nothing else.
const ENTRIES: usize = 10_000;
/// For how long it is remembered that there is no such key; short, so that a new key works soon.
const ABSENCE: Duration = Duration::from_secs(1);

/// See the module. A revoked key works until its entry ends.
pub(crate) struct KeyCache {
    store: Store,
    ttl: Duration,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
    /// Keys used since the store was last told.
    used: Mutex<HashSet<ApiKeyId>>,
}

struct Entry {
    key: Option<Arc<ApiKey>>,
    until: Instant,
}

impl KeyCache {
    pub(crate) fn new(store: Store, ttl: Duration) -> Self {
        Self { store, ttl, entries: Mutex::default(), used: Mutex::default() }
    }

    /// What is remembered of a hash: a key, or that there is none.
    pub(crate) fn known(&self, hash: &[u8]) -> Option<Option<Arc<ApiKey>>> {
        let entries = locked(&self.entries);
        entries
            .get(hash)
            .filter(|entry| Instant::now() < entry.until)
            .map(|entry| entry.key.clone())
    }

    /// Asks the store, and remembers the answer.
    pub(crate) async fn look_up(&self, hash: Vec<u8>) -> store::Result<Option<Arc<ApiKey>>> {
        let key = self.store.find_api_key(hash.clone()).await?.map(Arc::new);
        let ttl = if key.is_some() { self.ttl } else { self.ttl.min(ABSENCE) };
        if let Some(key) = &key {
            locked(&self.used).insert(key.id);
        }
        let mut entries = locked(&self.entries);
        if entries.len() >= ENTRIES {
            let now = Instant::now();
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() >= ENTRIES {
            entries.clear();
        }
        entries.insert(hash, Entry { key: key.clone(), until: Instant::now() + ttl });
        Ok(key)
    }

    /// Tells the store which keys were used, all in one statement. What it cannot tell now, it tells next time.
    pub(crate) async fn note_used(&self) {
        let used = mem::take(&mut *locked(&self.used));
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.touch_api_keys(used.iter().copied().collect()).await {
            tracing::warn!(error = %crate::error::in_one_line(&error), "could not note which API keys were used");
            locked(&self.used).extend(used);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
