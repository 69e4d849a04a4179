//! The index of principals in memory.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

use crate::{
    clock::Timestamp,
    principal::{CredentialStamp, PrincipalId},
    store::{Entered, Entry},
};

/// What is known of principals, in order, so that it can be gone through a little at a time.
#[derive(Debug, Default)]
pub(super) struct Index {
    rolls: BTreeMap<PrincipalId, Roll>,
    /// Whose roll was looked through last.
    tidied: Option<PrincipalId>,
}

/// What is known of one principal.
#[derive(Debug, Default)]
struct Roll {
    entries: Vec<Entry>,
    stamp: Option<(CredentialStamp, Timestamp)>,
}

impl Index {
    pub(super) fn enter(
        &mut self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
    ) -> Entered {
        let roll = self.rolls.entry(principal.clone()).or_default();
        if let (Some((remembered, _)), Some(stamp)) = (&roll.stamp, stamp)
            && remembered != stamp
        {
            return Entered::Refused;
        }
        let known = roll.entries.iter().position(|known| *known == entry);
        let place = known.unwrap_or_else(|| {
            roll.entries.push(entry);
            roll.entries.len() - 1
        });
        Entered::After(roll.entries[..place].to_vec())
    }

    pub(super) fn entries(&self, principal: &PrincipalId) -> Vec<Entry> {
        let roll = self.rolls.get(principal);
        roll.map_or_else(Vec::new, |roll| roll.entries.clone())
    }

    pub(super) fn leave(&mut self, principal: &PrincipalId, entries: &[Entry]) {
        if let Some(roll) = self.rolls.get_mut(principal) {
            let leaving: HashSet<_> = entries.iter().collect();
            roll.entries.retain(|entry| !leaving.contains(entry));
            if roll.is_empty() {
                self.rolls.remove(principal);
            }
        }
    }

    pub(super) fn restamp(
        &mut self,
        principal: &PrincipalId,
        stamp: &CredentialStamp,
        now: Timestamp,
    ) -> Vec<Entry> {
        let roll = self.rolls.entry(principal.clone()).or_default();
        roll.stamp = Some((*stamp, now));
        roll.entries.clone()
    }

    /// Looks through the rolls of the next few principals, so that those who never come back leave nothing behind.
    pub(super) fn tidy(&mut self, now: Timestamp, is_there: impl Fn(&Entry) -> bool) {
        for _ in 0..TIDIED_PER_ENTRY {
            let after = self.tidied.as_ref().map_or(Unbounded, Excluded);
            let Some((principal, roll)) = self.rolls.range_mut((after, Unbounded)).next() else {
                self.tidied = None;
                return;
            };
            let principal = principal.clone();
            roll.entries.retain(&is_there);
            roll.stamp
                .take_if(|(_, since)| now.since(*since) >= REMEMBERED);
            if roll.is_empty() {
                self.rolls.remove(&principal);
            }
            self.tidied = Some(principal);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rolls.len()
    }
}

impl Roll {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.stamp.is_none()
    }
}

/// With two for each one that comes, all are looked through before their number can double.
const TIDIED_PER_ENTRY: usize = 2;
/// Longer than any login takes.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);
