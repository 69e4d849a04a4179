//! Which records are trusted, and how they are made: with a keyring those alone that its holders have written.

#[cfg_attr(not(feature = "keyring"), path = "unkeyed.rs")]
mod keyed;
#[cfg(feature = "keyring")]
mod sealed;
#[cfg(feature = "keyring")]
mod values;

use std::{error, fmt};

#[cfg(not(feature = "keyring"))]
pub(crate) use keyed::DataKey;
use keyed::Keyed;
#[cfg(feature = "keyring")]
pub(crate) use sealed::DataKey;

#[cfg(feature = "keyring")]
use crate::keyring::Keyring;
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, Random, RandomError, SecretHash, Token},
    record::{Header, Record, Undecodable, Values, Version},
};

/// Hashes the secrets of a layer, and makes and reads its records.
#[derive(Debug)]
pub(crate) struct Guard {
    hasher: IdHasher,
    /// Without the feature there is none.
    keyed: Option<Keyed>,
}

impl Guard {
    pub(crate) fn new(cookie_name: &str) -> Self {
        Self {
            hasher: IdHasher::new(cookie_name),
            keyed: None,
        }
    }

    #[cfg(feature = "keyring")]
    pub(crate) fn with_keyring(cookie_name: &str, keyring: Keyring, seals: bool) -> Self {
        Self {
            keyed: Some(Keyed::new(cookie_name, keyring, seals)),
            ..Self::new(cookie_name)
        }
    }

    /// Hashes the secret of an id that was drawn just now.
    pub(crate) fn hash(&self, token: &Token) -> SecretHash {
        match &self.keyed {
            Some(keyed) => keyed.hash(token),
            None => self.hasher.hash(token),
        }
    }

    /// Hashes the secret of an id that came, as this record has done it.
    #[inline]
    pub(crate) fn hash_as(&self, header: &Header<'_>, token: &Token) -> SecretHash {
        match &self.keyed {
            Some(keyed) => keyed.hash_as(header, token, &self.hasher),
            None => self.hasher.hash(token),
        }
    }

    /// Reads the header of a record that is trusted.
    #[inline]
    pub(crate) fn read<'a>(
        &self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Result<Header<'a>, Unreadable> {
        if let Some(keyed) = &self.keyed {
            return keyed.read(handle, record, now);
        }
        let header = Header::decode(record.header())?;
        match header.is_authenticated {
            true => Err(Distrust::UnknownKey.into()),
            false => Ok(header),
        }
    }

    /// Tells whether an id would open a record if that were trusted.
    pub(crate) fn would_open(&self, token: &Token, record: &Record) -> bool {
        let header = Header::decode(record.header());
        header.is_ok_and(|header| header.knows(&self.hash_as(&header, token)))
    }

    /// Makes the first record of a session.
    pub(crate) fn create(
        &self,
        first: First<'_>,
        random: Random,
    ) -> Result<(Record, Option<Opened>), Unmade> {
        if let Some(keyed) = &self.keyed {
            return keyed.create(first, random);
        }
        let header = first.header.encode().into();
        Ok((Record::of(first.version, header, first.values), None))
    }

    /// Makes the record that follows another.
    pub(crate) fn succeed(
        &self,
        next: Next<'_>,
        random: Random,
    ) -> Result<(Record, Option<Opened>), Unmade> {
        if let Some(keyed) = &self.keyed {
            return keyed.succeed(next, random);
        }
        let record = match next.header {
            Ok(header) => Record::of(next.version, header.encode().into(), next.values),
            Err(_) => next.old.with_values(next.version, next.values),
        };
        Ok((record, None))
    }

    /// Opens the values of a record, if they are sealed, for the id that it belongs to.
    #[inline]
    pub(crate) fn open(
        &self,
        handle: Handle,
        header: &Header<'_>,
        record: &Record,
        id: (&SecretHash, &Token),
    ) -> Result<Option<Opened>, Distrust> {
        match &self.keyed {
            Some(keyed) => keyed.open(handle, header, record, id),
            None => Ok(None),
        }
    }

    /// Opens the values of a record, if they are sealed, with the key that opened them before.
    pub(crate) fn reopen(
        &self,
        handle: Handle,
        header: &Header<'_>,
        record: &Record,
        key: Option<&DataKey>,
    ) -> Result<Option<Opened>, Distrust> {
        match &self.keyed {
            Some(keyed) => keyed.reopen(handle, header, record, key),
            None => Ok(None),
        }
    }
}

/// What the first record of a session is made of.
#[derive(Debug)]
#[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "keys need more"))]
pub(crate) struct First<'a> {
    pub(crate) token: &'a Token,
    pub(crate) version: Version,
    pub(crate) header: Header<'a>,
    pub(crate) values: &'a Values,
}

/// What a record is made of that follows another.
#[derive(Debug)]
#[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "keys need more"))]
pub(crate) struct Next<'a> {
    pub(crate) handle: Handle,
    pub(crate) version: Version,
    pub(crate) old: &'a Record,
    /// The old one's values, if they are sealed.
    pub(crate) opened: Option<&'a Opened>,
    /// Another header, or the old one if it stays as it is.
    pub(crate) header: Result<Header<'a>, Header<'a>>,
    /// The id with a secret that replaces the current one.
    pub(crate) rotated: Option<&'a Token>,
    /// The id with the secret of a renewal.
    pub(crate) renewed: Option<(&'a SecretHash, &'a Token)>,
    pub(crate) values: &'a Values,
}

/// Values that are sealed in the store, as they are.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) values: Values,
    pub(crate) key: DataKey,
}

/// Why a record is not made.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// A key that was active a moment ago has been dropped, which ends what was made with it.
    #[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "without keys"))]
    KeyDropped,
    Random(RandomError),
}

impl From<RandomError> for Unmade {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// Why a record is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Undecodable(Undecodable),
    Untrusted(Distrust),
}

/// Why a record is not trusted. Whoever brings its id is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// It is not what a holder of the key has written under this handle.
    #[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "without keys"))]
    Forged,
    /// It was written without a keyring, and the time is over in which such records are accepted.
    #[cfg_attr(not(feature = "keyring"), expect(dead_code, reason = "without keys"))]
    Unauthenticated,
    /// It was written with a key that is not in the ring.
    UnknownKey,
}

impl From<Undecodable> for Unreadable {
    fn from(undecodable: Undecodable) -> Self {
        Self::Undecodable(undecodable)
    }
}

impl From<Distrust> for Unreadable {
    fn from(distrust: Distrust) -> Self {
        Self::Untrusted(distrust)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(undecodable) => undecodable.fmt(f),
            Self::Untrusted(_) => f.write_str("the record is not trusted"),
        }
    }
}

impl error::Error for Unreadable {}
