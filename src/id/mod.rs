//! What a cookie carries: a public [`Handle`] and a secret that nobody but the browser keeps.
//!
//! The two are 16 and 32 random bytes, written as 64 characters of unpadded base64url. The store's key is the handle;
//! the record keeps a hash of the secret only, so a copy of the store opens no session.

mod base64url;
mod random;

use std::{borrow::Cow, fmt, str::FromStr};

pub(crate) use random::{Random, RandomError};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use base64url::{BLOCK_CHARS, ZERO, decode, encode};

/// The public name of a session: the store's key.
///
/// It is safe to list, to log and to put into a page, and it opens nothing. It stays the same while the session lives,
/// so what must not outlive a login (a CSRF token, a cache entry) binds to the handle *and* the
/// [generation](crate::Session::generation).
///
/// ```
/// use tenure::Handle;
///
/// let handle = Handle::from_bytes([7; 16]);
/// assert_eq!(handle.to_string(), "BwcHBwcHBwcHBwcHBwcHBw");
/// assert_eq!(handle.to_string().parse(), Ok(handle));
/// assert!("BwcHBwcHBwcHBwcHBwcHBx".parse::<Handle>().is_err()); // not the canonical spelling
/// ```
///
/// To serde it is its text, so that it may be a field of a form, a part of a path, or a member of JSON:
///
/// ```
/// use tenure::Handle;
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct Device {
///     device: Handle,
/// }
///
/// let json = r#"{"device":"BwcHBwcHBwcHBwcHBwcHBw"}"#;
/// let form: Device = serde_json::from_str(json).unwrap();
/// assert_eq!(form.device, Handle::from_bytes([7; 16]));
/// assert_eq!(serde_json::to_string(&form).unwrap(), json);
/// assert!(serde_json::from_str::<Device>(r#"{"device":"x"}"#).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; Self::LEN]);

impl Handle {
    /// How many bytes a handle has.
    pub const LEN: usize = 16;

    /// Makes a handle of its bytes, as a store does that has read them.
    ///
    /// ```
    /// use tenure::Handle;
    ///
    /// assert_eq!(Handle::from_bytes([0; 16]).to_string(), "A".repeat(22));
    /// ```
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, as a store writes them.
    ///
    /// ```
    /// use tenure::Handle;
    ///
    /// let handle: Handle = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    /// assert_eq!(handle.as_bytes(), &[0; 16]);
    /// ```
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn from_words([first, second]: [u64; 2]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&first.to_be_bytes());
        bytes[8..].copy_from_slice(&second.to_be_bytes());
        Self(bytes)
    }

    /// Returns how the handle is written: in base64url.
    pub(crate) fn chars(&self) -> [u8; HANDLE_CHARS] {
        let [first, second] = self.words();
        let block = encode([first, second, 0]);
        std::array::from_fn(|place| block[place])
    }

    fn words(&self) -> [u64; 2] {
        let (words, _) = self.0.as_chunks();
        [u64::from_be_bytes(words[0]), u64::from_be_bytes(words[1])]
    }
}

impl FromStr for Handle {
    type Err = ParseHandleError;

    fn from_str(text: &str) -> Result<Self, ParseHandleError> {
        let mut block = [ZERO; BLOCK_CHARS];
        let text: &[u8; HANDLE_CHARS] = text
            .as_bytes()
            .try_into()
            .map_err(|_| ParseHandleError(()))?;
        block[..HANDLE_CHARS].copy_from_slice(text);
        match decode(&block) {
            // The last character has four bits that carry nothing: only zeros are canonical.
            Some([first, second, 0]) => Ok(Self::from_words([first, second])),
            _ => Err(ParseHandleError(())),
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.chars()).expect("base64url is ASCII"))
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A form's or a path's text is not always borrowed.
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

/// The text is not a handle: 22 characters of canonical, unpadded base64url.
///
/// ```
/// use tenure::Handle;
///
/// let error = "too short".parse::<Handle>().unwrap_err();
/// assert_eq!(error.to_string(), "a handle is 22 characters of canonical, unpadded base64url");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseHandleError(());

impl fmt::Display for ParseHandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle is 22 characters of canonical, unpadded base64url")
    }
}

