//! The values' stored form: the number of the format, the number of entries, then each entry as the length of its key
//! (one byte), the key, the length of its value (four) and the value as JSON.
//!
//! Nothing is decoded until it is asked for: finding one key hops over the others.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, LazyLock},
};

/// A key and its encoded value.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// The values of a session, encoded one by one. Cloning copies no bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Values(Arc<[u8]>);

/// One encoded value, a part of a shared buffer.
#[derive(Clone)]
pub(crate) struct Value {
    buffer: Arc<[u8]>,
    range: Range<usize>,
}

impl Values {
    /// How many bytes no entries take.
    pub(crate) const HEAD: usize = 2;

    pub(crate) fn empty() -> Self {
        Self(EMPTY.clone())
    }

    /// Takes what a store gave back; whether it decodes is found out when something is asked of it.
    pub(crate) const fn from_stored(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn stored(&self) -> Arc<[u8]> {
        self.0.clone()
    }

    /// Returns how many bytes an entry takes.
    pub(crate) const fn entry_len(key_len: usize, value_len: usize) -> usize {
        1 + key_len + 4 + value_len
    }

    /// Returns how many bytes they take.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns how many entries there are.
    pub(crate) fn count(&self) -> Result<usize, Corrupt> {
        match *self.0 {
            [FORMAT, count, ..] => Ok(usize::from(count)),
            _ => Err(Corrupt),
        }
    }

    /// Returns a value and its place among the entries.
    pub(crate) fn find(&self, key: &str) -> Result<Option<(usize, Value)>, Corrupt> {
        for (index, entry) in self.entries()?.enumerate() {
            let entry = entry?;
            if entry.key == key.as_bytes() {
                return Ok(Some((index, self.value(entry.value))));
            }
        }
        Ok(None)
    }

    /// Returns all keys and values.
    pub(crate) fn to_vec(&self) -> Result<Vec<Pair<'_>>, Corrupt> {
        let mut all = Vec::with_capacity(self.count()? + 1);
        for entry in self.entries()? {
            let entry = entry?;
            all.push((entry.key, &self.0[entry.value]));
        }
        Ok(all)
    }

    /// Encodes entries; the caller has seen to it that no key stands twice.
    pub(crate) fn encode(entries: &[Pair<'_>]) -> Result<Self, Limit> {
        let size = |(key, value): &Pair<'_>| Self::entry_len(key.len(), value.len());
        let len = HEAD + entries.iter().map(size).sum::<usize>();
        if len > MAX_LEN || entries.len() > MAX_ENTRIES {
            return Err(Limit);
        }
        let mut bytes = Vec::with_capacity(len);
        bytes.extend([
            FORMAT,
            u8::try_from(entries.len()).expect("at most 64 entries"),
        ]);
        for (key, value) in entries {
            bytes.push(u8::try_from(key.len()).expect("at most 128 bytes"));
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(
                &u32::try_from(value.len())
                    .expect("at most 32 KiB")
                    .to_be_bytes(),
            );
            bytes.extend_from_slice(value);
        }
        Ok(Self(bytes.into()))
    }

    fn value(&self, range: Range<usize>) -> Value {
        Value {
            buffer: self.0.clone(),
            range,
        }
    }

    fn entries(&self) -> Result<Entries<'_>, Corrupt> {
        Ok(Entries {
            bytes: &self.0,
            at: HEAD,
            left: self.count()?,
        })
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Value {
    fn from(json: Vec<u8>) -> Self {
        Self {
            range: 0..json.len(),
            buffer: json.into(),
        }
    }
}

impl std::ops::Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.len())
    }
}

/// The bytes are not values of a format that this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session's values are damaged or of a later format")
    }
}

impl std::error::Error for Corrupt {}

/// The values would be more than a session may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit;

struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
}

struct Entry<'a> {
    key: &'a [u8],
    value: Range<usize>,
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Result<Entry<'a>, Corrupt> {
        let key_len = usize::from(self.read::<1>()?[0]);
        let key = self.bytes.get(self.at..self.at + key_len).ok_or(Corrupt)?;
        self.at += key_len;
        let len = u32::from_be_bytes(self.read()?) as usize;
        let value = self.at..self.at.checked_add(len).ok_or(Corrupt)?;
        self.bytes.get(value.clone()).ok_or(Corrupt)?;
        self.at = value.end;
        Ok(Entry { key, value })
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let read = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk())
            .ok_or(Corrupt)?;
        self.at += N;
        Ok(*read)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = self.entry();
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}

/// How many bytes the values take at most, all of them, encoded.
pub(crate) const MAX_LEN: usize = 32 * 1024;

/// How many values a session has at most.
pub(crate) const MAX_ENTRIES: usize = 64;

/// No values, shared by all sessions that have none.
static EMPTY: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::new([FORMAT, 0]));

const FORMAT: u8 = 1;
const HEAD: usize = Values::HEAD;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        json.as_bytes().to_vec().into()
    }

    fn sample() -> Values {
        Values::encode(&[(b"a", b"1"), (b"cart", b"[1,2]"), (b"empty", b"")]).unwrap()
    }

    #[test]
    fn encoded_values_are_found() {
        let values = sample();
        assert_eq!(values.count(), Ok(3));
        assert_eq!(values.find("a"), Ok(Some((0, value("1")))));
        assert_eq!(values.find("cart"), Ok(Some((1, value("[1,2]")))));
        assert_eq!(values.find("empty"), Ok(Some((2, value("")))));
        assert_eq!(values.find("car"), Ok(None));
        assert_eq!(values.find("A"), Ok(None));
        assert_eq!(Values::encode(&values.to_vec().unwrap()), Ok(values));
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_stored_form_is_stable() {
        let values = Values::encode(&[(b"a", b"1"), (b"no", b"null")]).unwrap();
        assert_eq!(
            values.stored()[..],
            *b"\x01\x02\x01a\0\0\0\x011\x02no\0\0\0\x04null"
        );
        assert_eq!(Values::empty().stored()[..], *b"\x01\x00");
        assert_eq!(values.len(), 2 + (5 + 1 + 1) + (5 + 2 + 4));
    }

    #[test]
    fn damaged_bytes_are_corrupt_and_never_a_panic() {
        let good = sample().stored();
        for len in 0..good.len() {
            let cut = Values::from_stored(good[..len].into());
            assert_eq!(cut.find("none"), Err(Corrupt), "cut at {len}");
            assert_eq!(cut.to_vec(), Err(Corrupt), "cut at {len}");
        }
        let mut later = good.to_vec();
        later[0] = 2;
        assert_eq!(Values::from_stored(later.into()).count(), Err(Corrupt));
        assert_eq!(
            Values::from_stored([1, 1, 0, 0xff, 0xff, 0xff, 0xff].into()).to_vec(),
            Err(Corrupt)
        );
    }

    #[test]
    fn one_byte_or_one_entry_too_many_is_over_the_limit() {
        let largest = MAX_LEN - HEAD - Values::entry_len(1, 0);
        assert!(Values::encode(&[(b"k", &vec![b'1'; largest])]).is_ok());
        assert_eq!(
            Values::encode(&[(b"k", &vec![b'1'; largest + 1])]),
            Err(Limit)
        );
        let entry = (&b"k"[..], &b"1"[..]);
        assert!(Values::encode(&vec![entry; MAX_ENTRIES]).is_ok());
        assert_eq!(Values::encode(&vec![entry; MAX_ENTRIES + 1]), Err(Limit));
    }
}
