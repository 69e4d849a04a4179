//! A store in this process's memory: bounded, and expiring by itself.

mod index;
mod shard;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use index::Index;
use shard::{Entry, Placed, Shard};

use super::{
    Answer, Created, Cursor, Entered, Loaded, PrincipalIndex, Record, SessionStore, StoreError,
    Updated, Version, Walked, index::Entry as Login,
};
use crate::{
    clock::{Clock, Timestamp},
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
    sync::{AtomicUsize, Mutex, Ordering},
};

/// Keeps sessions in memory: for tests, and for one process whose sessions may end when it does.
///
/// It needs no task to expire what is old: every write removes a little of it, and an expired session is absent whether
/// it has been removed or not. When it is full it removes what has expired, or else gives up an anonymous session, one
/// of those that would expire first, and never one that somebody has signed in to; if there is no other, a new session
/// is refused. Neither bound is ever exceeded, whatever happens at the same time.
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
    index: Mutex<Index>,
    clock: Clock,
    entries: Quota,
    bytes: Quota,
    /// How many of the entries nobody has signed in to: if there is none, none need be looked for.
    anonymous: Quota,
    /// When expired sessions were last looked for in all shards, and not found.
    searched: AtomicUsize,
}

impl MemoryStore {
    /// Makes an empty store for at most 100,000 sessions and 256 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            index: Mutex::default(),
            clock: Clock::system(),
            entries: Quota::of(100_000),
            bytes: Quota::of(256 * 1024 * 1024),
            anonymous: Quota::of(usize::MAX),
            searched: AtomicUsize::new(usize::MAX),
        }))
    }

    /// Sets how many sessions are kept. Default: 100,000.
    ///
    /// # Panics
    ///
    /// If the store has been cloned: settings come first.
    #[must_use]
    pub fn with_max_entries(mut self, entries: usize) -> Self {
        self.settings().entries.most = entries;
        self
    }

    /// Sets how many bytes the sessions take: their values, and 448 bytes for each, or more where the principal is long.
    /// Default: 256 MiB.
    ///
    /// # Panics
    ///
    /// If the store has been cloned: settings come first.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.settings().bytes.most = bytes;
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
        let removed = self.0.with_shard(handle, now, |shard| {
            let removed = shard.remove(handle);
            self.0.free(removed.as_slice());
            removed
        });
        Answer::ready(Ok(removed.is_some_and(|entry| entry.is_live(now))))
    }

    fn now(&self) -> Option<Timestamp> {
        Some(self.0.clock.now())
    }

    fn len_at_hand(&self) -> Option<usize> {
        Some(self.len())
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl PrincipalIndex for MemoryStore {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Login,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let now = self.0.clock.now();
        let mut index = self.0.index.lock();
        index.tidy(now, |entry| self.0.has(&entry.handle, now));
        Answer::ready(Ok(index.enter(principal, entry, stamp, most)))
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Login>> {
        Answer::ready(Ok(self.0.index.lock().entries(principal)))
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Login]) -> Answer<()> {
        self.0.index.lock().leave(principal, entries);
        Answer::ready(Ok(()))
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Login>> {
        let now = self.0.clock.now();
        Answer::ready(Ok(self.0.index.lock().restamp(principal, stamp, now)))
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let now = self.0.clock.now();
        let load = |handle| self.0.shard(handle).lock().load(handle, now);
        Answer::ready(Ok(handles.iter().map(load).collect()))
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        Answer::ready(self.0.walk(from, most))
    }

    fn count(&self) -> Answer<Option<u64>> {
        Answer::ready(Ok(Some(self.0.count())))
    }
}

impl Shared {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Created {
        let now = self.clock.now();
        loop {
            let entry = Entry::new(record.clone(), now, now + expires_in);
            let cost = entry.cost();
            let placed = self.with_shard(handle, now, |shard| {
                let placed = shard.create(handle, entry, |entry| self.reserve(entry));
                if let Placed::Done(Some(replaced)) = &placed {
                    self.free(std::slice::from_ref(replaced));
                }
                placed
            });
            match placed {
                Placed::Done(_) => return Created::Done(now),
                Placed::Taken => return Created::Taken,
                Placed::NoRoom if self.make_room(handle, cost, now) => {}
                Placed::NoRoom => return Created::Full,
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
        loop {
            let entry = Entry::new(record.clone(), now, now + expires_in);
            let cost = entry.cost();
            let updated = self.with_shard(handle, now, |shard| {
                shard.update(handle, expected, entry, |old, new| self.resize(old, new))
            });
            match updated {
                Some(updated) => return Ok(updated),
                None if self.make_room(handle, cost, now) => {}
                None => return Err(StoreError::full("the memory store's bytes are used up")),
            }
        }
    }

    /// Takes room for a session: all of it or nothing.
    fn reserve(&self, entry: &Entry) -> bool {
        if !self.entries.take(1) {
            return false;
        }
        let fits = self.bytes.take(entry.cost());
        if fits {
            self.anonymous.take(usize::from(entry.is_anonymous()));
        } else {
            self.entries.give_back(1);
        }
        fits
    }

    /// Takes the room of one entry instead of another's.
    fn resize(&self, old: &Entry, new: &Entry) -> bool {
        let fits = self.bytes.resize(old.cost(), new.cost());
        if fits {
            let [old, new] = [old, new].map(|entry| usize::from(entry.is_anonymous()));
            self.anonymous.resize(old, new);
        }
        fits
    }

    /// Removes something for a session of this cost: what has expired, or else an anonymous session, but not its own.
    fn make_room(&self, spared: &Handle, cost: usize, now: Timestamp) -> bool {
        // What would not fit into an empty store ends nobody's session.
        cost <= self.bytes.most && (self.remove_expired(spared, now) || self.give_up(spared))
    }

    /// Removes what has expired, in all shards unless that was in vain a moment ago.
    fn remove_expired(&self, near: &Handle, now: Timestamp) -> bool {
        // Only compared with itself, so it may be cut where a word is short.
        let moment = (now.as_millis() / SEARCH_EVERY_MILLIS) as usize;
        let shards = match self.searched.load(Ordering::Relaxed) == moment {
            true => 1,
            false => SHARDS,
        };
        let found = self.free_first(near, shards, |shard| shard.sweep(now));
        if !found {
            self.searched.store(moment, Ordering::Relaxed);
        }
        found
    }

    /// Gives up an anonymous session for as long as there is another one: while one is looked for, others come and go.
    fn give_up(&self, spared: &Handle) -> bool {
        let own = usize::from(self.shard(spared).lock().is_anonymous(spared));
        while self.anonymous.used() > own {
            let found = self.free_first(spared, SHARDS, |shard| {
                shard.give_up(spared).into_iter().collect()
            });
            if found {
                return true;
            }
        }
        false
    }

    /// Asks shards for what they can spare until one has something: the handle's own first, one lock at a time.
    fn free_first(
        &self,
        near: &Handle,
        shards: usize,
        ask: impl Fn(&mut Shard) -> Vec<Entry>,
    ) -> bool {
        let first = shard_of(near);
        (0..shards).any(|distance| {
            let mut shard = self.shards[(first + distance) % SHARDS].lock();
            let spared = ask(&mut shard);
            self.free(&spared);
            drop(shard);
            !spared.is_empty()
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
        self.free(&swept);
        let done = act(&mut shard);
        drop(shard);
        done
    }

    /// Gives back the room of what was removed, while its shard is locked: so whoever has every shard's lock in turn has
    /// seen all that room was taken for.
    fn free(&self, removed: &[Entry]) {
        for entry in removed {
            self.entries.give_back(1);
            self.bytes.give_back(entry.cost());
            self.anonymous.give_back(usize::from(entry.is_anonymous()));
        }
    }

    /// Tells whether there is a live record.
    fn has(&self, handle: &Handle, now: Timestamp) -> bool {
        self.shard(handle).lock().live(handle, now).is_some()
    }

    /// Goes through whole shards, as a place in one would be lost when it grows.
    fn walk(&self, from: Option<&Cursor>, most: usize) -> Result<Walked, StoreError> {
        let first = from.map_or(Ok(0), |cursor| cursor.as_str().parse::<usize>());
        let first = first.map_err(StoreError::unavailable)?;
        let now = self.clock.now();
        let mut handles = Vec::new();
        for (number, shard) in self.shards.iter().enumerate().skip(first) {
            if handles.len() >= most {
                return Ok(Walked::new(handles, Some(Cursor::new(number.to_string()))));
            }
            handles.extend(shard.lock().handles(now));
        }
        Ok(Walked::new(handles, None))
    }

    /// Counts the live records, one shard after the other.
    fn count(&self) -> u64 {
        let now = self.clock.now();
        let counts = self
            .shards
            .iter()
            .map(|shard| shard.lock().handles(now).count());
        counts.sum::<usize>() as u64
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
        // Most updates change no size, and need not fight for what all shards share.
        old == new
            || self
                .used
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, resized)
                .is_ok()
    }
}

fn shard_of(handle: &Handle) -> usize {
    let bytes = handle.as_bytes();
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % SHARDS
}

/// So many that one of a million sessions' shards holds two thousand, and what is done to a whole shard takes half a
/// millisecond at most; with more of them, a session that begins finds less of its shard in a processor's cache.
const SHARDS: usize = 512;

/// How often all shards are searched in vain at most: a full store may be asked at any rate.
const SEARCH_EVERY_MILLIS: u64 = 16;
