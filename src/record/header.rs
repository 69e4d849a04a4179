//! The header's stored form: the number of the format, then fields of tag (one byte), length (two) and content.
//!
//! A field that this release does not know survives an update, byte for byte. A tag of 128 and more says that whoever
//! does not know it must leave the record alone.

use std::{borrow::Cow, fmt, time::Duration};

use super::{
    sealing::{Seal, Wrap},
    secrets::{Dated, Key, Secrets, secret_hash},
};
#[cfg(feature = "keyring")]
use crate::id::KeyTag;
use crate::{
    clock::Timestamp,
    id::SecretHash,
    lifetime::{Lifetime, Stamps},
    principal::CredentialStamp,
    renewal::{FEW_UNSHOWN, Renewal, Unshown, Upkeep},
};

/// What a record says about itself, apart from its values. It is read where it stands, and nothing is copied that is
/// not asked for.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) secret: SecretHash,
    /// One more at every privilege change.
    pub(crate) generation: u64,
    /// When the secret was drawn; `None` for the first one, which is as old as the record.
    pub(crate) rotated_at: Option<Timestamp>,
    pub(crate) identity: Option<Identity<'a>>,
    /// Where it differs from the layer's.
    pub(crate) lifetime: Option<Lifetime>,
    /// There is a MAC, whether or not it is right.
    pub(crate) is_authenticated: bool,
    /// The browser is not known to have received the secret that a login has sent it.
    pub(crate) is_unshown: bool,
    /// How the values are sealed, if they are.
    pub(crate) seal: Option<Seal>,
    /// The secrets beside the current one, if they are not as they are among the fields.
    others: Option<Box<Secrets>>,
    /// What becomes of a login that was begun; `None` if it stays as it is.
    pub(crate) begun: Option<Option<Begun<'a>>>,
    /// What lists are to call the session, nothing if it is empty; `None` if that stays as it is.
    pub(crate) labelled: Option<&'a str>,
    /// All fields, for those that are kept as they are, and those that later releases have added.
    fields: Fields<'a>,
}

/// Who signed in, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) principal: &'a str,
    pub(crate) authenticated_at: Timestamp,
}

impl<'a> Header<'a> {
    /// Makes the header of a session that begins.
    pub(crate) const fn new(secret: SecretHash, lifetime: Option<Lifetime>) -> Self {
        Self {
            secret,
            generation: 0,
            rotated_at: None,
            identity: None,
            lifetime,
            is_authenticated: false,
            is_unshown: false,
            seal: None,
            others: None,
            begun: None,
            labelled: None,
            fields: Fields(&[]),
        }
    }

    /// Tells what a secret is to this record.
    pub(crate) fn key(&self, secret: &SecretHash, now: Timestamp, grace: Duration) -> Key {
        match self.secret.matches(secret) {
            true => Key::Current,
            false => self.key_beside(secret, now, grace),
        }
    }

    fn key_beside(&self, secret: &SecretHash, now: Timestamp, grace: Duration) -> Key {
        let others = self.others();
        // All of them are compared, so that how long it takes says nothing.
        let mut found = Key::Unknown;
        for (tag, list) in others.lists() {
            for other in list {
                let key = match tag {
                    tag::RETIRED if other.is_remembered(now) => Key::Retired,
                    tag::RETIRED => Key::Unknown,
                    tag::SUCCESSOR => Key::Successor,
                    _ if now.since(other.at) < grace => Key::Previous,
                    _ => Key::Reused,
                };
                if other.secret.matches(secret) {
                    found = key;
                }
            }
        }
        found
    }

