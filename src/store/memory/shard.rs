//! A part of the sessions, and the order in which they expire.
//!
//! Each session has one place in a queue, at the deadline it had when it was queued. A touch does not move it: when its
//! turn comes and it lives on, it is queued again. So the common verbs cost one look into a table.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use crate::{
    clock::Timestamp,
    id::Handle,
    store::{Loaded, Record, Version},
};

/// The sessions whose handles begin alike.
#[derive(Default)]
pub(super) struct Shard {
    entries: HashMap<Handle, Entry, BuildHasherDefault<HandleHasher>>,
    anonymous: Queue,
    signed_in: Queue,
}

/// The next to expire first.
type Queue = BinaryHeap<Reverse<(Timestamp, Handle)>>;

pub(super) struct Entry {
    record: Record,
    created: Timestamp,
    last_seen: Timestamp,
    deadline: Timestamp,
    cost: usize,
    is_anonymous: bool,
}

/// What was removed, and what it took.
#[derive(Debug)]
pub(super) struct Evicted {
    pub(super) cost: usize,
    pub(super) deadline: Timestamp,
}

/// A live session has this handle.
#[derive(Debug)]
pub(super) struct Taken;

impl Shard {
    pub(super) fn create(
        &mut self,
        handle: &Handle,
        record: Record,
        cost: usize,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Result<Option<Evicted>, Taken> {
        if self.live(handle, now).is_some() {
            return Err(Taken);
        }
        let replaced = self.remove(handle);
        let entry = Entry {
            is_anonymous: record.principal().is_none(),
            record,
            created: now,
            last_seen: now,
            deadline,
            cost,
        };
        self.queue(*handle, deadline, entry.is_anonymous);
        self.entries.insert(*handle, entry);
        Ok(replaced)
    }

    pub(super) fn load(&self, handle: &Handle, now: Timestamp) -> Option<Loaded> {
        let entry = self
            .entries
            .get(handle)
            .filter(|entry| entry.deadline > now)?;
        Some(Loaded::new(
            entry.record.clone(),
            entry.created,
            entry.last_seen,
            now,
        ))
    }

    /// Returns an entry that has not expired.
    pub(super) fn live(&mut self, handle: &Handle, now: Timestamp) -> Option<&mut Entry> {
        self.entries
            .get_mut(handle)
            .filter(|entry| entry.deadline > now)
    }

    pub(super) fn touch(
        &mut self,
        handle: &Handle,
        expected: Version,
        now: Timestamp,
        deadline: Timestamp,
    ) -> bool {
        match self.live(handle, now) {
            Some(entry) if entry.version() == expected => {
                entry.last_seen = now;
                entry.deadline = deadline;
                true
            }
            _ => false,
        }
    }

    pub(super) fn remove(&mut self, handle: &Handle) -> Option<Evicted> {
        let removed = self.entries.remove(handle)?;
        self.forget_the_gone();
        Some(removed.into())
    }

    /// Removes a few sessions that have expired: more than a verb adds, so that none stays for ever.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<Evicted> {
        let mut swept = Vec::new();
        for _ in 0..SWEPT_PER_VERB {
            let due = [&self.anonymous, &self.signed_in].map(|queue| is_due(queue, now));
            let queue = match due {
                [true, _] => &mut self.anonymous,
                [_, true] => &mut self.signed_in,
                [false, false] => break,
            };
            let next = queue.pop();
            swept.extend(next.and_then(|Reverse((_, handle))| self.settle(handle, now)));
        }
        swept
    }

    /// Removes what has expired, or the anonymous session that would expire next.
    pub(super) fn evict(&mut self, spared: &Handle, now: Timestamp) -> Vec<Evicted> {
        let swept = self.sweep(now);
        if !swept.is_empty() {
            return swept;
        }
        self.next_anonymous(spared)
            .and_then(|handle| self.remove(&handle))
            .into_iter()
            .collect()
    }

    /// Finds the anonymous session with the earliest deadline among the first of the queue, and queues the others again.
    fn next_anonymous(&mut self, spared: &Handle) -> Option<Handle> {
        let mut candidates = Vec::with_capacity(EVICTION_CANDIDATES);
        while candidates.len() < EVICTION_CANDIDATES
            && let Some(Reverse((_, handle))) = self.anonymous.pop()
        {
            match self.entries.get(&handle) {
                Some(entry) if entry.is_anonymous => candidates.push((entry.deadline, handle)),
                Some(entry) => self.signed_in.push(Reverse((entry.deadline, handle))),
                None => {}
            }
        }
        self.anonymous
            .extend(candidates.iter().copied().map(Reverse));
        let others = candidates
            .into_iter()
            .filter(|(_, handle)| handle != spared);
        others.min().map(|(_, handle)| handle)
    }

    /// Removes a session whose turn has come, or queues it again if it lives on.
    fn settle(&mut self, handle: Handle, now: Timestamp) -> Option<Evicted> {
        let entry = self.entries.get(&handle)?;
        if entry.deadline <= now {
            return self.remove(&handle);
        }
        let (deadline, is_anonymous) = (entry.deadline, entry.is_anonymous);
        self.queue(handle, deadline, is_anonymous);
        None
    }

    fn queue(&mut self, handle: Handle, deadline: Timestamp, is_anonymous: bool) {
        let queue = match is_anonymous {
            true => &mut self.anonymous,
            false => &mut self.signed_in,
        };
        queue.push(Reverse((deadline, handle)));
    }

    /// Drops the places of sessions that were removed, once they are the most.
    fn forget_the_gone(&mut self) {
        if self.anonymous.len() + self.signed_in.len() > 2 * self.entries.len() + FORGOTTEN_AT_ONCE
        {
            let entries = &self.entries;
            for queue in [&mut self.anonymous, &mut self.signed_in] {
                queue.retain(|Reverse((_, handle))| entries.contains_key(handle));
                queue.shrink_to(2 * entries.len());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.anonymous.len() + self.signed_in.len()
    }
}

impl Entry {
    pub(super) const fn version(&self) -> Version {
        self.record.version()
    }

    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn replace(
        &mut self,
        record: Record,
        cost: usize,
        now: Timestamp,
        deadline: Timestamp,
    ) {
        self.is_anonymous = record.principal().is_none();
        self.record = record;
        self.cost = cost;
        self.last_seen = now;
        self.deadline = deadline;
    }
}

impl From<Entry> for Evicted {
    fn from(entry: Entry) -> Self {
        Self {
            cost: entry.cost,
            deadline: entry.deadline,
        }
    }
}

fn is_due(queue: &Queue, now: Timestamp) -> bool {
    queue
        .peek()
        .is_some_and(|Reverse((deadline, _))| *deadline <= now)
}

/// Takes eight of a handle's bytes for its hash.
///
/// Nobody can crowd the table: the handles in it were drawn by this crate, and those that a visitor makes up are only
/// looked for.
#[derive(Default)]
pub(super) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

const SWEPT_PER_VERB: usize = 4;

/// How many anonymous sessions are looked at to find one to give up.
const EVICTION_CANDIDATES: usize = 8;

const FORGOTTEN_AT_ONCE: usize = 64;
