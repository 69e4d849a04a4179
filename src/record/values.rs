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
#[derive(Clone)]
pub(crate) struct Values(Arc<[u8]>);

/// One encoded value, a part of a shared buffer.
#[derive(Clone)]
pub(crate) struct Value {
    buffer: Arc<[u8]>,
    range: Range<usize>,
}

impl Values {
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
    const fn entry_len(key_len: usize, value_len: usize) -> usize {
        1 + key_len + 4 + value_len
    }

    /// Returns how many bytes they take.
    fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns how many entries there are.
    fn count(&self) -> Result<usize, Corrupt> {
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

    /// Returns the values with one of them written or removed, the others as they were and in their order; `None` if
    /// that is more than a session may hold.
    pub(crate) fn with(&self, key: &str, value: Option<&[u8]>) -> Result<Option<Self>, Corrupt> {
        let mut entries = self.entries()?;
        let (before, old) = loop {
            let start = entries.at;
            match entries.next().transpose()? {
                Some(entry) if entry.key == key.as_bytes() => break (start, Some(entry.value)),
                Some(_) => {}
                None => break (start, None),
            }
        };
        let is_equal = match (&old, value) {
            (Some(old), Some(value)) => self.0[old.clone()] == *value,
            (None, None) => true,
            _ => false,
        };
        if is_equal {
            return Ok(Some(self.clone()));
        }
        let count = self.count()? + usize::from(value.is_some()) - usize::from(old.is_some());
        let rest = old.map_or(before, |old| old.end);
        Ok(self.spliced(count, before..rest, key, value))
    }

    /// Puts an entry, or none, in the place of what stands in a range.
    fn spliced(
        &self,
        count: usize,
        range: Range<usize>,
        key: &str,
        value: Option<&[u8]>,
    ) -> Option<Self> {
        let fits = value.is_none_or(|value| {
            let len = self.len() - range.len() + Self::entry_len(key.len(), value.len());
            count <= MAX_ENTRIES && len <= MAX_LEN
        });
        if !fits {
            return None;
        }
        let head = [FORMAT, u8::try_from(count).ok()?];
        let (before, after) = (&self.0[HEAD..range.start], &self.0[range.end..]);
        Some(Self(match value {
            None => concat(&[&head, before, after]),
            Some(value) => {
                let key_len = [u8::try_from(key.len()).ok()?];
                let value_len = u32::try_from(value.len()).ok()?.to_be_bytes();
                concat(&[
                    &head,
                    before,
                    &key_len,
                    key.as_bytes(),
                    &value_len,
                    value,
                    after,
                ])
            }
        }))
    }

    /// Tells whether they have the same entries, whatever their order.
    pub(crate) fn has_entries_of(&self, other: &Self) -> bool {
        let (Ok(own), Ok(others)) = (self.to_vec(), other.to_vec()) else {
            return false;
        };
        own.len() == others.len() && others.iter().all(|entry| own.contains(entry))
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

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} bytes)", self.0.len())
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

/// Joins pieces, the small ones in one allocation.
pub(crate) fn concat(pieces: &[&[u8]]) -> Arc<[u8]> {
    let mut buffer = [0; 1024];
    let mut rest = &mut buffer[..];
    for piece in pieces {
        match rest.split_at_mut_checked(piece.len()) {
            Some((place, after)) => {
                place.copy_from_slice(piece);
                rest = after;
            }
            None => return pieces.concat().into(),
        }
    }
    let left = rest.len();
    buffer[..buffer.len() - left].into()
}

/// How many bytes the values take at most, all of them, encoded.
pub(crate) const MAX_LEN: usize = 32 * 1024;

/// How many values a session has at most.
pub(crate) const MAX_ENTRIES: usize = 64;

/// No values, shared by all sessions that have none.
static EMPTY: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::new([FORMAT, 0]));