    /// Says what the session needs besides what the request does to it, which came with this secret.
    pub(crate) fn upkeep(
        &self,
        (secret, key): (&SecretHash, Key),
        created: Timestamp,
        now: Timestamp,
        renewal: Option<&Renewal>,
    ) -> Upkeep {
        let confirm = match key {
            Key::Current => self.is_unshown,
            Key::Successor => true,
            Key::Previous | Key::Retired | Key::Reused | Key::Unknown => false,
        };
        let Some(renewal) = renewal.filter(|_| matches!(key, Key::Current | Key::Successor)) else {
            return Upkeep {
                confirm,
                renew: false,
            };
        };
        let others = self.others();
        let mut successors = others.successors.iter();
        let (drawn, unshown) = match key {
            Key::Successor => (
                successors.find(|each| each.secret.matches(secret)),
                Unshown::default(),
            ),
            _ => (None, others.unshown()),
        };
        let drawn = drawn.map_or(self.rotated_at.unwrap_or(created), |each| each.at);
        Upkeep {
            confirm,
            renew: renewal.is_due(drawn, unshown, now),
        }
    }

    /// Tells whether more ids were sent and not shown than are lost now and then.
    pub(crate) fn has_many_unshown(&self) -> bool {
        self.others().unshown().count > FEW_UNSHOWN
    }

    pub(crate) fn stamps(&self, created: Timestamp, last_seen: Timestamp) -> Stamps {
        Stamps {
            created,
            authenticated: self.identity.map(|identity| identity.authenticated_at),
            last_seen,
        }
    }

    /// Replaces the secret. All that opened the session are remembered for a while.
    pub(crate) fn rotate(&mut self, secret: SecretHash, now: Timestamp) {
        let current = self.secret;
        self.others_mut().rotate(current, now);
        self.secret = secret;
        self.rotated_at = Some(now);
    }

    /// Adds a secret that follows the current one once the browser has shown it.
    pub(crate) fn renew(&mut self, secret: SecretHash, now: Timestamp) {
        self.others_mut().renew(secret, now);
    }

    /// Knows that the browser has received a secret.
    pub(crate) fn confirm(&mut self, shown: SecretHash, now: Timestamp) {
        self.is_unshown = false;
        let current = self.secret;
        if let Some(sent_at) = self.others_mut().confirm(&shown, current, now) {
            self.secret = shown;
            self.rotated_at = Some(sent_at);
        }
    }

    /// Takes the values' key from the secrets whose grace is over; that they were is remembered.
    pub(crate) fn close(&mut self, now: Timestamp, grace: Duration) {
        self.others_mut().closed = Some((now, grace));
    }

    /// Tells whether a secret is among those that are remembered.
    pub(crate) fn knows(&self, secret: &SecretHash) -> bool {
        let others = self.others();
        let mut lists = others.lists().into_iter().flat_map(|(_, list)| list);
        self.secret.matches(secret) || lists.any(|other| other.secret.matches(secret))
    }

