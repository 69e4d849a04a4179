//! What a header says of values that are sealed: how often they were, and their key, wrapped for each secret that opens
//! the session.

use std::fmt;

use super::header::Undecodable;
use crate::id::{KeyTag, SecretHash};

/// How the values are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Which server's key was the active one.
    pub(crate) key: KeyTag,
    /// One more at every write of a value, and at nothing else.
    pub(crate) counter: u64,
}

impl Seal {
    pub(super) fn decode(content: &[u8]) -> Result<Self, Undecodable> {
        let (key, counter) = content.split_first_chunk().ok_or(Undecodable)?;
        let counter = counter.try_into().map_err(|_| Undecodable)?;
        Ok(Self {
            key: *key,
            counter: u64::from_be_bytes(counter),
        })
    }
}

/// The key of the values, wrapped under one of the session's secrets.
#[derive(Clone, Copy)]
pub(crate) struct Wrap {
    /// The beginning of that secret's hash.
    pub(super) of: [u8; OF_LEN],
    pub(super) key: WrappedKey,
}

/// What the secret and the server's key turn into the key.
pub(crate) type WrappedKey = [u8; 32];

impl Wrap {
    #[cfg(feature = "keyring")]
    pub(crate) fn new(secret: &SecretHash, key: WrappedKey) -> Self {
        Self {
            of: beginning(secret),
            key,
        }
    }

    pub(super) fn decode(content: &[u8]) -> Result<Self, Undecodable> {
        let (of, key) = content.split_first_chunk().ok_or(Undecodable)?;
        let key = key.try_into().map_err(|_| Undecodable)?;
        Ok(Self { of: *of, key })
    }

    #[cfg(feature = "keyring")]
    pub(crate) const fn key(&self) -> &WrappedKey {
        &self.key
    }

    pub(super) fn is_of(&self, secret: &SecretHash) -> bool {
        self.of == beginning(secret)
    }
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrap")
    }
}

fn beginning(secret: &SecretHash) -> [u8; OF_LEN] {
    let (beginning, _) = secret
        .as_bytes()
        .split_first_chunk()
        .expect("a hash is longer");
    *beginning
}

const OF_LEN: usize = 8;
