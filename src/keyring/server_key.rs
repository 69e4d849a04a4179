//! One key of a server, and what is refused as one.

use std::{fmt, path::Path, sync::Arc};

use zeroize::{Zeroize as _, Zeroizing};

use super::{Derived, KeyError};
use crate::id::{KeyTag, Random, read_32_bytes};

/// A key of a server: 32 random bytes.
///
/// A key that is too short, a text, or a pattern is refused. It is never printed, and wiped when the last copy of it is dropped; of the
/// bytes themselves only what is derived from them is kept.
///
/// ```
/// use tenure::ServerKey;
///
/// let key = ServerKey::from_hex("9f3c1e5b7a02d846c8b1fe5307946a2d4f8ee0b36d1795ca5028bd6fa17c43e9")?;
/// let same = ServerKey::from_base64("nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=")?;
/// assert_eq!(key.id(), same.id());
/// assert_eq!(format!("{key:?}"), format!("ServerKey({})", key.id()));
///
/// assert!(ServerKey::from_bytes(b"0123456789abcdef0123456789abcdef").is_err(), "a text is no key");
/// assert!(ServerKey::from_bytes(&[0; 32]).is_err());
/// # Ok::<_, tenure::KeyError>(())
/// ```
#[derive(Clone)]
pub struct ServerKey(Arc<Derived>);

impl ServerKey {
    /// Draws a key, for tests and for keys that end with the process.
    ///
    /// # Errors
    ///
    /// If the operating system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut words = Zeroizing::new([0; 4]);
        *words = Random::System.draw().map_err(KeyError::no_random)?;
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(*words) {
            *place = u64::to_ne_bytes(word);
        }
        Ok(Self::of(&bytes))
    }

    /// Takes the bytes of a key.
    ///
    /// # Errors
    ///
    /// If it has not 32 bytes, is a text, or is a pattern.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; KEY_LEN] = bytes.try_into().map_err(|_| KeyError::len(bytes.len()))?;
        if is_text(bytes) {
            return Err(KeyError::text());
        }
        if is_guessable(bytes) {
            return Err(KeyError::guessable());
        }
        Ok(Self::of(bytes))
    }

    /// Reads a key from 64 digits of hex, large or small.
    ///
    /// # Errors
    ///
    /// If it is not that, or as for [`from_bytes`](Self::from_bytes).
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let bytes = read_hex(text.as_bytes()).ok_or_else(KeyError::not_hex)?;
        Self::from_bytes(&*bytes)
    }

    /// Reads a key from base64, of the usual alphabet or of that for addresses, with padding or without.
    ///
    /// # Errors
    ///
    /// If it is not that, or as for [`from_bytes`](Self::from_bytes).
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = read_base64(text.as_bytes()).ok_or_else(KeyError::not_base64)?;
        Self::from_bytes(&*bytes)
    }

    /// Reads a key from text that is either of the two; its length says which.
    pub(super) fn from_text(text: &str) -> Result<Self, KeyError> {
        match text.len() {
            64 => Self::from_hex(text),
            // It was cut off: no random base64 is without a letter beyond `f`.
            43 | 44 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Err(KeyError::not_hex())
            }
            43 | 44 => Self::from_base64(text),
            _ => Err(KeyError::neither_hex_nor_base64()),
        }
    }

    /// Reads a key from a file that has just its 32 bytes, as a secret store mounts it.
    ///
    /// A file of text, with several keys, is for [`Keyring::from_file`](crate::Keyring::from_file).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("key");
    /// use tenure::ServerKey;
    ///
    /// std::fs::write(&path, "nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=\n").unwrap();
    /// let error = ServerKey::from_binary_file(&path).unwrap_err().to_string();
    /// assert!(error.ends_with("this is text, for `Keyring::from_file`"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is text, or as for [`from_bytes`](Self::from_bytes).
    pub fn from_binary_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| KeyError::unreadable(path, error))?;
        let bytes = Zeroizing::new(bytes);
        let key = match is_lines(&bytes) {
            true => Err(KeyError::text_file()),
            false => Self::from_bytes(&bytes),
        };
        key.map_err(|error| error.of_file(path))
    }

    /// Returns the key's public name, which is computed from it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(self.0.tag())
    }

    pub(crate) fn derived(&self) -> &Derived {
        &self.0
    }

    fn of(bytes: &[u8; KEY_LEN]) -> Self {
        Self(Arc::new(Derived::from(bytes)))
    }

    #[cfg(test)]
    pub(crate) fn for_test(fill: u8) -> Self {
        Self::of(&[fill; KEY_LEN])
    }

    #[cfg(test)]
    pub(super) fn with_tag(&self, tag: KeyTag) -> Self {
        let mut derived = Derived::clone(&self.0);
        derived.rename(tag);
        Self(Arc::new(derived))
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKey({})", self.id())
    }
}