    /// Returns the names of the keys with which the secrets beside the current one were hashed.
    #[cfg(feature = "keyring")]
    pub(crate) fn other_keys(&self) -> Vec<Option<KeyTag>> {
        let others = self.others();
        let lists = others.lists().into_iter().flat_map(|(_, list)| list);
        let mut keys: Vec<_> = lists.map(|other| other.secret.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Returns the names of the keys with which the secrets that were not shown yet were hashed.
    #[cfg(feature = "keyring")]
    pub(crate) fn successor_keys(&self) -> Vec<Option<KeyTag>> {
        let others = self.others();
        let successors = others.successors.iter();
        successors.map(|other| other.secret.key()).collect()
    }

    /// Writes all fields but a MAC.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let others = self.others();
        let dated = others
            .lists()
            .map(|(_, list)| list.len())
            .iter()
            .sum::<usize>();
        let mut bytes = Vec::with_capacity(TYPICAL_LEN + DATED_LEN * dated);
        bytes.push(FORMAT);
        write(&mut bytes, tag::SECRET, &secret_parts(&self.secret));
        write(
            &mut bytes,
            tag::GENERATION,
            &[&self.generation.to_be_bytes()],
        );
        if let Some(rotated_at) = self.rotated_at {
            write(&mut bytes, tag::ROTATED_AT, &[&stamp(rotated_at)]);
        }
        if let Some(Identity {
            principal,
            authenticated_at,
        }) = &self.identity
        {
            write(
                &mut bytes,
                tag::IDENTITY,
                &[&stamp(*authenticated_at), principal.as_bytes()],
            );
        }
        if let Some(lifetime) = self.lifetime {
            write(&mut bytes, tag::LIFETIME, &[&lifetime.to_bytes()]);
        }
        for (tag, list) in others.lists() {
            for Dated { secret, at } in list {
                let [hash, key] = secret_parts(secret);
                write(&mut bytes, tag, &[&stamp(*at), hash, key]);
            }
        }
        if self.is_unshown {
            write(&mut bytes, tag::UNSHOWN, &[]);
        }
        if let Some(begun) = self.begun() {
            begun.write(&mut bytes);
        }
        if let Some(label) = self.label() {
            write(&mut bytes, tag::LABEL, &[label.as_bytes()]);
        }
        self.write_seal(&others, &mut bytes);
        let kept = self
            .fields
            .flatten()
            .filter(|field| !tag::is_known(field.tag));
        kept.for_each(|field| bytes.extend_from_slice(field.whole));
        bytes
    }

    /// Writes how the values are sealed, and their key for those secrets that open the session.
    fn write_seal(&self, others: &Secrets, bytes: &mut Vec<u8>) {
        let Some(seal) = &self.seal else {
            return;
        };
        let counter = seal.counter.to_be_bytes();
        write(bytes, tag::SEAL, &[&seal.key, &counter]);
        let opening = others.opening().chain([&self.secret]);
        for wrap in opening.filter_map(|secret| self.wrap_of(secret)) {
            write(bytes, tag::WRAP, &[&wrap.of, &wrap.key]);
        }
    }

    /// Returns the values' key under a secret.
    pub(crate) fn wrap_of(&self, secret: &SecretHash) -> Option<Wrap> {
        let stored = self.fields.flatten().filter(|field| field.tag == tag::WRAP);
        let stored = stored.filter_map(|field| Wrap::decode(field.content).ok());
        let drawn = self.others.iter().flat_map(|others| &others.wraps);
        let mut wraps = drawn.copied().chain(stored);
        wraps.find(|wrap| wrap.is_of(secret))
    }

    /// Adds the values' key under a secret that was drawn just now.
    #[cfg(feature = "keyring")]
    pub(crate) fn add_wrap(&mut self, wrap: Wrap) {
        self.others_mut().wraps.push(wrap);
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Undecodable> {
        let (mut secret, mut generation) = (None, None);
        let mut header = Self::new(SecretHash::from_bytes([0; SecretHash::LEN]), None);
        header.fields = Fields::of(bytes)?;
        for field in header.fields {
            let Field { tag, content, .. } = field?;
            match tag {
                tag::SECRET => once(&mut secret, secret_hash(content)?)?,
                tag::GENERATION => once(&mut generation, u64::from_be_bytes(exactly(content)?))?,
                tag::ROTATED_AT => once(&mut header.rotated_at, timestamp(content)?)?,
                tag::IDENTITY => once(&mut header.identity, Identity::decode(content)?)?,
                tag::LIFETIME => once(
                    &mut header.lifetime,
                    Lifetime::from_bytes(&exactly(content)?).ok_or(Undecodable)?,
                )?,
                tag::RETIRED | tag::SUCCESSOR | tag::PREVIOUS => drop(Dated::decode(content)?),
                tag::UNSHOWN => header.is_unshown = true,
                tag::MAC => header.is_authenticated = true,
                tag::SEAL => once(&mut header.seal, Seal::decode(content)?)?,
                tag::WRAP => drop(Wrap::decode(content)?),
                tag::MUST_BE_KNOWN.. => return Err(Undecodable),
                _ => {}
            }
        }
        header.secret = secret.ok_or(Undecodable)?;
        header.generation = generation.ok_or(Undecodable)?;
        Ok(header)
    }

    /// Returns the login that was begun and is not finished, decoded where it stands.
    pub(crate) fn begun(&self) -> Option<Begun<'a>> {
        self.begun.unwrap_or_else(|| {
            let mut fields = self.fields.flatten();
            let begun = fields.find(|field| field.tag == tag::BEGUN)?;
            Begun::decode(begun.content).ok()
        })
    }

    /// Returns what lists call the session, decoded where it stands.
    pub(crate) fn label(&self) -> Option<&'a str> {
        let stored = || {
            let mut fields = self.fields.flatten();
            let label = fields.find(|field| field.tag == tag::LABEL)?;
            str::from_utf8(label.content).ok()
        };
        let label = self.labelled.or_else(stored);
        label.filter(|label| !label.is_empty())
    }

