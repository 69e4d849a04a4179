//! Which records are trusted, and how they are made: with a keyring those alone that its holders have written.

#[cfg_attr(not(feature = "keyring"), path = "unkeyed.rs")]
mod keyed;

use std::{error, fmt};

use keyed::Keyed;

#[cfg(feature = "keyring")]
use crate::keyring::Keyring;
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, SecretHash, Token},
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
    pub(crate) fn with_keyring(cookie_name: &str, keyring: Keyring) -> Self {
        Self {
            keyed: Some(Keyed::new(cookie_name, keyring)),
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
    pub(crate) fn hash_as(&self, header: &Header<'_>, token: &Token) -> SecretHash {
        match &self.keyed {
            Some(keyed) => keyed.hash_as(header, token, &self.hasher),
            None => self.hasher.hash(token),
        }
    }

    /// Reads the header of a record that is trusted.
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

    /// Makes a record.
    pub(crate) fn record(
        &self,
        handle: Handle,
        version: Version,
        header: &Header<'_>,
        values: &Values,
    ) -> Record {
        match &self.keyed {
            Some(keyed) => keyed.record(handle, version, header.encode(), values),
            None => Record::of(version, header.encode().into(), values),
        }
    }

    /// Makes the record that follows another, with another header if there is one.
    pub(crate) fn succeed(
        &self,
        (handle, old): (Handle, &Record),
        version: Version,
        header: Result<&Header<'_>, &Header<'_>>,
        values: &Values,
    ) -> Record {
        match header {
            Err(_) if self.keyed.is_none() => old.with_values(version, values),
            Ok(header) | Err(header) => self.record(handle, version, header, values),
        }
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