impl std::error::Error for ParseHandleError {}

/// The half of the id that is worth stealing. It has no `Clone`, no `Debug` that shows it, and is wiped when dropped:
/// as words, because bytes are wiped one at a time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret([u64; 4]);

/// A whole id, as the cookie carries it.
#[derive(ZeroizeOnDrop)]
pub(crate) struct Token {
    #[zeroize(skip)]
    handle: Handle,
    secret: Secret,
}

impl Token {
    /// How many characters the cookie's value has; 48 bytes fill them without a spare bit.
    pub(crate) const CHARS: usize = 2 * BLOCK_CHARS;

    /// Draws a new id.
    pub(crate) fn draw(random: Random) -> Result<Self, RandomError> {
        let mut words = random.draw()?;
        let token = Self::from_words(&words);
        words.zeroize();
        Ok(token)
    }

    /// Draws a new secret for a handle that stays.
    pub(crate) fn draw_for(handle: Handle, random: Random) -> Result<Self, RandomError> {
        let secret = Secret(random.draw()?);
        Ok(Self { handle, secret })
    }

    /// Reads a cookie's value; anything but 64 characters of base64url is no id.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let ([first, second], []) = value.as_chunks() else {
            return None;
        };
        let ([a, b, c], [d, e, f]) = (decode(first)?, decode(second)?);
        Some(Self::from_words(&[a, b, c, d, e, f]))
    }

    /// Writes the cookie's value; whoever asks for it puts it into a `Set-Cookie` and nowhere else.
    pub(crate) fn write(&self, text: &mut [u8; Self::CHARS]) {
        let ([a, b], [c, d, e, f]) = (self.handle.words(), self.secret.0);
        text[..BLOCK_CHARS].copy_from_slice(&encode([a, b, c]));
        text[BLOCK_CHARS..].copy_from_slice(&encode([d, e, f]));
    }

    fn from_words(&[a, b, c, d, e, f]: &[u64; 6]) -> Self {
        Self {
            handle: Handle::from_words([a, b]),
            secret: Secret([c, d, e, f]),
        }
    }

    pub(crate) const fn handle(&self) -> Handle {
        self.handle
    }

    /// Returns what is hashed of it: the handle and the secret.
    pub(crate) fn message(&self) -> [u8; Handle::LEN + SECRET_LEN] {
        let mut message = [0; Handle::LEN + SECRET_LEN];
        message[..Handle::LEN].copy_from_slice(&self.handle.0);
        let places = message[Handle::LEN..].as_chunks_mut().0;
        for (place, word) in places.iter_mut().zip(self.secret.0) {
            *place = word.to_be_bytes();
        }
        message
    }

    /// Makes a second copy: one to look up, one to begin again with if the look-up is dropped.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            handle: self.handle,
            secret: Secret(self.secret.0),
        }
    }

    /// Compares two ids of one request; neither is known to be genuine, so time tells nothing.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.handle == other.handle && equal(self.secret.0, other.secret.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, secret redacted)", self.handle)
    }
}

/// What the record keeps of a secret: a hash, and which server's key was needed for it if one was.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash {
    bytes: [u8; Self::LEN],
    key: Option<KeyTag>,
}

/// The public name of a server's key.
pub(crate) type KeyTag = [u8; 4];

impl SecretHash {
    pub(crate) const LEN: usize = 32;

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self { bytes, key: None }
    }

    /// Knows a hash that was made with a server's key.
    pub(crate) const fn keyed(self, key: Option<KeyTag>) -> Self {
        Self { key, ..self }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.bytes
    }

    #[cfg(feature = "keyring")]
    pub(crate) const fn key(&self) -> Option<KeyTag> {
        self.key
    }

    /// Returns the name of the key as it is stored: nothing if none was needed.
    pub(crate) fn key_bytes(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], |key| key)
    }

    /// Compares in a time that does not depend on where the two differ (ASVS 11.2.4); which keys they were made with is no
    /// secret.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        equal(words(&self.bytes), words(&other.bytes)) && self.key == other.key
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