    fn others(&self) -> Cow<'_, Secrets> {
        match &self.others {
            Some(others) => Cow::Borrowed(others),
            None => Cow::Owned(self.read_others()),
        }
    }

    fn others_mut(&mut self) -> &mut Secrets {
        if self.others.is_none() {
            self.others = Some(Box::new(self.read_others()));
        }
        self.others.as_mut().expect("they were put there")
    }

    fn read_others(&self) -> Secrets {
        let mut others = Secrets::default();
        for field in self.fields.flatten() {
            // They were decoded once when the header was.
            let _ = others.take(&field);
        }
        others
    }
}

impl<'a> Identity<'a> {
    fn decode(content: &'a [u8]) -> Result<Self, Undecodable> {
        let (stamp, text) = content.split_at_checked(STAMP_LEN).ok_or(Undecodable)?;
        Ok(Self {
            principal: str::from_utf8(text).map_err(|_| Undecodable)?,
            authenticated_at: timestamp(stamp)?,
        })
    }
}

/// A login whose first factor was checked, and whose second is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun<'a> {
    pub(crate) principal: &'a str,
    pub(crate) at: Timestamp,
    /// Of the credential that was checked.
    pub(crate) stamp: Option<CredentialStamp>,
}

impl<'a> Begun<'a> {
    fn decode(content: &'a [u8]) -> Result<Self, Undecodable> {
        let (at, rest) = content.split_at_checked(STAMP_LEN).ok_or(Undecodable)?;
        let (stamp, text) = match rest {
            [0, text @ ..] => (None, text),
            [1, rest @ ..] => {
                let (stamp, text) = rest.split_first_chunk().ok_or(Undecodable)?;
                (Some(CredentialStamp::from_bytes(*stamp)), text)
            }
            _ => return Err(Undecodable),
        };
        Ok(Self {
            principal: str::from_utf8(text).map_err(|_| Undecodable)?,
            at: timestamp(at)?,
            stamp,
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let (flag, credential) = match &self.stamp {
            Some(credential) => (1, &credential.as_bytes()[..]),
            None => (0, &[][..]),
        };
        let content: [&[u8]; 4] = [
            &stamp(self.at),
            &[flag],
            credential,
            self.principal.as_bytes(),
        ];
        write(bytes, tag::BEGUN, &content);
    }

    /// Tells whether it can still be finished.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.at) < TO_FINISH
    }
}

/// The bytes are not a header of a format that this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the record's header is damaged or of a later format")
    }
}

impl std::error::Error for Undecodable {}

/// Reads the principal alone, without allocating.
pub(super) fn principal(bytes: &[u8]) -> Option<&str> {
    let mut fields = Fields::of(bytes).ok()?.map_while(Result::ok);
    let identity = fields.find(|field| field.tag == tag::IDENTITY)?;
    str::from_utf8(identity.content.get(STAMP_LEN..)?).ok()
}

#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({} bytes)", self.0.len())
    }
}

pub(super) struct Field<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, Undecodable> {
        match bytes {
            [FORMAT, fields @ ..] => Ok(Self(fields)),
            _ => Err(Undecodable),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        let [tag, high, low, rest @ ..] = bytes else {
            self.0 = &[];
            return (!bytes.is_empty()).then_some(Err(Undecodable));
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((content, rest)) = rest.split_at_checked(len) else {
            self.0 = &[];
            return Some(Err(Undecodable));
        };
        self.0 = rest;
        Some(Ok(Field {
            tag: *tag,
            content,
            whole: &bytes[..FIELD_HEAD + len],
        }))
    }
}

pub(super) fn write(bytes: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u16::try_from(len).expect("the longest field is a principal of 255 bytes");
    bytes.push(tag);
    bytes.extend_from_slice(&len.to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
}

/// Fills a field that may stand once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Undecodable> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Undecodable),
    }
}

