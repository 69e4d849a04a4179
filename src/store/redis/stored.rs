//! What stands under a key, byte for byte.
//!
//! | bytes | |
//! |---|---|
//! | 0 | the number of the format |
//! | 1 to 8 | the version |
//! | 9 to 16 | when it was created, in milliseconds since 1970 |
//! | 17 to 24 | when it was last seen |
//! | 25 to 28 | how long the header is |
//! | 29 … | the header, then the values |
//!
//! Numbers are unsigned, the first byte is the greatest. The stamps are written by the scripts alone, by the server's
//! clock, at places that do not move: a touch overwrites eight bytes.

use std::{error, fmt};

use crate::{
    clock::Timestamp,
    store::{Loaded, Record, Version},
};

/// The bytes are not a record of a format that this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is under this key was not written by this store, or by a later release")
    }
}

impl error::Error for Foreign {}

/// How many bytes stand before the header.
pub(super) const PREFIX: usize = 29;

/// Makes a record of what stands under a key.
pub(super) fn read(bytes: &[u8], now: Timestamp) -> Result<Loaded, Foreign> {
    check(bytes)?;
    let (prefix, rest) = bytes.split_at(PREFIX);
    let number = |at: usize| u64::from_be_bytes(array(&prefix[at..at + 8]));
    let header_len = u32::from_be_bytes(array(&prefix[25..])) as usize;
    let (header, values) = rest.split_at_checked(header_len).ok_or(Foreign)?;
    Ok(Loaded::new(
        Record::new(Version::from_u64(number(1)), header, values),
        Timestamp::from_millis(number(9)),
        Timestamp::from_millis(number(17)),
        now,
    ))
}

/// Checks that the first bytes of what stands under a key are those of a record.
pub(super) fn check(bytes: &[u8]) -> Result<(), Foreign> {
    match bytes.first_chunk::<PREFIX>() {
        Some([FORMAT, ..]) => Ok(()),
        _ => Err(Foreign),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("so many were taken")
}

/// Writes how a record of this version begins.
pub(super) fn beginning(version: Version) -> [u8; 9] {
    let mut bytes = [FORMAT; 9];
    bytes[1..].copy_from_slice(&version.as_u64().to_be_bytes());
    bytes
}

/// Writes the length of the header, as it follows the stamps; the header follows it, and the values follow that.
pub(super) fn header(record: &Record) -> ([u8; 4], &[u8]) {
    let header = record.header();
    let len = u32::try_from(header.len()).expect("a header is a few hundred bytes");
    (len.to_be_bytes(), header)
}

const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// As the scripts put it together.
    fn written(record: &Record, created: u64, last_seen: u64) -> Vec<u8> {
        let (len, header) = header(record);
        [
            &beginning(record.version())[..],
            &created.to_be_bytes(),
            &last_seen.to_be_bytes(),
            &len,
            header,
            record.values(),
        ]
        .concat()
    }

    fn sample() -> Record {
        Record::new(Version::from_u64(0x0102_0304_0506_0708), [9, 8], [7])
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_stored_form_is_stable() {
        assert_eq!(
            written(&sample(), 10, 11),
            *b"\x01\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x0b\0\0\0\x02\x09\x08\x07"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let empty = Record::new(Version::from_u64(u64::MAX), [], []);
        for record in [sample(), empty] {
            let loaded = read(&written(&record, 10, 11), Timestamp::from_millis(12)).unwrap();
            let stamps = [loaded.created, loaded.last_seen, loaded.now];
            assert_eq!(loaded.record, record);
            assert_eq!(stamps, [10, 11, 12].map(Timestamp::from_millis));
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_format_is_foreign_and_never_a_panic() {
        let good = written(&sample(), 10, 11);
        for len in 0..PREFIX + 2 {
            assert_eq!(
                read(&good[..len], Timestamp::from_millis(0)),
                Err(Foreign),
                "{len}"
            );
        }
        let mut later = good.clone();
        later[0] = 2;
        assert_eq!(read(&later, Timestamp::from_millis(0)), Err(Foreign));
        let mut long = good;
        long[25] = 0xff;
        assert_eq!(read(&long, Timestamp::from_millis(0)), Err(Foreign));
    }
}
