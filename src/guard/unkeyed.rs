//! What stands for a keyring where the feature is off: there is none.

use super::{Distrust, First, Next, Opened, Unmade, Unreadable};
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, Random, SecretHash, Token},
    record::{Header, Record},
};

#[derive(Debug)]
pub(super) enum Keyed {}

#[derive(Clone, Debug)]
pub(crate) enum DataKey {}

type Made = Result<(Record, Option<Opened>), Unmade>;

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

    pub(super) fn create(&self, _: First<'_>, _: Random) -> Made {
        match *self {}
    }

    pub(super) fn succeed(&self, _: Next<'_>, _: Random) -> Made {
        match *self {}
    }

    pub(super) const fn open(
        &self,
        _: Handle,
        _: &Header<'_>,
        _: &Record,
        _: (&SecretHash, &Token),
    ) -> Result<Option<Opened>, Distrust> {
        match *self {}
    }

    pub(super) const fn reopen(
        &self,
        _: Handle,
        _: &Header<'_>,
        _: &Record,
        _: Option<&DataKey>,
    ) -> Result<Option<Opened>, Distrust> {
        match *self {}
    }
}
