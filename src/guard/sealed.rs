//! Values that are sealed with a key of the session's own, which is wrapped under each secret that opens it.

use std::{fmt, sync::Arc};

use aes_gcm::{
    AesGcm, Nonce, Tag,
    aead::{AeadInOut as _, KeyInit as _, consts::U12},
    aes::Aes256Enc,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    id::{Random, RandomError},
    record::{WrappedKey, concat},
};

/// AES-256-GCM. Both ways it takes AES in one direction only, so the key schedule of the other is spared.
type Cipher = AesGcm<Aes256Enc, U12>;

/// The key of a session's values. It is wiped when its last copy is dropped.
#[derive(Clone)]
pub(crate) struct DataKey(Arc<Zeroizing<[u8; LEN]>>);

impl DataKey {
    pub(super) fn draw(random: Random) -> Result<Self, RandomError> {
        let words = Zeroizing::new(random.draw::<4>()?);
        Ok(Self::filled(|key| fill(key, &*words)))
    }

    /// Hides this key under a pad that only the server's key and an id give.
    pub(super) fn wrap(&self, pad: &[u8; LEN]) -> WrappedKey {
        let mut wrapped = *pad;
        xor(&mut wrapped, &self.0);
        wrapped
    }

    /// Takes whatever comes out of it: another pad gives another key, which opens nothing.
    pub(super) fn unwrap(wrapped: &WrappedKey, pad: &[u8; LEN]) -> Self {
        Self::filled(|key| {
            *key = *pad;
            xor(key, wrapped);
        })
    }

    /// Fills in a key where it stays, so that no other copy is left behind.
    fn filled(fill: impl FnOnce(&mut [u8; LEN])) -> Self {
        let mut key = Arc::new(Zeroizing::new([0; LEN]));
        fill(Arc::get_mut(&mut key).expect("nobody else has it yet"));
        Self(key)
    }

    /// Encrypts values, bound to what is said of them.
    pub(super) fn seal(
        &self,
        values: &[u8],
        bound: &Bound,
        random: Random,
    ) -> Result<Arc<[u8]>, RandomError> {
        let mut nonce = Nonce::default();
        fill(&mut nonce, &random.draw::<2>()?);
        let mut sealed = concat(&[&[0; HEAD_LEN], values]);
        let buffer = Arc::get_mut(&mut sealed).expect("nobody else has it yet");
        let (head, values) = buffer.split_at_mut(HEAD_LEN);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, bound, values.into())
            .expect("a session is smaller than 64 GiB");
        head[0] = FORMAT;
        head[1..=NONCE_LEN].copy_from_slice(&nonce);
        head[1 + NONCE_LEN..].copy_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts values, in a place of their own; nothing of what is not genuine is seen.
    pub(super) fn open(&self, sealed: &[u8], bound: &Bound) -> Option<Arc<[u8]>> {
        let (head, encrypted) = sealed.split_at(head(sealed)?.len());
        let (nonce, tag) = head[1..].split_first_chunk::<NONCE_LEN>()?;
        let (nonce, tag) = (Nonce::from(*nonce), Tag::try_from(tag).ok()?);
        let mut values: Arc<[u8]> = encrypted.into();
        let place = Arc::get_mut(&mut values).expect("nobody else has it yet");
        let opened = self
            .cipher()
            .decrypt_inout_detached(&nonce, bound, place.into(), &tag);
        opened.ok().map(|()| values)
    }

