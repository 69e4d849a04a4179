//! Which records are trusted, and how they are made: with a keyring those alone that its holders have written.

#[cfg(feature = "keyring")]
mod keyed;

use std::{error, fmt};

#[cfg(feature = "keyring")]
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
    #[cfg(feature = "keyring")]
    keyed: Option<Keyed>,
}

impl Guard {
    pub(crate) fn new(cookie_name: &str) -> Self {
        Self {
            hasher: IdHasher::new(cookie_name),
            #[cfg(feature = "keyring")]
            keyed: None,
        }
    }

    #[cfg(feature = "keyring")]
    pub(crate) fn with_keyring(cookie_name: &str, keyring: Option<Keyring>) -> Self {
        Self {
            keyed: keyring.map(|keyring| Keyed::new(cookie_name, keyring)),
            ..Self::new(cookie_name)
        }
    }

    /// Hashes the secret of an id that was drawn just now.
    pub(crate) fn hash(&self, token: &Token) -> SecretHash {
        #[cfg(feature = "keyring")]
        if let Some(keyed) = &self.keyed {
            return keyed.hash(token);
        }
        self.hasher.hash(token)
    }

    /// Hashes the secret of an id that came, as this record has done it.
    pub(crate) fn hash_as(&self, _header: &Header<'_>, token: &Token) -> SecretHash {
        #[cfg(feature = "keyring")]
        if let Some(keyed) = &self.keyed {
            return keyed.hash_as(_header, token, &self.hasher);
        }
        self.hasher.hash(token)
    }

    /// Reads the header of a record that is trusted.
    pub(crate) fn read<'a>(
        &self,
        _handle: Handle,
        record: &'a Record,
        _now: Timestamp,
    ) -> Result<Header<'a>, Unreadable> {
        #[cfg(feature = "keyring")]
        if let Some(keyed) = &self.keyed {
            return keyed.read(_handle, record, _now);
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
        _handle: Handle,
        version: Version,
        header: &Header<'_>,
        values: &Values,
    ) -> Record {
        let header = header.encode();
        #[cfg(feature = "keyring")]
        if let Some(keyed) = &self.keyed {
            return keyed.record(_handle, version, header, values);
        }
        Record::of(version, header.into(), values)
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
            Err(_) if !self.is_keyed() => old.with_values(version, values),
            Ok(header) | Err(header) => self.record(handle, version, header, values),
        }
    }

    #[cfg(feature = "keyring")]
    const fn is_keyed(&self) -> bool {
        self.keyed.is_some()
    }

    #[cfg(not(feature = "keyring"))]
    #[expect(clippy::unused_self, reason = "with a keyring it depends")]
    const fn is_keyed(&self) -> bool {
        false
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
