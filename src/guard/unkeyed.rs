//! What stands for a keyring where the feature is off: there is none.

use super::Unreadable;
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, SecretHash, Token},
    record::{Header, Record, Values, Version},
};

#[derive(Debug)]
pub(super) enum Keyed {}

impl Keyed {
    pub(super) const fn hash(&self, _: &Token) -> SecretHash {
        match *self {}
    }

    pub(super) const fn hash_as(&self, _: &Header<'_>, _: &Token, _: &IdHasher) -> SecretHash {
        match *self {}
    }

    pub(super) const fn read<'a>(
        &self,
        _: Handle,
        _: &'a Record,
        _: Timestamp,
    ) -> Result<Header<'a>, Unreadable> {
        match *self {}
    }

    pub(super) fn record(&self, _: Handle, _: Version, _: Vec<u8>, _: &Values) -> Record {
        match *self {}
    }
}
