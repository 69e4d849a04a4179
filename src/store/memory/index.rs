//! The index of principals in memory.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound::{Excluded, Included, Unbounded},
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
    /// Where to go on looking for what is outdated: in whose roll, and at which of its entries.
    tidied: Option<(PrincipalId, usize)>,
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
        most: usize,
    ) -> Entered {
        let roll = self.rolls.entry(principal.clone()).or_default();
        if let (Some((remembered, _)), Some(stamp)) = (&roll.stamp, stamp)
            && remembered != stamp
        {
            return Entered::Refused;
        }
        // One that is there already was most often entered a moment ago.
        let known = roll.entries.iter().rposition(|known| *known == entry);
        let place = known.unwrap_or_else(|| {
            roll.entries.push(entry);
            roll.entries.len() - 1
        });
        Entered::After(roll.entries[..place.min(most)].to_vec())
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

    /// Looks at the next few entries, so that those who never come back leave nothing behind.
    pub(super) fn tidy(&mut self, now: Timestamp, is_there: impl Fn(&Entry) -> bool) {
        for _ in 0..TIDIED_PER_ENTRY {
            self.tidied = self.tidy_one(now, &is_there);
        }
    }

    /// Looks at an entry, or at a stamp after the last of a roll, and returns where to go on.
    fn tidy_one(
        &mut self,
        now: Timestamp,
        is_there: &impl Fn(&Entry) -> bool,
    ) -> Option<(PrincipalId, usize)> {
        let (from, place) = match &self.tidied {
            Some((principal, place)) => (Included(principal), *place),
            None => (Unbounded, 0),
        };
        let (principal, roll) = self.rolls.range_mut((from, Unbounded)).next()?;
        let principal = principal.clone();
        if let Some(entry) = roll.entries.get(place) {
            if is_there(entry) {
                return Some((principal, place + 1));
            }
            roll.entries.remove(place);
            return Some((principal, place));
        }
        roll.stamp
            .take_if(|(_, since)| now.since(*since) >= REMEMBERED);
        if roll.is_empty() {
            self.rolls.remove(&principal);
        }
        let mut later = self.rolls.range((Excluded(principal), Unbounded));
        later.next().map(|(principal, _)| (principal.clone(), 0))
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

/// For each one that comes there are two steps at most in a round, one for itself and one for its principal: with four
/// all have been looked at before their number can double.
const TIDIED_PER_ENTRY: usize = 4;
/// Longer than any login takes.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);
