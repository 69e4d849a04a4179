//! What is derived from a server's key: one key for each purpose, so that what is made for one is nothing in another.

use std::sync::OnceLock;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _, digest::FixedOutput as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::server_key::KEY_LEN;
use crate::id::{KeyTag, Token};

/// The keys of each purpose. Of the server's key itself nothing is kept.
#[derive(Clone)]
pub(crate) struct Derived {
    tag: KeyTag,
    secrets: Hmac<Sha256>,
    records: Hmac<Sha256>,
    wraps: Hmac<Sha256>,
    /// What the first layers that had the key begin with.
    begun: [OnceLock<Begun>; 4],
}

/// What a layer's hashes and MACs begin with: keyed, and with the layer's context hashed already.
#[derive(Clone)]
struct Begun {
    context: Box<[u8]>,
    secret: Hmac<Sha256>,
    record: Hmac<Sha256>,
}

impl Derived {
    pub(super) fn from(master: &[u8; KEY_LEN]) -> Self {
        let master = Hkdf::<Sha256>::new(Some(SALT), master);
        Self {
            tag: *expand(&master, b"key id"),
            secrets: keyed(&expand(&master, b"secret")),
            records: keyed(&expand(&master, b"record")),
            wraps: keyed(&expand(&master, b"seal")),
            begun: Default::default(),
        }
    }

    /// Returns the key's public name.
    pub(crate) const fn tag(&self) -> KeyTag {
        self.tag
    }

    /// Begins the hash of an id's secret in the layer of a context.
    pub(crate) fn secret(&self, context: &[u8]) -> Hmac<Sha256> {
        self.begun(context, |begun| begun.secret.clone())
    }

    /// Begins the MAC of a record in the layer of a context.
    pub(crate) fn record(&self, context: &[u8]) -> Hmac<Sha256> {
        self.begun(context, |begun| begun.record.clone())
    }

    /// Takes what a layer begins with from where it is kept, or makes it where there is no place for one more.
    fn begun<T>(&self, context: &[u8], take: impl Fn(&Begun) -> T) -> T {
        let begin = || Begun {
            context: context.into(),
            secret: self.secrets.clone().chain_update(context),
            record: self.records.clone().chain_update(context),
        };
        let mut begun = self.begun.iter().map(|begun| begun.get_or_init(begin));
        match begun.find(|begun| *begun.context == *context) {
            Some(begun) => take(begun),
            None => take(&begin()),
        }
    }

    /// Returns what hides the key of a session's values: it takes this key and the id whose secret is to open them.
    pub(crate) fn pad(&self, token: &Token) -> Zeroizing<[u8; KEY_LEN]> {
        let mut pad = Zeroizing::new([0; KEY_LEN]);
        let (mut mac, message) = (self.wraps.clone(), Zeroizing::new(token.message()));
        mac.update(&*message);
        mac.finalize_into((&mut *pad).into());
        pad
    }

    /// Tells whether both come from one key, and not from two that have got the same name.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let check = |key: &Self| key.secrets.clone().finalize();
        self.tag == other.tag && check(self) == check(other)
    }

    #[cfg(test)]
    pub(super) const fn rename(&mut self, tag: KeyTag) {
        self.tag = tag;
    }
}

fn expand<const N: usize>(master: &Hkdf<Sha256>, purpose: &[u8]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    let expanded = master.expand(purpose, &mut *key);
    expanded.expect("HKDF gives 255 times more than is asked for");
    key
}

fn keyed(key: &[u8; KEY_LEN]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length is one for HMAC")
}

const SALT: &[u8] = b"tenure/v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(key: Hmac<Sha256>) -> [u8; 32] {
        key.chain_update(b"message").finalize().into_bytes().into()
    }

    /// What is stored is kept for ever: these bytes must never change.
    #[test]
    fn the_keys_of_each_purpose_are_stable() {
        let key = Derived::from(&[7; KEY_LEN]);
        assert_eq!(key.tag(), [0x5c, 0x4c, 0xc6, 0x4e]);
        let start = |mac: [u8; 32]| u64::from_be_bytes(*mac.first_chunk().unwrap());
        assert_eq!(start(mac(key.secret(&[]))), 0x3f14_9fd8_a8a7_a514);
        assert_eq!(start(mac(key.record(&[]))), 0x6226_19f0_000a_155c);
    }

    #[test]
    fn however_many_layers_have_a_key_each_begins_with_its_own_context() {
        let key = Derived::from(&[7; KEY_LEN]);
        for layer in (0..6).chain(0..6) {
            let context = [layer; 64];
            let anew = |keyed: &Hmac<Sha256>| mac(keyed.clone().chain_update(context));
            assert_eq!(mac(key.secret(&context)), anew(&key.secrets), "{layer}");
            assert_eq!(mac(key.record(&context)), anew(&key.records), "{layer}");
        }
    }

    #[test]
    fn a_wrapping_key_takes_the_server_key_and_the_whole_id() {
        let pad = |key: u8, handle: u8, secret: u8| {
            let mut text = [handle; Token::CHARS];
            text[22..].fill(secret);
            *Derived::from(&[key; KEY_LEN]).pad(&Token::parse(&text).unwrap())
        };
        let known = pad(7, b'A', b'A');
        assert_eq!(pad(7, b'A', b'A'), known);
        for other in [pad(8, b'A', b'A'), pad(7, b'Q', b'A'), pad(7, b'A', b'B')] {
            assert_ne!(other, known);
        }
    }

    #[test]
    fn what_is_made_for_one_purpose_is_nothing_in_another() {
        let key = Derived::from(&[7; KEY_LEN]);
        assert_ne!(mac(key.secret(&[])), mac(key.record(&[])));
        assert!(!key.is_same_as(&Derived::from(&[8; KEY_LEN])));
    }
}