    /// Makes the cipher: its key is derived from this one, so that who changes a wrap, and knows how, still makes a key
    /// of which he knows nothing.
    fn cipher(&self) -> Cipher {
        let mut key = Zeroizing::new([0; LEN]);
        // The one step of NIST SP 800-56C: a counter, the secret, what it is for.
        let mut hash = Sha256::new();
        hash.update([0, 0, 0, 1]);
        hash.update(self.0.as_slice());
        hash.update(b"tenure/v1 values");
        hash.finalize_into((&mut *key).into());
        Cipher::new((&*key).into())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

/// Returns what sealed values begin with: their format, a nonce and the tag, so all of them to who has the key. `None`
/// if they are not sealed.
pub(super) fn head(values: &[u8]) -> Option<&[u8]> {
    values.get(..HEAD_LEN).filter(|head| head[0] == FORMAT)
}

/// What encrypted values are bound to: four blocks of GHASH, which takes four at once.
pub(super) type Bound = [u8; 64];

fn fill(bytes: &mut [u8], words: &[u64]) {
    let random = words.iter().flat_map(|word| word.to_ne_bytes());
    bytes
        .iter_mut()
        .zip(random)
        .for_each(|(byte, random)| *byte = random);
}

fn xor(bytes: &mut [u8; LEN], others: &[u8; LEN]) {
    bytes
        .iter_mut()
        .zip(others)
        .for_each(|(byte, other)| *byte ^= other);
}

const LEN: usize = 32;

/// A random one is as good as a counter: a key encrypts one session's values, and those fewer than 2^32 times.
const NONCE_LEN: usize = 12;

/// Format, nonce, tag.
const HEAD_LEN: usize = 1 + NONCE_LEN + 16;

/// Of sealed values; that of plain ones is 1.
const FORMAT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[u8] = b"\x01\x01\x01a\0\0\0\x011";
    const BOUND: &Bound = &[5; 64];

    fn key(fill: u8) -> DataKey {
        DataKey::filled(|key| *key = [fill; LEN])
    }

    fn sealed() -> Arc<[u8]> {
        key(7).seal(VALUES, BOUND, Random::System).unwrap()
    }

    fn opened(key: &DataKey, sealed: &[u8], bound: &Bound) -> Option<Vec<u8>> {
        key.open(sealed, bound).map(|values| values.to_vec())
    }

    /// The stored form is kept for ever: these bytes must open for ever.
    #[test]
    fn the_sealed_forms_are_stable() {
        const SEALED: &[u8] = b"\x02\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\
            \x31\x46\xc6\xff\x6d\x7f\x3c\x78\x08\x41\xff\xeb\x16\x22\x1d\xf2\
            \x48\xe7\x64\x89\xd7\x78\x78\x4c\x38";
        assert_eq!(SEALED.len(), HEAD_LEN + VALUES.len());
        assert_eq!(opened(&key(7), SEALED, BOUND).as_deref(), Some(VALUES));
        let wrapped = key(7).wrap(&[1; LEN]);
        assert_eq!(wrapped, [6; LEN]);
        let unwrapped = DataKey::unwrap(&wrapped, &[1; LEN]);
        assert_eq!(opened(&unwrapped, SEALED, BOUND).as_deref(), Some(VALUES));
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_what_it_is_bound_to_and_with_nothing_else() {
        let sealed = sealed();
        assert_eq!(opened(&key(7), &sealed, BOUND).as_deref(), Some(VALUES));
        assert_eq!(opened(&key(8), &sealed, BOUND), None);
        for at in 0..BOUND.len() {
            let mut other = *BOUND;
            other[at] ^= 1;
            assert_eq!(opened(&key(7), &sealed, &other), None, "bound, byte {at}");
        }
        for at in 0..sealed.len() {
            let mut bad = sealed.to_vec();
            bad[at] ^= 1;
            assert_eq!(opened(&key(7), &bad, BOUND), None, "byte {at}");
            assert_eq!(opened(&key(7), &sealed[..at], BOUND), None, "cut at {at}");
        }
    }

    #[test]
    fn a_wrap_with_any_bit_changed_or_under_another_pad_gives_a_key_that_opens_nothing() {
        let (sealed, pad) = (sealed(), [1; LEN]);
        let wrapped = key(7).wrap(&pad);
        let opens = |wrapped: &WrappedKey, pad: &[u8; LEN]| {
            opened(&DataKey::unwrap(wrapped, pad), &sealed, BOUND).is_some()
        };
        assert!(opens(&wrapped, &pad));
        for bit in 0..8 * LEN {
            let mut bad = wrapped;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&bad, &pad), "bit {bit}");
            let mut other = pad;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&wrapped, &other), "bit {bit} of the pad");
        }
    }

    /// The MAC of a record has the head of sealed values in the place of all of them: who has not the data key can change no
    /// byte behind it. (Who has that key can make other values of the same head.)
    #[test]
    fn no_byte_behind_the_head_can_be_changed_without_the_key() {
        let sealed = sealed();
        assert_eq!(head(&sealed), Some(&sealed[..29]));
        for at in 29..sealed.len() {
            let mut bad = sealed.to_vec();
            bad[at] ^= 1;
            assert_eq!(head(&bad), head(&sealed));
            assert_eq!(opened(&key(7), &bad, BOUND), None, "byte {at}");
        }
        for plain in [VALUES, &[], &sealed[..28]] {
            assert_eq!(head(plain), None);
        }
    }

    #[test]
    fn the_same_values_are_never_sealed_to_the_same_bytes() {
        assert_ne!(sealed()[1..], sealed()[1..]);
    }

    #[test]
    fn without_random_bytes_nothing_is_sealed() {
        assert!(DataKey::draw(Random::Broken).is_err());
        assert!(key(7).seal(VALUES, BOUND, Random::Broken).is_err());
    }

    #[test]
    fn what_is_made_of_a_key_is_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Zeroizing<[u8; LEN]>>();
        wiped::<Cipher>();
    }

    #[test]
    fn a_key_of_values_is_not_printed() {
        assert_eq!(format!("{:?}", key(7)), "DataKey(redacted)");
    }
}