fn exactly<const N: usize>(content: &[u8]) -> Result<[u8; N], Undecodable> {
    content.try_into().map_err(|_| Undecodable)
}

/// Returns what is stored of a secret.
fn secret_parts(secret: &SecretHash) -> [&[u8]; 2] {
    [secret.as_bytes(), secret.key_bytes()]
}

fn stamp(timestamp: Timestamp) -> [u8; STAMP_LEN] {
    timestamp.as_millis().to_be_bytes()
}

fn timestamp(content: &[u8]) -> Result<Timestamp, Undecodable> {
    Ok(Timestamp::from_millis(u64::from_be_bytes(exactly(
        content,
    )?)))
}

/// The tags of the fields; a number that was used once is never used for anything else.
pub(super) mod tag {
    pub(super) const SECRET: u8 = 1;
    pub(super) const GENERATION: u8 = 2;
    pub(super) const ROTATED_AT: u8 = 3;
    pub(super) const IDENTITY: u8 = 4;
    pub(super) const LIFETIME: u8 = 5;
    pub(in crate::record) const RETIRED: u8 = 6;
    pub(super) const BEGUN: u8 = 7;
    pub(super) const LABEL: u8 = 8;
    pub(in crate::record) const SUCCESSOR: u8 = 9;
    pub(in crate::record) const PREVIOUS: u8 = 10;
    pub(super) const UNSHOWN: u8 = 11;
    pub(in crate::record) const MAC: u8 = 12;
    pub(super) const SEAL: u8 = 13;
    pub(super) const WRAP: u8 = 14;
    pub(super) const MUST_BE_KNOWN: u8 = 128;

    /// Tells whether this release writes a field of this tag itself.
    pub(super) const fn is_known(tag: u8) -> bool {
        matches!(tag, SECRET..=WRAP)
    }
}

const FORMAT: u8 = 1;
pub(super) const FIELD_HEAD: usize = 3;
const STAMP_LEN: usize = 8;
const DATED_LEN: usize = FIELD_HEAD + STAMP_LEN + SecretHash::LEN;
/// Format, secret, generation, rotation, an identity of 16 bytes, and what keys add: seal, wrap and MAC.
const TYPICAL_LEN: usize = 1 + 39 + 11 + 11 + 27 + 15 + 43 + 39;

