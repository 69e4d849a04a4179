//! Records that are authenticated with a keyring.

use hmac::Mac as _;
use zeroize::Zeroizing;

use super::{Distrust, Unreadable};
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, KeyTag, SecretHash, Token, id_context},
    keyring::{Derived, Keyring, Ring},
    record::{Authenticated, Header, Record, Values, Version},
};

/// The keyring of a layer, and whose records are made with it.
#[derive(Debug)]
pub(super) struct Keyed {
    keyring: Keyring,
    cookie_name: Box<str>,
    id_context: Vec<u8>,
}

impl Keyed {
    pub(super) fn new(cookie_name: &str, keyring: Keyring) -> Self {
        Self {
            keyring,
            cookie_name: cookie_name.into(),
            id_context: id_context(cookie_name),
        }
    }

    pub(super) fn hash(&self, token: &Token) -> SecretHash {
        self.hash_with(self.keyring.ring().active(), token)
    }

    /// Hashes a secret with the key that a record's own secrets were hashed with.
    pub(super) fn hash_as(
        &self,
        header: &Header<'_>,
        token: &Token,
        unkeyed: &IdHasher,
    ) -> SecretHash {
        let ring = self.keyring.ring();
        let hash = |key: Option<KeyTag>| match key {
            None => Some(unkeyed.hash(token)),
            Some(tag) => Some(self.hash_with(ring.find(tag)?, token)),
        };
        let current = hash(header.secret.key());
        let is_current = |hash: &SecretHash| header.secret.matches(hash);
        let found = current.filter(is_current).or_else(|| {
            let mut others = header.other_keys().into_iter().filter_map(hash);
            others.find(|hash| header.knows(hash))
        });
        found.unwrap_or_else(|| self.hash_with(ring.active(), token))
    }

    fn hash_with(&self, key: &Derived, token: &Token) -> SecretHash {
        let message = Zeroizing::new(token.message());
        let mac = key.secrets().chain_update(&self.id_context);
        let hash = mac.chain_update(&*message).finalize().into_bytes();
        SecretHash::from_bytes(hash.into()).keyed(Some(key.tag()))
    }

    pub(super) fn read<'a>(
        &self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Result<Header<'a>, Unreadable> {
        let ring = self.keyring.ring();
        let authenticated = Authenticated::of(record.header());
        match &authenticated {
            Some(authenticated) => self.verify(&ring, handle, record, authenticated)?,
            None if ring.accepts_unkeyed(now) => {}
            None => return Err(Distrust::Unauthenticated.into()),
        }
        let header = Header::decode(record.header())?;
        let is_keyed = header.secret.key().is_some();
        if authenticated.is_none() && (is_keyed || header.is_authenticated) {
            // What a keyring has written had a MAC: somebody has taken it away.
            return Err(Distrust::Forged.into());
        }
        let is_known = |tag: Option<KeyTag>| tag.is_none_or(|tag| ring.find(tag).is_some());
        match is_known(header.secret.key()) || header.successor_keys().into_iter().any(is_known) {
            true => Ok(header),
            false => Err(Distrust::UnknownKey.into()),
        }
    }

    fn verify(
        &self,
        ring: &Ring,
        handle: Handle,
        record: &Record,
        authenticated: &Authenticated<'_>,
    ) -> Result<(), Distrust> {
        let key = ring.find(authenticated.key).ok_or(Distrust::UnknownKey)?;
        let mac = self.mac(
            key,
            handle,
            record.version(),
            authenticated.header,
            record.values(),
        );
        mac.verify_slice(authenticated.mac)
            .map_err(|_| Distrust::Forged)
    }

    pub(super) fn record(
        &self,
        handle: Handle,
        version: Version,
        mut header: Vec<u8>,
        values: &Values,
    ) -> Record {
        let ring = self.keyring.ring();
        let key = ring.active();
        let mac = self.mac(key, handle, version, &header, &values.stored());
        Authenticated::write(&mut header, key.tag(), &mac.finalize().into_bytes().into());
        Record::of(version, header.into(), values)
    }

    /// Authenticates all that a record says, whose it is, and under which handle it stands; each part after its length.
    fn mac(
        &self,
        key: &Derived,
        handle: Handle,
        version: Version,
        header: &[u8],
        values: &[u8],
    ) -> hmac::Hmac<sha2::Sha256> {
        let parts: [&[u8]; 6] = [
            self.cookie_name.as_bytes(),
            &key.tag(),
            handle.as_bytes(),
            &version.as_u64().to_be_bytes(),
            header,
            values,
        ];
        parts.into_iter().fold(key.records(), |mac, part| {
            let len = part.len() as u64;
            mac.chain_update(len.to_be_bytes()).chain_update(part)
        })
    }
}
