//! The MAC of a record, which is the last field of its header.

use super::header::{FIELD_HEAD, tag, write};
use crate::id::KeyTag;

/// What a header says of its MAC.
#[derive(Clone, Copy)]
pub(crate) struct Authenticated<'a> {
    /// All but the MAC.
    pub(crate) header: &'a [u8],
    pub(crate) key: KeyTag,
    pub(crate) mac: &'a [u8; MAC_LEN],
}

impl<'a> Authenticated<'a> {
    /// Finds the MAC at the end of a header, whatever else it is made of.
    pub(crate) fn of(header: &'a [u8]) -> Option<Self> {
        let (rest, mac) = header.split_last_chunk()?;
        let (rest, key) = rest.split_last_chunk()?;
        let header = rest.strip_suffix(&HEAD)?;
        Some(Self {
            header,
            key: *key,
            mac,
        })
    }

    /// Adds a MAC to the header that it is made of.
    pub(crate) fn write(header: &mut Vec<u8>, key: KeyTag, mac: &[u8; MAC_LEN]) {
        write(header, tag::MAC, &[&key, mac]);
    }
}

const MAC_LEN: usize = 32;

/// Tag and length of the field.
const HEAD: [u8; FIELD_HEAD] = [tag::MAC, 0, 4 + MAC_LEN as u8];
