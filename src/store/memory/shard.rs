//! A part of the sessions, and the order in which they expire.
//!
//! Each session has one place in a queue, at the deadline it had when it was queued. A touch does not move it: when its
//! turn comes and it lives on, it is queued again. So the common verbs cost one look into a table. Only a deadline that
//! comes nearer needs a new place; the old one is then stale, as are those of sessions that were removed.

use std::{
    cmp::Reverse,
    collections::{
        BinaryHeap, HashMap,
        hash_map::Entry::{Occupied, Vacant},
    },
    hash::{BuildHasherDefault, Hasher},
};

use crate::{
    clock::Timestamp,
    id::Handle,
    store::{Loaded, Record, Updated, Version},
};

/// The sessions whose handles begin alike.
#[derive(Default)]
pub(super) struct Shard {
    entries: Entries,
    anonymous: Queue,
    signed_in: Queue,
    /// No place is earlier, so that the queues, which are not at hand, need not be looked at for each verb.
    first: Option<Timestamp>,
    /// How many sessions there were at most since memory was given back.
    most: usize,
}

type Entries = HashMap<Handle, Entry, BuildHasherDefault<HandleHasher>>;

/// The next to expire first.
type Queue = BinaryHeap<Reverse<Place>>;

/// The deadline of a session when it was queued.
type Place = (Timestamp, Handle);

/// A session, and what it takes.
#[derive(Debug)]
pub(super) struct Entry {
    record: Record,
    created: Timestamp,
    last_seen: Timestamp,
    deadline: Timestamp,
    /// The place that counts; it is never later than the deadline, and an anonymous session's is in that queue.
    queued: Timestamp,
    is_anonymous: bool,
}

/// What became of a session that was to be kept.
pub(super) enum Placed {
    /// It is kept, in the place of one that had expired if there was one.
    Done(Option<Entry>),
    NoRoom,
    Taken,
}

impl Shard {
    /// Keeps a session if its handle is free and there is `room` for it.
    pub(super) fn create(
        &mut self,
        handle: &Handle,
        entry: Entry,
        room: impl FnOnce(&Entry) -> bool,
    ) -> Placed {
        let (queued, is_anonymous) = (entry.queued, entry.is_anonymous);
        let replaced = match self.entries.entry(*handle) {
            Occupied(old) if old.get().is_live(entry.created) => return Placed::Taken,
            _ if !room(&entry) => return Placed::NoRoom,
            Occupied(mut old) => Some(old.insert(entry)),
            Vacant(place) => {
                place.insert(entry);
                None
            }
        };
        self.queue(*handle, queued, is_anonymous);
        self.most = self.most.max(self.entries.len());
        Placed::Done(replaced)
    }

    pub(super) fn load(&self, handle: &Handle, now: Timestamp) -> Option<Loaded> {
        let entry = self
            .entries
            .get(handle)
            .filter(|entry| entry.is_live(now))?;
        Some(Loaded::new(
            entry.record.clone(),
            entry.created,
            entry.last_seen,
            now,
        ))
    }

    /// Returns the handles of all live records.
    pub(super) fn handles(&self, now: Timestamp) -> impl Iterator<Item = Handle> {
        let live = self
            .entries
            .iter()
            .filter(move |(_, entry)| entry.is_live(now));
        live.map(|(handle, _)| *handle)
    }

    /// Tells whether somebody has a session of this handle without having signed in.
    pub(super) fn is_anonymous(&self, handle: &Handle) -> bool {
        self.entries
            .get(handle)
            .is_some_and(|entry| entry.is_anonymous)
    }

    /// Returns an entry that has not expired.
    pub(super) fn live(&mut self, handle: &Handle, now: Timestamp) -> Option<&mut Entry> {
        self.entries
            .get_mut(handle)
            .filter(|entry| entry.is_live(now))
    }