/// Hashes secrets: `SHA-256(context ‖ handle ‖ secret)`.
///
/// The context is `tenure/v1` and the cookie's name, each after its length in one byte, filled with zeros to whole
/// blocks of SHA-256. So an id of one layer is nothing in another, a hash copied into another row opens nothing, and
/// the context is hashed once per layer instead of once per request.
#[derive(Clone)]
pub(crate) struct IdHasher(Sha256);

impl IdHasher {
    pub(crate) fn new(cookie_name: &str) -> Self {
        Self(Sha256::new_with_prefix(id_context(cookie_name)))
    }

    pub(crate) fn hash(&self, token: &Token) -> SecretHash {
        let hash = self.0.clone().chain_update(token.message());
        SecretHash::from_bytes(hash.finalize().into())
    }
}

/// Returns what is hashed before an id: whose it is.
pub(crate) fn id_context(cookie_name: &str) -> Vec<u8> {
    let mut context = Vec::with_capacity(BLOCK);
    for field in ["tenure/v1", cookie_name] {
        context.push(u8::try_from(field.len()).expect("the cookie's name was checked to be short"));
        context.extend_from_slice(field.as_bytes());
    }
    context.resize(context.len().next_multiple_of(BLOCK), 0);
    context
}

impl fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdHasher")
    }
}

/// Reads 32 bytes of unpadded base64url, as big-endian words; only the canonical spelling is one.
#[cfg(feature = "keyring")]
pub(crate) fn read_32_bytes(text: &[u8; 43]) -> Option<[u64; 4]> {
    let (first, rest) = text.split_first_chunk()?;
    let mut last = [ZERO; BLOCK_CHARS];
    last[..rest.len()].copy_from_slice(rest);
    match (decode(first)?, decode(&last)?) {
        ([a, b, c], [d, 0, 0]) => Some([a, b, c, d]),
        _ => None,
    }
}

/// Compares as words, so that no byte decides alone.
fn equal(left: [u64; 4], right: [u64; 4]) -> bool {
    let words = left.into_iter().zip(right);
    let difference = words.fold(0, |difference, (left, right)| difference | (left ^ right));
    std::hint::black_box(difference) == 0
}

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|index| u64::from_ne_bytes(words[index]))
}

const HANDLE_CHARS: usize = 22;
const SECRET_LEN: usize = 32;