/// How long a login that was begun waits for its second factor.
const TO_FINISH: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const fn hash(fill: u8) -> SecretHash {
        SecretHash::from_bytes([fill; 32])
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Replaces the secret of an encoded header.
    fn rotated(bytes: &[u8], secret: SecretHash, now: Timestamp) -> Vec<u8> {
        let mut header = Header::decode(bytes).unwrap();
        header.rotate(secret, now);
        header.encode()
    }

    fn is_retired(header: &Header<'_>, fill: u8, now: Timestamp) -> bool {
        header.key(&hash(fill), now, Duration::ZERO) == Key::Retired
    }

    fn full() -> Vec<u8> {
        let first = Header::new(hash(1), Some(Lifetime::persistent())).encode();
        let third = rotated(&rotated(&first, hash(2), at(10)), hash(3), at(20));
        let header = Header {
            generation: 2,
            identity: Some(Identity {
                principal: "42",
                authenticated_at: at(20),
            }),
            ..Header::decode(&third).unwrap()
        };
        header.encode()
    }

    #[test]
    fn an_encoded_header_reads_back() {
        for bytes in [Header::new(hash(9), None).encode(), full()] {
            assert_eq!(Header::decode(&bytes).unwrap().encode(), bytes);
        }
        let (bytes, first) = (full(), Header::new(hash(9), None).encode());
        let (full, first) = (
            Header::decode(&bytes).unwrap(),
            Header::decode(&first).unwrap(),
        );
        assert!(first.secret.matches(&hash(9)) && full.secret.matches(&hash(3)));
        assert_eq!((first.generation, full.generation), (0, 2));
        assert_eq!((first.rotated_at, full.rotated_at), (None, Some(at(20))));
        assert_eq!(
            (first.lifetime, full.lifetime),
            (None, Some(Lifetime::persistent()))
        );
        assert_eq!(full.identity.unwrap().principal, "42");
        assert_eq!(full.stamps(at(1), at(2)).authenticated, Some(at(20)));
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_stored_form_is_stable() {
        let mut expected = vec![1, 1, 0, 32];
        expected.extend([3; 32]);
        expected.extend([2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2]);
        expected.extend([3, 0, 8, 0, 0, 0, 0, 0, 0, 0x4e, 0x20]);
        expected.extend([4, 0, 10, 0, 0, 0, 0, 0, 0, 0x4e, 0x20, b'4', b'2']);
        expected.extend([5, 0, 25, 1]);
        expected.extend(1_209_600_000_u64.to_be_bytes());
        expected.extend(2_592_000_000_u64.to_be_bytes());
        expected.extend([0xff; 8]);
        for (secret, millis) in [(1, 10_000_u64), (2, 20_000)] {
            expected.extend([6, 0, 40]);
            expected.extend(millis.to_be_bytes());
            expected.extend([secret; 32]);
        }
        assert_eq!(full()[..], expected[..]);
    }

    #[test]
    fn a_field_of_a_later_release_survives_an_update() {
        let mut bytes = full();
        bytes.extend([77, 0, 3, b'n', b'e', b'w']);
        let bytes = rotated(&bytes, hash(4), at(30));
        assert!(bytes.ends_with(&[77, 0, 3, b'n', b'e', b'w']));
    }

    #[test]
    fn a_login_that_was_begun_reads_back_is_kept_and_can_be_dropped() {
        let stamp = Some(CredentialStamp::of("hash"));
        for stamp in [None, stamp] {
            let bytes = full();
            let mut header = Header::decode(&bytes).unwrap();
            header.begun = Some(Some(Begun {
                principal: "42",
                at: at(5),
                stamp,
            }));
            let bytes = rotated(&header.encode(), hash(4), at(30));
            let header = Header::decode(&bytes).unwrap();
            let begun = header.begun().unwrap();
            assert_eq!(
                (begun.principal, begun.at, begun.stamp),
                ("42", at(5), stamp)
            );
            assert!(begun.is_open(at(604)) && !begun.is_open(at(605)));
            let dropped = Header {
                begun: Some(None),
                ..header
            }
            .encode();
            assert!(Header::decode(&dropped).unwrap().begun().is_none());
        }
    }

    #[test]
    fn a_label_reads_back_is_kept_and_can_be_dropped() {
        let with = |bytes: &[u8], label: &str| {
            let mut header = Header::decode(bytes).unwrap();
            header.labelled = Some(label);
            header.encode()
        };
        let bytes = with(&full(), "Firefox on Linux");
        assert!(bytes.ends_with(b"\x08\x00\x10Firefox on Linux"));
        let bytes = rotated(&bytes, hash(4), at(30));
        let header = Header::decode(&bytes).unwrap();
        assert_eq!(header.label(), Some("Firefox on Linux"));
        let bytes = with(&bytes, "Firefox");
        assert_eq!(Header::decode(&bytes).unwrap().label(), Some("Firefox"));
        let bytes = with(&bytes, "");
        assert_eq!(Header::decode(&bytes).unwrap().label(), None);
        assert_eq!(bytes, rotated(&full(), hash(4), at(30)));
    }

    #[test]
    fn a_label_that_is_no_text_is_none_and_the_session_goes_on() {
        let mut bytes = full();
        bytes.extend([8, 0, 1, 0xff]);
        assert_eq!(Header::decode(&bytes).unwrap().label(), None);
    }

    #[test]
    fn a_field_that_must_be_known_makes_the_record_undecodable() {
        let mut bytes = full();
        bytes.extend([128, 0, 0]);
        assert_eq!(Header::decode(&bytes).unwrap_err(), Undecodable);
    }

    #[test]
    fn damaged_bytes_are_undecodable_and_never_a_panic() {
        let good = full();
        for len in 0..good.len() {
            // A cut between fields may leave a whole header; what it must not do is panic.
            let cut = Header::decode(&good[..len]);
            assert!(len > 46 || cut.is_err(), "cut at {len}");
        }
        let twice = [&good[..], &good[1..36]].concat();
        for (case, bytes) in [
            ("empty", &[][..]),
            ("a later format", &[2]),
            ("no secret", &[1]),
            ("two secrets", &twice),
            (
                "a stamp of seven bytes",
                &[&good[..], &[3, 0, 7, 0, 0, 0, 0, 0, 0, 0]].concat(),
            ),
            (
                "a length beyond the end",
                &[&good[..], &[99, 255, 255, 0]].concat(),
            ),
            ("half a field", &[&good[..], &[99, 0]].concat()),
        ] {
            assert_eq!(Header::decode(bytes).err(), Some(Undecodable), "{case}");
        }
    }

    #[test]
    fn the_principal_is_read_without_the_rest() {
        assert_eq!(principal(&full()), Some("42"));
        assert_eq!(principal(&Header::new(hash(1), None).encode()), None);
        assert_eq!(principal(&[4, 4, 4]), None);
    }

    #[test]
    fn a_replaced_secret_is_remembered_for_sixty_seconds_from_its_own_replacement() {
        let bytes = full();
        let header = Header::decode(&bytes).unwrap();
        assert!(is_retired(&header, 1, at(69)));
        assert!(!is_retired(&header, 1, at(70)));
        assert!(is_retired(&header, 2, at(79)));
        assert!(!is_retired(&header, 2, at(80)));
        assert!(
            !is_retired(&header, 3, at(20)),
            "the live secret is not a retired one"
        );
    }

    #[test]
    fn the_four_secrets_replaced_last_are_remembered() {
        let first = Header::new(hash(0), None).encode();
        let bytes = (1..=6).fold(first, |bytes, fill| rotated(&bytes, hash(fill), at(1)));
        let header = Header::decode(&bytes).unwrap();
        let known: Vec<_> = (0..=6)
            .filter(|fill| is_retired(&header, *fill, at(1)))
            .collect();
        assert_eq!(known, [2, 3, 4, 5]);
    }

    /// A session whose first id was renewed twice, at 100 and at 200 seconds.
    fn renewed() -> Vec<u8> {
        let mut header = Header::new(hash(1), None);
        header.renew(hash(2), at(100));
        header.renew(hash(3), at(200));
        header.is_unshown = true;
        header.encode()
    }

    #[test]
    fn the_stored_form_of_a_renewal_is_stable() {
        let mut expected = vec![1, 1, 0, 32];
        expected.extend([1; 32]);
        expected.extend([2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (secret, millis) in [(2, 100_000_u64), (3, 200_000)] {
            expected.extend([9, 0, 40]);
            expected.extend(millis.to_be_bytes());
            expected.extend([secret; 32]);
        }
        expected.extend([11, 0, 0]);
        assert_eq!(renewed()[..], expected[..]);
        let bytes = renewed();
        let mut header = Header::decode(&bytes).unwrap();
        header.confirm(hash(3), at(300));
        let bytes = header.encode();
        assert!(!Header::decode(&bytes).unwrap().is_unshown);
        assert_eq!(
            bytes.len(),
            1 + 35 + 11 + 11 + 2 * 43,
            "no successor is left"
        );
        assert_eq!(bytes[58], 10, "those that it followed are previous");
    }

    #[test]
    fn a_secret_is_told_from_others_by_what_it_is_and_since_when() {
        use Key::{Current, Previous, Reused, Successor, Unknown};
        let bytes = renewed();
        let header = Header::decode(&bytes).unwrap();
        let mut confirmed = header.clone();
        confirmed.confirm(hash(3), at(300));
        let grace = Duration::from_secs(30);
        for (case, header, fill, now, key) in [
            ("not shown", &header, 2, 9_000, Successor),
            ("not shown", &header, 3, 9_000, Successor),
            ("still the current one", &header, 1, 9_000, Current),
            ("never sent", &header, 4, 9_000, Unknown),
            ("shown", &confirmed, 3, 300, Current),
            ("in the grace", &confirmed, 1, 329, Previous),
            ("sent beside it", &confirmed, 2, 329, Previous),
            ("after the grace", &confirmed, 1, 330, Reused),
            (
                "sent beside it, after the grace",
                &confirmed,
                2,
                330,
                Reused,
            ),
        ] {
            let found = header.key(&hash(fill), at(now), grace);
            assert_eq!(found, key, "{case}: {fill} at {now}");
        }
    }

    #[test]
    fn a_session_needs_another_id_when_its_own_is_old_and_none_was_sent_lately() {
        let hourly = Renewal::every(Duration::from_secs(3_600));
        let fresh = Header::new(hash(1), None);
        let mut sent = fresh.clone();
        sent.renew(hash(2), at(3_600));
        let cases = [
            ("young", &fresh, (1, Key::Current), 3_599, (false, false)),
            ("old", &fresh, (1, Key::Current), 3_600, (false, true)),
            (
                "sent a moment ago",
                &sent,
                (1, Key::Current),
                3_659,
                (false, false),
            ),
            (
                "sent a minute ago",
                &sent,
                (1, Key::Current),
                3_660,
                (false, true),
            ),
            ("shown", &sent, (2, Key::Successor), 3_661, (true, false)),
            (
                "shown late",
                &sent,
                (2, Key::Successor),
                7_200,
                (true, true),
            ),
            (
                "on its way",
                &sent,
                (1, Key::Previous),
                9_000,
                (false, false),
            ),
        ];
        for (case, header, (fill, key), now, (confirm, renew)) in cases {
            let upkeep = header.upkeep((&hash(fill), key), at(0), at(now), Some(&hourly));
            assert_eq!(upkeep, Upkeep { confirm, renew }, "{case}");
        }
        let upkeep = fresh.upkeep((&hash(1), Key::Current), at(0), at(9_999), None);
        assert_eq!(upkeep, Upkeep::NONE, "nobody asked for it");
    }

    #[test]
    fn whoever_shows_none_of_three_ids_is_sent_one_in_the_time_of_a_renewal() {
        let hourly = Renewal::every(Duration::from_secs(3_600));
        let mut header = Header::new(hash(1), None);
        let times = [3_600, 3_660, 3_720, 7_320, 10_920];
        for (sent, fill) in times.into_iter().zip(2..) {
            for (now, is_due) in [(sent - 1, false), (sent, true)] {
                let current = (&hash(1), Key::Current);
                let upkeep = header.upkeep(current, at(0), at(now), Some(&hourly));
                assert_eq!(upkeep.renew, is_due, "{now}");
            }
            header.renew(hash(fill), at(sent));
            assert_eq!(header.has_many_unshown(), sent > 3_720, "{sent}");
        }
    }

    #[test]
    fn the_newest_of_six_ids_that_were_not_shown_gives_way_and_is_noticed_when_it_comes() {
        let mut header = Header::new(hash(1), None);
        for (hour, fill) in (0..9).zip(2..) {
            header.renew(hash(fill), at(3_600 * hour));
        }
        let keys = (2..=10).map(|fill| header.key(&hash(fill), at(32_000), Duration::ZERO));
        let expected = [Key::Successor, Key::Reused, Key::Successor];
        let expected: Vec<_> = std::iter::zip(expected, [5, 3, 1])
            .flat_map(|(key, count)| std::iter::repeat_n(key, count))
            .collect();
        assert_eq!(keys.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_id_that_was_copied_first_is_not_forgotten_however_often_a_thief_renews() {
        let mut header = Header::new(hash(1), None);
        for fill in 2..=9 {
            header.renew(hash(fill), at(0));
            header.confirm(hash(fill), at(0));
        }
        assert_eq!(header.key(&hash(1), at(60), Duration::ZERO), Key::Reused);
        assert_eq!(header.key(&hash(2), at(60), Duration::ZERO), Key::Unknown);
        assert_eq!(header.key(&hash(8), at(60), Duration::ZERO), Key::Reused);
    }

    #[test]
    fn debug_shows_no_hash() {
        let bytes = full();
        let printed = format!("{:?}", Header::decode(&bytes).unwrap());
        assert!(printed.contains("redacted") && !printed.contains("[3, 3"));
    }
}
