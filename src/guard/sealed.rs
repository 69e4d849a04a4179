//! Values that are sealed with a key of the session's own, which is wrapped under each secret that opens it.

use std::{fmt, sync::Arc};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use zeroize::Zeroizing;

use crate::{
    id::{Random, RandomError},
    record::WrappedKey,
};

/// The key of a session's values. It is wiped when its last copy is dropped.
#[derive(Clone)]
pub(crate) struct DataKey(Arc<Zeroizing<[u8; LEN]>>);

impl DataKey {
    pub(super) fn draw(random: Random) -> Result<Self, RandomError> {
        let mut key = Zeroizing::new([0; LEN]);
        fill(&mut *key, &random.draw::<4>()?);
        Ok(Self(Arc::new(key)))
    }

    /// Encrypts this key, bound to what is said of it.
    pub(super) fn wrap(
        &self,
        under: &[u8; LEN],
        bound: &[u8],
        random: Random,
    ) -> Result<WrappedKey, RandomError> {
        let nonce = draw_nonce(random)?;
        let mut wrapped: WrappedKey = [0; size_of::<WrappedKey>()];
        wrapped[..nonce.len()].copy_from_slice(&nonce);
        let encrypted = encrypt(under, &nonce, &**self.0, bound);
        wrapped[nonce.len()..].copy_from_slice(&encrypted);
        Ok(wrapped)
    }

    pub(super) fn unwrap(wrapped: &WrappedKey, under: &[u8; LEN], bound: &[u8]) -> Option<Self> {
        let key = Zeroizing::new(decrypt(under, wrapped, bound)?);
        let key = key.as_slice().try_into().ok()?;
        Some(Self(Arc::new(Zeroizing::new(key))))
    }

    /// Encrypts values, bound to what is said of them.
    pub(super) fn seal(
        &self,
        values: &[u8],
        bound: &[u8],
        random: Random,
    ) -> Result<Vec<u8>, RandomError> {
        let nonce = draw_nonce(random)?;
        let encrypted = encrypt(&self.0, &nonce, values, bound);
        Ok([&[FORMAT], &nonce[..], &encrypted].concat())
    }

    pub(super) fn open(&self, sealed: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
        decrypt(&self.0, sealed.strip_prefix(&[FORMAT])?, bound)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

/// A random one is as good as a counter: a key encrypts one session's values, and those fewer than 2^32 times.
fn draw_nonce(random: Random) -> Result<[u8; NONCE_LEN], RandomError> {
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce, &random.draw::<2>()?);
    Ok(nonce)
}

fn fill(bytes: &mut [u8], words: &[u64]) {
    let random = words.iter().flat_map(|word| word.to_ne_bytes());
    bytes
        .iter_mut()
        .zip(random)
        .for_each(|(byte, random)| *byte = random);
}

fn encrypt(key: &[u8; LEN], nonce: &[u8; NONCE_LEN], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    let encrypted = Aes256Gcm::new(key.into()).encrypt(&Nonce::from(*nonce), Payload { msg, aad });
    encrypted.expect("a session is smaller than 64 GiB")
}

/// Decrypts what follows a nonce, into a place of its own; nothing of what is not genuine is seen.
fn decrypt(key: &[u8; LEN], sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let cipher = Aes256Gcm::new(key.into());
    cipher
        .decrypt(&Nonce::from(*nonce), Payload { msg, aad })
        .ok()
}

const LEN: usize = 32;

const NONCE_LEN: usize = 12;

/// Of sealed values; that of plain ones is 1.
const FORMAT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[u8] = b"\x01\x01\x01a\0\0\0\x011";

    fn key(fill: u8) -> DataKey {
        DataKey(Arc::new(Zeroizing::new([fill; LEN])))
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_sealed_forms_are_stable() {
        let nonce = [3; NONCE_LEN];
        let sealed = [
            &[FORMAT],
            &nonce[..],
            &encrypt(&[7; LEN], &nonce, VALUES, b"bound"),
        ]
        .concat();
        assert_eq!(sealed.len(), 1 + 12 + VALUES.len() + 16);
        let start = |bytes: &[u8]| u64::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(
            (sealed[0], start(&sealed[13..])),
            (2, 0x24ff_a262_5a28_5e43)
        );
        assert_eq!(key(7).open(&sealed, b"bound").as_deref(), Some(VALUES));
        let wrapped = [&nonce[..], &encrypt(&[1; LEN], &nonce, &[7; LEN], b"bound")].concat();
        assert_eq!(start(&wrapped[12..]), 0xff66_139d_f883_306e);
        let wrapped = wrapped.as_slice().try_into().unwrap();
        let unwrapped = DataKey::unwrap(wrapped, &[1; LEN], b"bound").unwrap();
        assert_eq!(**unwrapped.0, [7; LEN]);
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_what_it_is_bound_to_and_with_nothing_else() {
        let sealed = key(7).seal(VALUES, b"bound", Random::System).unwrap();
        let wrapped = key(7).wrap(&[1; LEN], b"bound", Random::System).unwrap();
        let unwrapped = |wrapped: &WrappedKey, under: u8, bound: &[u8]| {
            DataKey::unwrap(wrapped, &[under; LEN], bound).map(|key| **key.0)
        };
        assert_eq!(key(7).open(&sealed, b"bound").as_deref(), Some(VALUES));
        assert_eq!(key(8).open(&sealed, b"bound"), None);
        assert_eq!(key(7).open(&sealed, b"other"), None);
        assert_eq!(unwrapped(&wrapped, 1, b"bound"), Some([7; LEN]));
        assert_eq!(unwrapped(&wrapped, 2, b"bound"), None);
        assert_eq!(unwrapped(&wrapped, 1, b"other"), None);
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(key(7).open(&bad, b"bound"), None, "byte {at}");
            assert_eq!(key(7).open(&sealed[..at], b"bound"), None, "cut at {at}");
        }
        for at in 0..wrapped.len() {
            let mut bad = wrapped;
            bad[at] ^= 1;
            assert_eq!(unwrapped(&bad, 1, b"bound"), None, "byte {at}");
        }
    }

    #[test]
    fn the_same_values_are_never_sealed_to_the_same_bytes() {
        let seal = || key(7).seal(VALUES, b"bound", Random::System).unwrap();
        assert_ne!(seal()[1..], seal()[1..]);
        let wrap = || key(7).wrap(&[1; LEN], b"bound", Random::System).unwrap();
        assert_ne!(wrap(), wrap());
    }

    #[test]
    fn without_random_bytes_nothing_is_sealed() {
        assert!(DataKey::draw(Random::Broken).is_err());
        assert!(key(7).seal(VALUES, b"", Random::Broken).is_err());
        assert!(key(7).wrap(&[1; LEN], b"", Random::Broken).is_err());
    }

    #[test]
    fn a_key_of_values_is_not_printed() {
        assert_eq!(format!("{:?}", key(7)), "DataKey(redacted)");
    }
}
