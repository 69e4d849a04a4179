//! A store in this process's memory: bounded, and expiring by itself.

mod shard;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use shard::{Evicted, Shard};

use super::{Answer, Created, Loaded, Record, SessionStore, StoreError, Updated, Version};
use crate::{
    clock::{Clock, Timestamp},
    id::Handle,
    sync::{AtomicUsize, Mutex, Ordering},
};

/// Keeps sessions in memory: for tests, and for one process whose sessions may end when it does.
///
/// It needs no task to expire what is old: every write removes a little of it, and an expired session is absent whether
/// it has been removed or not. When it is full it gives up anonymous sessions, those first that would expire first, and
/// never one that somebody has signed in to; if there is no other, a new session is refused.
///
/// Clones share the sessions.
///
/// ```
/// use tenure::{SessionLayer, store::MemoryStore};
///
/// let store = MemoryStore::new().with_max_entries(10_000);
/// let layer = SessionLayer::new(store.clone());
/// assert_eq!(store.len(), 0);
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    shards: Box<[Mutex<Shard>]>,
    clock: Clock,
    entries: Quota,
    bytes: Quota,
}

impl MemoryStore {
    /// Makes an empty store for at most 100,000 sessions and 256 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            clock: Clock::system(),
            entries: Quota::of(100_000),
            bytes: Quota::of(256 * 1024 * 1024),
        }))
    }

    /// Sets how many sessions are kept. Default: 100,000.
    ///
    /// # Panics
    ///
    /// If the store has been cloned: settings come first.
    #[must_use]
    pub fn with_max_entries(mut self, entries: usize) -> Self {
        self.settings().entries = Quota::of(entries);
        self
    }

    /// Sets how many bytes the sessions take, with 256 bytes for each beside what it holds. Default: 256 MiB.
    ///
    /// # Panics
    ///
    /// If the store has been cloned: settings come first.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.settings().bytes = Quota::of(bytes);
        self
    }

    /// Sets the clock, so that a test can move it. Default: the system's.
    ///
    /// # Panics
    ///
    /// If the store has been cloned: settings come first.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.settings().clock = clock;
        self
    }

    /// Returns how many sessions are kept, those included that have expired and are not removed yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.used()
    }

    /// Tells whether no session is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn settings(&mut self) -> &mut Shared {
        Arc::get_mut(&mut self.0).expect("a memory store is set up before it is cloned")
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("entries", &self.0.entries.used())
            .field("bytes", &self.0.bytes.used())
            .finish_non_exhaustive()
    }
}

impl SessionStore for MemoryStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        Answer::ready(Ok(self.0.create(handle, record, expires_in)))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let now = self.0.clock.now();
        Answer::ready(Ok(self.0.shard(handle).lock().load(handle, now)))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        Answer::ready(self.0.update(handle, expected, record, expires_in))
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let now = self.0.clock.now();
        let touched = self.0.with_shard(handle, now, |shard| {
            shard.touch(handle, expected, now, now + expires_in)
        });
        Answer::ready(Ok(touched))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let now = self.0.clock.now();
        let removed = self.0.with_shard(handle, now, |shard| shard.remove(handle));
        self.0.free(removed.as_slice());
        Answer::ready(Ok(removed.is_some_and(|evicted| evicted.deadline > now)))
    }

    fn now(&self) -> Option<Timestamp> {
        Some(self.0.clock.now())
    }
}

impl Shared {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Created {
        let now = self.clock.now();
        let cost = cost(record);
        // Room is made first, so that the bounds hold whatever happens at the same time.
        if !self.reserve(handle, 1, cost, now) {
            return Created::Full;
        }
        let created = self.with_shard(handle, now, |shard| {
            shard.create(handle, record.clone(), cost, now, now + expires_in)
        });
        match created {
            Ok(replaced) => {
                self.free(replaced.as_slice());
                Created::Done(now)
            }
            Err(shard::Taken) => {
                self.entries.give_back(1);
                self.bytes.give_back(cost);
                Created::Taken
            }
        }
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Result<Updated, StoreError> {
        let now = self.clock.now();
        let cost = cost(record);
        loop {
            let updated = self.with_shard(handle, now, |shard| {
                let entry = match shard.live(handle, now) {
                    None => return Some(Updated::Gone),
                    Some(entry) if entry.version() != expected => {
                        return Some(Updated::Conflict(shard.load(handle, now)));
                    }
                    Some(entry) => entry,
                };
                if !self.bytes.resize(entry.cost(), cost) {
                    return None;
                }
                entry.replace(record.clone(), cost, now, now + expires_in);
                Some(Updated::Done)
            });
            match updated {
                Some(updated) => return Ok(updated),
                None if self.make_room(handle, now) => {}
                None => return Err(StoreError::full("the memory store's bytes are used up")),
            }
        }
    }

    /// Takes room for a record, and makes it if there is none.
    fn reserve(&self, handle: &Handle, entries: usize, bytes: usize, now: Timestamp) -> bool {
        loop {
            if self.entries.take(entries) {
                if self.bytes.take(bytes) {
                    return true;
                }
                self.entries.give_back(entries);
            }
            if !self.make_room(handle, now) {
                return false;
            }
        }
    }

    /// Removes what has expired, or gives up an anonymous session that is not `spared`; the nearest shard first.
    fn make_room(&self, spared: &Handle, now: Timestamp) -> bool {
        let nearest = shard_of(spared);
        (0..SHARDS).any(|distance| {
            let shard = &self.shards[(nearest + distance) % SHARDS];
            let evicted = shard.lock().evict(spared, now);
            self.free(&evicted);
            !evicted.is_empty()
        })
    }

    /// Does something with a handle's shard, and removes a little of what has expired there.
    fn with_shard<R>(
        &self,
        handle: &Handle,
        now: Timestamp,
        act: impl FnOnce(&mut Shard) -> R,
    ) -> R {
        let mut shard = self.shard(handle).lock();
        let swept = shard.sweep(now);
        let done = act(&mut shard);
        drop(shard);
        self.free(&swept);
        done
    }

    fn free(&self, evicted: &[Evicted]) {
        for evicted in evicted {
            self.entries.give_back(1);
            self.bytes.give_back(evicted.cost);
        }
    }

    fn shard(&self, handle: &Handle) -> &Mutex<Shard> {
        &self.shards[shard_of(handle)]
    }
}

/// An amount that is never exceeded, whoever takes of it at the same time.
struct Quota {
    used: AtomicUsize,
    most: usize,
}

impl Quota {
    const fn of(most: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            most,
        }
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, amount: usize) -> bool {
        self.resize(0, amount)
    }

    fn give_back(&self, amount: usize) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Takes another amount instead of one that was taken; to take less always succeeds.
    fn resize(&self, old: usize, new: usize) -> bool {
        let resized = |used: usize| {
            let resized = used - old + new;
            (new <= old || resized <= self.most).then_some(resized)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, resized)
            .is_ok()
    }
}

fn shard_of(handle: &Handle) -> usize {
    let bytes = handle.as_bytes();
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % SHARDS
}

/// What a record takes, with all that it takes beside its bytes.
fn cost(record: &Record) -> usize {
    OVERHEAD + record.header().len() + record.values().len()
}

/// So many that one of a million sessions' shards holds a thousand, and nothing that is done to a whole shard takes
/// long.
const SHARDS: usize = 1024;

/// Two allocations, an entry of the table and one of a queue, both of which are half empty at times.
const OVERHEAD: usize = 256;