/// The public name of a [`ServerKey`], which is computed from the key: four bytes that say nothing about the rest.
///
/// ```
/// use tenure::ServerKey;
///
/// let key = ServerKey::from_hex("9f3c1e5b7a02d846c8b1fe5307946a2d4f8ee0b36d1795ca5028bd6fa17c43e9")?;
/// assert_eq!(key.id().to_string().len(), 8);
/// # Ok::<_, tenure::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(KeyTag);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

fn read_hex(text: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != KEY_LEN {
        return None;
    }
    let digit = |char: u8| char::from(char).to_digit(16);
    for (place, [high, low]) in bytes.iter_mut().zip(pairs) {
        *place = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

fn read_base64(text: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let mut url = Zeroizing::new(<[u8; BASE64_CHARS]>::try_from(text).ok()?);
    for char in url.iter_mut() {
        *char = match *char {
            b'+' => b'-',
            b'/' => b'_',
            char => char,
        };
    }
    let mut words = read_32_bytes(&url)?;
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *place = u64::to_be_bytes(word);
    }
    words.zeroize();
    Some(bytes)
}

/// Tells whether somebody has typed it: of random keys one in 10^13 looks so.
fn is_text(bytes: &[u8; KEY_LEN]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n'))
}

/// Tells whether a file is one for a ring: `openssl` would make the same again, so how long it is says nothing.
fn is_lines(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    !bytes.is_empty() && bytes.iter().all(is_text)
}

/// Tells whether it repeats itself, counts up or down, or has few different bytes.
fn is_guessable(bytes: &[u8; KEY_LEN]) -> bool {
    let repeats = |period: usize| bytes[period..] == bytes[..KEY_LEN - period];
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let first = step(&bytes[..2]);
    let counts = bytes.windows(2).all(|pair| step(pair) == first);
    let mut distinct = Zeroizing::new(*bytes);
    distinct.sort_unstable();
    let distinct = 1 + distinct
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count();
    repeats(8) || repeats(16) || counts || distinct < FEWEST_DISTINCT
}

pub(super) const KEY_LEN: usize = 32;

/// Of base64 without padding.
const BASE64_CHARS: usize = 43;

/// A random key has thirty different bytes, give or take; that it has fewer than this has never happened to anybody.
const FEWEST_DISTINCT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; KEY_LEN] = [
        0x9f, 0x3c, 0x1e, 0x5b, 0x7a, 0x02, 0xd8, 0x46, 0xc8, 0xb1, 0xfe, 0x53, 0x07, 0x94, 0x6a,
        0x2d, 0x4f, 0x8e, 0xe0, 0xb3, 0x6d, 0x17, 0x95, 0xca, 0x50, 0x28, 0xbd, 0x6f, 0xa1, 0x7c,
        0x43, 0xe9,
    ];
    const HEX: &str = "9f3c1e5b7a02d846c8b1fe5307946a2d4f8ee0b36d1795ca5028bd6fa17c43e9";
    const BASE64: &str = "nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=";

    #[test]
    fn a_key_reads_the_same_from_bytes_hex_and_base64() {
        let expected = ServerKey::from_bytes(&BYTES).unwrap();
        let url = BASE64.replace('+', "-");
        for text in [HEX, &HEX.to_uppercase(), BASE64, &BASE64[..43], &url] {
            let key = ServerKey::from_text(text).unwrap();
            assert!(key.0.is_same_as(&expected.0), "{text}");
        }
    }

    #[test]
    fn every_bad_key_is_refused_with_the_mend() {
        let counting: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).map(|index| 255 - 3 * index).collect();
        let halves = [&BYTES[..16], &BYTES[..16]].concat();
        let poor: Vec<u8> = (0..32_u32).map(|index| (index * index % 7) as u8).collect();
        for (case, bytes, words) in [
            ("empty", &[][..], "32 bytes and this has 0"),
            ("short", &BYTES[..16], "32 bytes and this has 16"),
            ("long", &[BYTES, BYTES].concat(), "32 bytes and this has 64"),
            (
                "typed",
                b"correct horse battery staple 123",
                "this key is text",
            ),
            (
                "hex that was not read",
                &HEX.as_bytes()[..32],
                "this key is text",
            ),
            ("zeros", &[0; 32], "a pattern"),
            ("one byte", &[0xa5; 32], "a pattern"),
            ("counting", &counting, "a pattern"),
            ("counting down", &down, "a pattern"),
            ("twice the same", &halves, "a pattern"),
            ("few different bytes", &poor, "a pattern"),
        ] {
            let error = ServerKey::from_bytes(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{case}: {error}");
            assert!(error.contains("openssl rand -base64 32"), "{case}: {error}");
        }
        for text in ["", "changeme", &HEX[..63], &BASE64[..42], &"+".repeat(45)] {
            let error = ServerKey::from_text(text).unwrap_err().to_string();
            assert!(error.contains("openssl"), "{text}: {error}");
        }
        // Digits of hex are letters of base64, and some rows of 43 of them would be a key.
        for len in [43, 44] {
            let cut = format!("{}8", &HEX[..len - 1]);
            let error = ServerKey::from_text(&cut).unwrap_err().to_string();
            assert!(error.contains("not hex of 32 bytes"), "{cut}: {error}");
        }
        for bad in [HEX.replace('9', "g"), HEX.replace('9', "é")] {
            assert!(ServerKey::from_hex(&bad).is_err(), "{bad}");
        }
        // The last character has two bits that carry nothing.
        for bad in [BASE64.replace("k=", "l="), BASE64.replace('L', "*")] {
            assert!(ServerKey::from_base64(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_that_are_drawn_are_accepted_and_differ() {
        let first = ServerKey::generate().unwrap();
        assert!(!first.0.is_same_as(&ServerKey::generate().unwrap().0));
        for seed in 0..2_000_u32 {
            use sha2::{Digest as _, Sha256};
            let bytes: [u8; 32] = Sha256::digest(seed.to_be_bytes()).into();
            assert!(ServerKey::from_bytes(&bytes).is_ok(), "{seed}");
        }
    }

    #[test]
    fn nothing_that_prints_shows_a_key() {
        let key = ServerKey::from_bytes(&BYTES).unwrap();
        let ring = crate::keyring::Keyring::new(key.clone());
        let printed = format!("{key:?} {ring:?} {:?}", key.id());
        assert!(printed.contains(&key.id().to_string()));
        for part in [&HEX[..8], &BASE64[..8], "9f, 3c", "159, 60", "[9f"] {
            assert!(
                !printed.to_lowercase().contains(&part.to_lowercase()),
                "{printed}"
            );
        }
    }

    /// An HMAC keeps two states of `Sha256` and nothing else of its key.
    #[test]
    fn what_is_derived_from_a_key_is_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<sha2::Sha256>();
        wiped::<sha2::block_api::Sha256VarCore>();
    }
}