/// The block of SHA-256.
const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{base64url::ALPHABET, *};

    fn text(token: &Token) -> [u8; Token::CHARS] {
        let mut text = [0; Token::CHARS];
        token.write(&mut text);
        text
    }

    fn token(fill: u8) -> Token {
        Token::parse(&[fill; Token::CHARS]).unwrap()
    }

    #[test]
    fn a_written_id_reads_back() {
        let token = Token::draw(Random::System).unwrap();
        let read = Token::parse(&text(&token)).unwrap();
        assert!(read.same_as(&token));
        assert_eq!(text(&read), text(&token));
    }

    #[test]
    fn anything_but_64_characters_of_base64url_is_no_id() {
        let good = text(&Token::draw(Random::System).unwrap());
        assert!(Token::parse(&good).is_some());
        assert!(Token::parse(&good[..63]).is_none(), "too short");
        assert!(
            Token::parse(&[&good[..], b"A"].concat()).is_none(),
            "too long"
        );
        assert!(Token::parse(b"").is_none(), "empty");
        for foreign in (0..=u8::MAX).filter(|byte| !ALPHABET.contains(byte)) {
            for place in [0, 21, 22, 63] {
                let mut bad = good;
                bad[place] = foreign;
                assert!(Token::parse(&bad).is_none(), "byte {foreign} at {place}");
            }
        }
    }

    #[test]
    fn every_character_of_the_id_matters() {
        let good = text(&Token::draw(Random::System).unwrap());
        let token = Token::parse(&good).unwrap();
        for place in 0..Token::CHARS {
            let mut other = good;
            other[place] = if good[place] == b'A' { b'B' } else { b'A' };
            assert!(
                !Token::parse(&other).unwrap().same_as(&token),
                "character {place}"
            );
        }
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_hash_of_a_secret_is_stable() {
        let hash = IdHasher::new("__Host-Http-id").hash(&token(b'A'));
        let mut message = b"\x09tenure/v1\x0e__Host-Http-id".to_vec();
        message.resize(64, 0);
        message.resize(64 + 48, 0); // The characters `AAAA…` are zeros.
        let expected: [u8; 32] = Sha256::digest(message).into();
        assert_eq!(hash.as_bytes(), &expected);
        assert_eq!(hash.as_bytes()[..4], [0x72, 0x43, 0xbd, 0xee]);
    }

    #[test]
    fn the_hash_depends_on_cookie_name_handle_and_secret() {
        let mut other_handle = [b'A'; Token::CHARS];
        other_handle[0] = b'B';
        let mut other_secret = [b'A'; Token::CHARS];
        other_secret[63] = b'B';
        let hasher = IdHasher::new("id");
        let hash = hasher.hash(&token(b'A'));
        assert!(hash.matches(&hasher.hash(&token(b'A'))));
        assert!(!hash.matches(&IdHasher::new("id2").hash(&token(b'A'))));
        assert!(!hash.matches(&hasher.hash(&Token::parse(&other_handle).unwrap())));
        assert!(!hash.matches(&hasher.hash(&Token::parse(&other_secret).unwrap())));
    }

    #[test]
    fn a_difference_in_any_bit_of_a_hash_is_seen() {
        let bytes = [0x5a; SecretHash::LEN];
        let hash = SecretHash::from_bytes(bytes);
        for bit in 0..256 {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!hash.matches(&SecretHash::from_bytes(other)), "bit {bit}");
        }
        assert!(hash.matches(&SecretHash::from_bytes(bytes)));
    }

    #[test]
    fn ids_are_distinct_and_each_bit_is_set_half_the_time() {
        const DRAWS: usize = 20_000;
        let mut ones = [0_usize; 384];
        let mut seen = HashSet::new();
        for _ in 0..DRAWS {
            let token = Token::draw(Random::System).unwrap();
            assert!(seen.insert(text(&token)));
            let words = token.handle.words().into_iter().chain(token.secret.0);
            for (index, word) in words.enumerate() {
                (0..64).for_each(|bit| ones[index * 64 + bit] += (word >> bit & 1) as usize);
            }
        }
        let sigma = (DRAWS as f64 / 4.0).sqrt();
        for (bit, ones) in ones.into_iter().enumerate() {
            assert!(
                (ones as f64 - DRAWS as f64 / 2.0).abs() < 6.0 * sigma,
                "bit {bit}: {ones}"
            );
        }
    }

    #[test]
    fn threads_draw_distinct_ids() {
        let draw = || {
            (0..2_000)
                .map(|_| text(&Token::draw(Random::System).unwrap()))
                .collect()
        };
        let threads: Vec<_> = (0..16).map(|_| std::thread::spawn(draw)).collect();
        let ids: Vec<Vec<_>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(
            ids.concat().into_iter().collect::<HashSet<_>>().len(),
            32_000
        );
    }

    #[test]
    fn a_source_that_fails_gives_no_id() {
        assert!(Token::draw(Random::Broken).is_err());
    }

    #[test]
    fn nothing_that_prints_shows_a_secret() {
        let token = Token::draw(Random::System).unwrap();
        let hash = IdHasher::new("id").hash(&token);
        let printed = format!("{token:?} {hash:?} {:?}", IdHasher::new("id"));
        let id = text(&token);
        let secret = str::from_utf8(&id[22..]).unwrap();
        assert!(printed.contains(&token.handle().to_string()));
        assert!(!printed.contains(&secret[..12]));
    }

    #[test]
    fn handles_have_one_spelling() {
        let handle = Handle::from_bytes(*b"0123456789abcdef");
        assert_eq!(handle.to_string().parse(), Ok(handle));
        assert!("".parse::<Handle>().is_err());
        assert!(format!("{handle}=").parse::<Handle>().is_err());
        assert!(
            format!("{}=", &handle.to_string()[..21])
                .parse::<Handle>()
                .is_err()
        );
        assert_eq!(format!("{handle:>24}").len(), 24);
    }
}