const FORMAT: u8 = 1;
/// How many bytes stand before the entries.
const HEAD: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn values(entries: &[(&str, &str)]) -> Values {
        entries.iter().fold(Values::empty(), |values, (key, json)| {
            values.with(key, Some(json.as_bytes())).unwrap().unwrap()
        })
    }

    fn sample() -> Values {
        values(&[("a", "1"), ("cart", "[1,2]"), ("empty", "")])
    }

    /// Finds a key's place and its value.
    fn found(values: &Values, key: &str) -> Option<(usize, String)> {
        let (index, value) = values.find(key).unwrap()?;
        Some((index, String::from_utf8(value.to_vec()).unwrap()))
    }

    #[test]
    fn encoded_values_are_found() {
        let values = sample();
        assert_eq!(values.count(), Ok(3));
        for (key, expected) in [
            ("a", Some((0, "1"))),
            ("cart", Some((1, "[1,2]"))),
            ("empty", Some((2, ""))),
            ("car", None),
            ("A", None),
        ] {
            let expected = expected.map(|(index, json)| (index, json.to_owned()));
            assert_eq!(found(&values, key), expected, "{key}");
        }
    }

    #[test]
    fn a_value_is_written_in_its_place_and_removed_from_it() {
        for (case, key, json, expected) in [
            (
                "the first",
                "a",
                Some("22"),
                &[("a", "22"), ("cart", "[1,2]"), ("empty", "")][..],
            ),
            (
                "in between",
                "cart",
                Some("[]"),
                &[("a", "1"), ("cart", "[]"), ("empty", "")],
            ),
            (
                "the last",
                "empty",
                Some("0"),
                &[("a", "1"), ("cart", "[1,2]"), ("empty", "0")],
            ),
            (
                "a new one",
                "b",
                Some("2"),
                &[("a", "1"), ("cart", "[1,2]"), ("empty", ""), ("b", "2")],
            ),
            (
                "the first removed",
                "a",
                None,
                &[("cart", "[1,2]"), ("empty", "")],
            ),
            (
                "one in between removed",
                "cart",
                None,
                &[("a", "1"), ("empty", "")],
            ),
            (
                "the last removed",
                "empty",
                None,
                &[("a", "1"), ("cart", "[1,2]")],
            ),
        ] {
            let after = sample()
                .with(key, json.map(str::as_bytes))
                .unwrap()
                .unwrap();
            let bytes =
                |(key, json): &(&'static str, &'static str)| (key.as_bytes(), json.as_bytes());
            assert_eq!(
                after.to_vec().unwrap(),
                expected.iter().map(bytes).collect::<Vec<_>>(),
                "{case}"
            );
            assert_eq!(after.count(), Ok(expected.len()), "{case}");
        }
    }

    #[test]
    fn what_changes_nothing_copies_nothing() {
        let values = sample();
        for (key, json) in [("a", Some("1")), ("none", None)] {
            let after = values.with(key, json.map(str::as_bytes)).unwrap().unwrap();
            assert!(Arc::ptr_eq(&after.0, &values.0), "{key}");
        }
    }

    #[test]
    fn large_values_are_joined_as_small_ones_are() {
        let large = "x".repeat(2_000);
        let values = values(&[("a", "1"), ("large", &large), ("b", "2")]);
        assert_eq!(found(&values, "large"), Some((1, large)));
        assert_eq!(found(&values, "b"), Some((2, "2".to_owned())));
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_stored_form_is_stable() {
        let values = values(&[("a", "1"), ("no", "null")]);
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
            assert_eq!(cut.with("none", Some(b"1")), Err(Corrupt), "cut at {len}");
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
        let with = |len| Values::empty().with("k", Some(&vec![b'1'; len])).unwrap();
        assert_eq!(with(largest).unwrap().len(), MAX_LEN);
        assert_eq!(with(largest + 1), None);
        let full = (0..MAX_ENTRIES).fold(Values::empty(), |values, index| {
            values
                .with(&index.to_string(), Some(b"1"))
                .unwrap()
                .unwrap()
        });
        assert_eq!(full.with("more", Some(b"1")), Ok(None));
        assert!(
            full.with("0", Some(b"2")).unwrap().is_some(),
            "one that is there"
        );
    }
}