    /// Replaces a session, if there is `room` for the new one in the old one's place; `None` if there is not.
    pub(super) fn update(
        &mut self,
        handle: &Handle,
        expected: Version,
        mut new: Entry,
        room: impl FnOnce(&Entry, &Entry) -> bool,
    ) -> Option<Updated> {
        let now = new.last_seen;
        let Some(entry) = self.live(handle, now) else {
            return Some(Updated::Gone);
        };
        if entry.record.version() != expected {
            return Some(Updated::Conflict(self.load(handle, now)));
        }
        if !room(entry, &new) {
            return None;
        }
        let is_misplaced = new.deadline < entry.queued || new.is_anonymous && !entry.is_anonymous;
        let has_signed_in = entry.is_anonymous && !new.is_anonymous;
        new.created = entry.created;
        new.queued = entry.queued;
        *entry = new;
        if is_misplaced {
            self.requeue(*handle);
        }
        if has_signed_in {
            self.settle_signed_in();
        }
        Some(Updated::Done)
    }

    pub(super) fn touch(
        &mut self,
        handle: &Handle,
        expected: Version,
        now: Timestamp,
        deadline: Timestamp,
    ) -> bool {
        let Some(entry) = self
            .live(handle, now)
            .filter(|entry| entry.record.version() == expected)
        else {
            return false;
        };
        entry.last_seen = now;
        entry.deadline = deadline;
        if deadline < entry.queued {
            self.requeue(*handle);
        }
        true
    }

    pub(super) fn remove(&mut self, handle: &Handle) -> Option<Entry> {
        let removed = self.entries.remove(handle)?;
        self.tidy();
        Some(removed)
    }

    /// Removes a few sessions that have expired.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<Entry> {
        let mut swept = Vec::new();
        if self.first.is_none_or(|first| now < first) {
            return swept;
        }
        for _ in 0..SWEPT_PER_VERB {
            let due = [&self.anonymous, &self.signed_in].map(|queue| is_due(queue, now));
            let queue = match due {
                [true, _] => &mut self.anonymous,
                [_, true] => &mut self.signed_in,
                [false, false] => break,
            };
            let next = queue.pop();
            swept.extend(next.and_then(|Reverse(place)| self.settle(place, now)));
        }
        let firsts = [&self.anonymous, &self.signed_in].map(first);
        self.first = firsts.into_iter().flatten().min();
        swept
    }

    /// Removes the anonymous session with the earliest deadline among the first of the queue, unless it is `spared`.
    pub(super) fn give_up(&mut self, spared: &Handle) -> Option<Entry> {
        let mut first = Vec::new();
        while first.len() < EVICTION_CANDIDATES
            && let Some(Reverse(place)) = self.anonymous.pop()
        {
            let Some(entry) = counting(&mut self.entries, place) else {
                continue;
            };
            entry.queued = entry.deadline;
            match entry.is_anonymous {
                true => first.push((entry.deadline, place.1)),
                false => self.signed_in.push(Reverse((entry.deadline, place.1))),
            }
        }
        let others = first.iter().filter(|(_, handle)| handle != spared);
        let next = others.min().copied();
        let staying = first.into_iter().filter(|place| Some(*place) != next);
        self.anonymous.extend(staying.map(Reverse));
        next.and_then(|(_, handle)| self.remove(&handle))
    }

    /// Removes a session whose turn has come, or queues it again if it lives on.
    fn settle(&mut self, place: Place, now: Timestamp) -> Option<Entry> {
        let entry = counting(&mut self.entries, place)?;
        if !entry.is_live(now) {
            return self.remove(&place.1);
        }
        self.requeue(place.1);
        None
    }

    /// Takes the first few places of the anonymous queue that are nobody's, or of a session that was signed in to: whoever
    /// looks for one to give up would have to do so for all at once.
    fn settle_signed_in(&mut self) {
        for _ in 0..SETTLED_PER_LOGIN {
            let Some(&Reverse(place)) = self.anonymous.peek() else {
                return;
            };
            let entry = counting(&mut self.entries, place);
            if entry.is_some_and(|entry| entry.is_anonymous) {
                return;
            }
            self.anonymous.pop();
            if counting(&mut self.entries, place).is_some() {
                self.requeue(place.1);
            }
        }
    }

    /// Gives a session a place at its deadline, the only one that counts from now on.
    fn requeue(&mut self, handle: Handle) {
        if let Some(entry) = self.entries.get_mut(&handle) {
            entry.queued = entry.deadline;
            let (deadline, is_anonymous) = (entry.deadline, entry.is_anonymous);
            self.queue(handle, deadline, is_anonymous);
            self.tidy();
        }
    }

    fn queue(&mut self, handle: Handle, deadline: Timestamp, is_anonymous: bool) {
        let queue = match is_anonymous {
            true => &mut self.anonymous,
            false => &mut self.signed_in,
        };
        queue.push(Reverse((deadline, handle)));
        self.first = Some(self.first.map_or(deadline, |first| first.min(deadline)));
    }

    /// Gives memory back once most of it is for sessions that are gone, or for places that are stale.
    fn tidy(&mut self) {
        let len = self.entries.len();
        if self.most > 4 * len + SLACK {
            self.most = len;
            self.entries.shrink_to(2 * len);
            self.queue_all();
        } else if self.anonymous.len() + self.signed_in.len() > 2 * len + SLACK {
            self.queue_all();
        }
    }

    /// Makes the queues anew, with one place for each session.
    fn queue_all(&mut self) {
        let mut queues = [Vec::new(), Vec::new()];
        for (handle, entry) in &mut self.entries {
            entry.queued = entry.deadline;
            queues[usize::from(entry.is_anonymous)].push(Reverse((entry.deadline, *handle)));
        }
        [self.signed_in, self.anonymous] = queues.map(Queue::from);
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.anonymous.len() + self.signed_in.len()
    }

    #[cfg(test)]
    pub(super) fn queued_as_anonymous(&self) -> usize {
        self.anonymous.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() + self.anonymous.capacity() + self.signed_in.capacity()
    }

    /// Proves that each session has its place, and counts what is kept.
    #[cfg(test)]
    pub(super) fn audit(&self) -> Audit {
        let has = |queue: &Queue, place| queue.iter().any(|Reverse(other)| *other == place);
        for (handle, entry) in &self.entries {
            let place = (entry.queued, *handle);
            assert!(entry.queued <= entry.deadline, "its place is too late");
            assert!(
                self.first.is_some_and(|first| first <= entry.queued),
                "its place is not looked at"
            );
            assert!(
                has(&self.anonymous, place) || !entry.is_anonymous && has(&self.signed_in, place),
                "its place is missing"
            );
        }
        Audit {
            entries: self.entries.len(),
            bytes: self.entries.values().map(Entry::cost).sum(),
            anonymous: self
                .entries
                .values()
                .filter(|entry| entry.is_anonymous)
                .count(),
        }
    }
}

