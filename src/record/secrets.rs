//! The secrets of a session beside its current one: those that the browser has not shown yet, and those that were
//! replaced.

use std::time::Duration;

use super::{
    header::{Field, Undecodable, tag},
    sealing::Wrap,
};
use crate::{
    clock::Timestamp,
    id::SecretHash,
    renewal::{FEW_UNSHOWN, Unshown},
};

/// What a secret is to a record; the later it was drawn the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Unknown,
    /// A privilege change replaced it a moment ago.
    Retired,
    /// It was renewed, and its browser has shown a later one for longer than its requests take.
    Reused,
    /// It was renewed, and its browser has shown a later one a moment ago.
    Previous,
    Current,
    /// It was sent to the browser, which shows it for the first time.
    Successor,
}

/// A secret, and since when it is what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dated {
    pub(super) secret: SecretHash,
    pub(super) at: Timestamp,
}

/// The secrets beside the current one, each list with the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    /// Sent by a renewal, and not shown yet.
    pub(super) successors: Vec<Dated>,
    /// Followed by one that was shown, or by too many.
    pub(super) previous: Vec<Dated>,
    /// Replaced at a privilege change.
    pub(super) retired: Vec<Dated>,
    /// The values' key under secrets that were drawn just now.
    pub(super) wraps: Vec<Wrap>,
    /// When it was found, and by which grace, that earlier ones open nothing more.
    pub(super) closed: Option<(Timestamp, Duration)>,
}

impl Secrets {
    /// Takes a field in, if it is one of these.
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<(), Undecodable> {
        let list = match field.tag {
            tag::SUCCESSOR => &mut self.successors,
            tag::PREVIOUS => &mut self.previous,
            tag::RETIRED => &mut self.retired,
            _ => return Ok(()),
        };
        list.push(Dated::decode(field.content)?);
        Ok(())
    }

    pub(super) fn lists(&self) -> [(u8, &[Dated]); 3] {
        [
            (tag::RETIRED, &self.retired),
            (tag::SUCCESSOR, &self.successors),
            (tag::PREVIOUS, &self.previous),
        ]
    }

    /// Adds a secret that is sent to the browser. The newest gives way if there are too many, for an older one may be with a
    /// browser that comes again, and must not be pushed out by somebody who has a copy of the current one and shows none.
    pub(super) fn renew(&mut self, secret: SecretHash, now: Timestamp) {
        while self.successors.len() >= MAX_SUCCESSORS {
            self.previous.extend(self.successors.pop());
        }
        self.forget_previous();
        self.successors.push(Dated { secret, at: now });
    }

    /// Tells how many were sent and not shown, and when the last was.
    pub(super) fn unshown(&self) -> Unshown {
        Unshown {
            count: self.successors.len(),
            newest: self.successors.last().map(|newest| newest.at),
        }
    }

    /// Takes out a successor that was shown for the first time: what it follows, and what was sent beside it, is previous
    /// from now on. Returns when it was sent.
    pub(super) fn confirm(
        &mut self,
        shown: &SecretHash,
        current: SecretHash,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let is_shown = |successor: &Dated| successor.secret.matches(shown);
        let sent_at = self.successors.iter().find(|each| is_shown(each))?.at;
        let others = self.successors.drain(..).filter(|each| !is_shown(each));
        let others = others.map(|each| each.secret);
        let replaced: Vec<_> = others.chain([current]).collect();
        let replaced = replaced.into_iter().map(|secret| Dated { secret, at: now });
        self.previous.extend(replaced);
        self.forget_previous();
        Some(sent_at)
    }

    /// Forgets what is too much. The oldest stays: it may be that of somebody who was away while a thief has shown all others.
    fn forget_previous(&mut self) {
        while self.previous.len() > MAX_PREVIOUS {
            self.previous.remove(1);
        }
    }

    /// Returns the secrets beside the current one that open the session, or may still.
    pub(super) fn opening(&self) -> impl Iterator<Item = &SecretHash> {
        let is_open = |each: &&Dated| {
            let is_open = |(now, grace): (Timestamp, _)| now.since(each.at) < grace;
            self.closed.is_none_or(is_open)
        };
        let previous = self.previous.iter().filter(is_open);
        let opening = self.successors.iter().chain(previous);
        opening.map(|each| &each.secret)
    }

    /// Retires the current secret and all that open the session beside it.
    pub(super) fn rotate(&mut self, current: SecretHash, now: Timestamp) {
        self.retired.retain(|retired| retired.is_remembered(now));
        let lately = self
            .previous
            .drain(..)
            .filter(|each| each.is_remembered(now));
        let opening = lately.chain(self.successors.drain(..));
        let opening = opening.map(|each| each.secret).chain([current]);
        self.retired
            .extend(opening.map(|secret| Dated { secret, at: now }));
        keep_newest(&mut self.retired, MAX_RETIRED);
    }
}

impl Dated {
    pub(super) fn decode(content: &[u8]) -> Result<Self, Undecodable> {
        let (at, secret) = content.split_first_chunk().ok_or(Undecodable)?;
        Ok(Self {
            secret: secret_hash(secret)?,
            at: Timestamp::from_millis(u64::from_be_bytes(*at)),
        })
    }

    pub(super) fn is_remembered(&self, now: Timestamp) -> bool {
        now.since(self.at) < REMEMBERED
    }
}

/// Reads a hash, and the name of the key that was needed for it if one was.
pub(super) fn secret_hash(content: &[u8]) -> Result<SecretHash, Undecodable> {
    let (bytes, key) = content.split_first_chunk().ok_or(Undecodable)?;
    let key = match key {
        [] => None,
        key => Some(key.try_into().map_err(|_| Undecodable)?),
    };
    Ok(SecretHash::from_bytes(*bytes).keyed(key))
}

fn keep_newest(list: &mut Vec<Dated>, most: usize) {
    list.drain(..list.len().saturating_sub(most));
}

/// How many secrets replaced at privilege changes are remembered. More of them within a minute forget the oldest.
const MAX_RETIRED: usize = 4;

/// How many secrets that were sent and not shown open the session: the first few of them, and those of some renewals more.
const MAX_SUCCESSORS: usize = 2 * FEW_UNSHOWN;

/// How many renewed secrets are remembered, to notice that one is used by somebody else: the oldest, and all that one may replace.
const MAX_PREVIOUS: usize = 1 + MAX_SUCCESSORS;

/// For how long a replaced secret is known as such: until the requests that were on their way with it have come.
const REMEMBERED: Duration = Duration::from_secs(60);
