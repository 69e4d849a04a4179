//! A record as a request knows it, and the one that follows it.

use std::time::Duration;

use super::LoginBegun;
use crate::{
    clock::{Stopwatch, Timestamp},
    guard::{DataKey, Opened},
    id::{Handle, SecretHash},
    label::Label,
    lifetime::{Lifetime, Stamps},
    principal::PrincipalId,
    record::{Header, Identity, Key, Record, Values, Version},
    store::Loaded,
};

/// A record that is in the store, as this request knows it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) handle: Handle,
    pub(crate) record: Record,
    pub(crate) created: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// The engine's clock when it answered, and how long ago that was.
    pub(crate) seen: Seen,
    /// What the request's id has to open for the request to write.
    pub(crate) opener: Opener,
    /// The values, if they are sealed in the record.
    pub(crate) opened: Option<Opened>,
}

impl Live {
    /// Knows a record from the store's answer; its header has been decoded before.
    pub(crate) fn of(
        handle: Handle,
        loaded: Loaded,
        opener: Opener,
        opened: Option<Opened>,
        since: Option<Stopwatch>,
    ) -> Self {
        Self {
            handle,
            record: loaded.record,
            created: loaded.created,
            last_seen: loaded.last_seen,
            seen: Seen {
                at: loaded.now,
                since,
            },
            opener,
            opened,
        }
    }

    /// Knows a record that was created just now.
    pub(crate) fn begun(
        handle: Handle,
        (record, opened): (Record, Option<Opened>),
        secret: SecretHash,
        seen: Seen,
    ) -> Self {
        Self {
            handle,
            record,
            created: seen.at,
            last_seen: seen.at,
            seen,
            opener: Opener::unseen(secret),
            opened,
        }
    }

    /// Goes on as another record.
    pub(crate) fn succeed(
        &mut self,
        (record, opened): (Record, Option<Opened>),
        secret: Option<SecretHash>,
        now: Timestamp,
    ) {
        self.record = record;
        self.opened = opened;
        self.last_seen = now;
        if let Some(secret) = secret {
            self.opener = Opener::unseen(secret);
        }
    }

    /// Returns the values as they are, sealed or not.
    pub(crate) fn values(&self) -> Values {
        match &self.opened {
            Some(opened) => opened.values.clone(),
            None => self.record.shared_values(),
        }
    }

    /// Returns the key of the values, if they are sealed.
    pub(crate) fn data_key(&self) -> Option<&DataKey> {
        self.opened.as_ref().map(|opened| &opened.key)
    }

    /// Reads the record's header.
    pub(crate) fn header(&self) -> Header<'_> {
        Header::decode(self.record.header()).expect("it was decoded when the record was loaded")
    }

    /// Knows that the last-seen stamp was renewed.
    pub(crate) const fn touched(&mut self) {
        self.last_seen = self.seen.at();
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.header().stamps(self.created, self.last_seen)
    }
}

/// The secret that a request came with, or has been given by a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opener {
    pub(crate) secret: SecretHash,
    /// What it was to the record when it came; `None` if a commit of this request has drawn it, or a live connection goes
    /// by the generation.
    pub(crate) came_as: Option<Key>,
}

impl Opener {
    /// Knows a secret by what it is to the record; `None` if it does not open it.
    pub(crate) const fn with(secret: SecretHash, key: Key) -> Option<Self> {
        match key {
            Key::Current | Key::Successor | Key::Previous => Some(Self {
                secret,
                came_as: Some(key),
            }),
            Key::Retired | Key::Reused | Key::Unknown => None,
        }
    }

    pub(crate) const fn unseen(secret: SecretHash) -> Self {
        Self {
            secret,
            came_as: None,
        }
    }

    /// Tells whether the browser holds a later one.
    pub(crate) fn is_previous(self) -> bool {
        self.came_as == Some(Key::Previous)
    }
}

/// What a commit does to a record's header, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Succession<'a> {
    pub(crate) version: Version,
    pub(crate) now: Timestamp,
    /// For how long a secret opens the session after its successor was shown.
    pub(crate) grace: Duration,
    /// The secret, if there is a new one.
    pub(crate) secret: Option<SecretHash>,
    /// The secret that the browser is known to have received, if that was not known.
    pub(crate) shown: Option<SecretHash>,
    /// The secret of a renewal.
    pub(crate) renewed: Option<SecretHash>,
    /// It is kept whether the secret of a first login was shown.
    pub(crate) notes_showing: bool,
    pub(crate) login: Option<&'a PrincipalId>,
    /// A login that waits for its second factor.
    pub(crate) begin: Option<&'a LoginBegun>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) label: Option<&'a Label>,
}

impl Succession<'_> {
    /// Makes the header that follows another, unless it stays as it is.
    pub(crate) fn applied_to<'a>(&'a self, old: &Header<'a>) -> Option<Header<'a>> {
        let lifetime = self.lifetime.filter(|own| Some(*own) != old.lifetime);
        let is_identified = self.login.is_some() || self.begin.is_some();
        let label = self.label.map(Label::as_str);
        let label = label.filter(|label| *label != old.label().unwrap_or_default());
        let has_secret = self.secret.or(self.shown).or(self.renewed).is_some();
        if !has_secret && !is_identified && lifetime.is_none() && label.is_none() {
            return None;
        }
        let login = self.login.map(|principal| Identity {
            principal: principal.as_str(),
            authenticated_at: self.now,
        });
        let mut next = old.clone();
        let rises = self.secret.is_some() || is_identified;
        next.generation = old.generation.wrapping_add(u64::from(rises));
        next.lifetime = lifetime.or(old.lifetime);
        next.labelled = label;
        next.identity = login.or(old.identity);
        next.begun = match self.begin {
            Some(begun) => Some(Some(begun.at(self.now))),
            None => login.map(|_| None),
        };
        self.turn_secrets(&mut next);
        next.is_unshown |= self.notes_showing && login.is_some() && old.identity.is_none();
        Some(next)
    }

    fn turn_secrets(&self, header: &mut Header<'_>) {
        if let Some(shown) = self.shown {
            header.confirm(shown, self.now);
        }
        if let Some(secret) = self.renewed {
            header.renew(secret, self.now);
        }
        if let Some(secret) = self.secret {
            header.rotate(secret, self.now);
        }
        if self.shown.or(self.renewed).is_some() {
            header.close(self.now, self.grace);
        }
    }
}

/// A look at the engine's clock, and how long ago it was where that cannot be asked again without a round trip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) since: Option<Stopwatch>,
}

impl Seen {
    /// Tells what the engine's clock said.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Tells how long ago it was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since.map_or(Duration::ZERO, Stopwatch::elapsed)
    }
}