/// What a shard keeps, counted one by one.
#[cfg(test)]
pub(super) struct Audit {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) anonymous: usize,
}

impl Entry {
    pub(super) fn new(record: Record, now: Timestamp, deadline: Timestamp) -> Self {
        Self {
            is_anonymous: record.principal().is_none(),
            record,
            created: now,
            last_seen: now,
            deadline,
            queued: deadline,
        }
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        now < self.deadline
    }

    pub(super) const fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }

    /// Returns how many bytes it takes, with all that it takes beside its record's.
    ///
    /// A short header counts as a longer one, so that a login needs no room that a full store may not have.
    pub(super) fn cost(&self) -> usize {
        OVERHEAD + self.record.header().len().max(HEADER) + self.record.values().len()
    }
}

/// Finds the session that a place stands for, unless it is gone or has another one that counts.
fn counting(entries: &mut Entries, (queued, handle): Place) -> Option<&mut Entry> {
    entries
        .get_mut(&handle)
        .filter(|entry| entry.queued == queued)
}

fn first(queue: &Queue) -> Option<Timestamp> {
    queue.peek().map(|Reverse((deadline, _))| *deadline)
}

fn is_due(queue: &Queue, now: Timestamp) -> bool {
    first(queue).is_some_and(|deadline| deadline <= now)
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

/// More than a verb adds, so that none stays for ever, and so few that nobody waits for it.
const SWEPT_PER_VERB: usize = 4;

/// More than a login leaves behind.
const SETTLED_PER_LOGIN: usize = 4;

/// How many anonymous sessions are looked at to find one to give up.
const EVICTION_CANDIDATES: usize = 8;

/// How much is kept for nothing, so that a few sessions that come and go rebuild nothing.
pub(super) const SLACK: usize = 16;

/// Two allocations, an entry of the table and one of a queue, both of which are half empty at times.
const OVERHEAD: usize = 256;

/// A header with a principal of some 50 bytes, a rotation, a lifetime of its own and a retired secret.
const HEADER: usize = 192;
