//! Which keys a request has looked at: what it writes to them afterwards may depend on what it saw.

use crate::record::{Corrupt, Value, Values};

/// The keys of the base that were read.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// A bit for each of the base's first 64 entries, so that a read allocates nothing.
    entries: u64,
    /// Keys that have no bit, most of them because they were missing.
    others: Vec<Box<str>>,
    all: bool,
    untracked: bool,
    /// What was read of keys that a commit of this request has found changed since.
    outdated: Vec<(Box<str>, Option<Value>)>,
}

impl Reads {
    /// Remembers nothing until the next base.
    pub(super) fn untracked() -> Self {
        Self {
            untracked: true,
            ..Self::default()
        }
    }

    /// Reads a key of the base.
    pub(super) fn note(&mut self, base: &Values, key: &str) -> Result<Option<Value>, Corrupt> {
        let found = base.find(key)?;
        if self.untracked {
            return Ok(found.map(|(_, value)| value));
        }
        match found.as_ref().and_then(|(index, _)| bit(*index)) {
            Some(bit) => self.entries |= bit,
            None if self.others.iter().any(|other| **other == *key) => {}
            None => self.others.push(key.into()),
        }
        self.outdated.retain(|(outdated, _)| **outdated != *key);
        Ok(found.map(|(_, value)| value))
    }

    pub(super) const fn note_all(&mut self) {
        self.all = true;
    }

    /// Tells whether a key was read that a commit of this request has found changed since.
    pub(super) const fn has_outdated(&self) -> bool {
        !self.outdated.is_empty()
    }

    /// Returns what the request saw when it read a key; `None` if it did not.
    pub(super) fn value_read(&self, base: &Values, key: &str) -> Option<Option<Value>> {
        if let Some((_, value)) = self
            .outdated
            .iter()
            .find(|(outdated, _)| **outdated == *key)
        {
            return Some(value.clone());
        }
        let found = base.find(key).ok().flatten();
        let index = found.as_ref().map(|(index, _)| *index);
        self.was_read(key, index)
            .then(|| found.map(|(_, value)| value))
    }

    /// Goes on with another base, and remembers what was read of those keys that differ in it.
    pub(super) fn rebase(&mut self, old: &Values, new: &Values) {
        self.untracked = false;
        let is_unread = self.entries == 0 && self.others.is_empty() && !self.all;
        if is_unread || old == new {
            return;
        }
        let read = self.names(old, new);
        self.entries = 0;
        self.others.clear();
        for key in read {
            let value = |values: &Values| values.find(&key).ok().flatten().map(|(_, value)| value);
            let known = self.outdated.iter().any(|(outdated, _)| *outdated == key);
            match value(old) {
                _ if known => {}
                before if before == value(new) => self.others.push(key),
                before => self.outdated.push((key, before)),
            }
        }
    }

    /// Lists the keys that were read.
    fn names(&self, old: &Values, new: &Values) -> Vec<Box<str>> {
        let name = |key: &[u8]| String::from_utf8_lossy(key).into_owned().into_boxed_str();
        let entries = old.to_vec().unwrap_or_default().into_iter().enumerate();
        let marked = entries.filter(|(index, _)| self.all || self.is_marked(*index));
        let mut read: Vec<_> = marked.map(|(_, (key, _))| name(key)).collect();
        if self.all {
            let all = new.to_vec().unwrap_or_default().into_iter();
            read.extend(
                all.map(|(key, _)| name(key))
                    .filter(|key| old.find(key) == Ok(None)),
            );
        }
        read.extend(self.others.iter().cloned());
        read
    }

    fn was_read(&self, key: &str, index: Option<usize>) -> bool {
        let marked = index.is_some_and(|index| self.is_marked(index));
        self.all || marked || self.others.iter().any(|other| **other == *key)
    }

    fn is_marked(&self, index: usize) -> bool {
        bit(index).is_some_and(|bit| self.entries & bit != 0)
    }
}

fn bit(index: usize) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(index).ok()?)
}
