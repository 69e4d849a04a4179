//! What the SQL stores share: the table, the statements, and what a row means.
//!
//! A store of one engine brings the connection; the text of each statement and the meaning of each answer stand here,
//! once.

mod index;
mod layout;
mod setup;
mod statements;
mod table;

use std::{sync::Arc, time::Duration};

pub(super) use index::{
    IndexStatements, LAST, REMEMBERED, after, entry, half_done, in_places, walked,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) use index::{handle, load_all};
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) use index::{in_order, stand_in};
#[cfg(feature = "mysql")]
pub(super) use layout::Column;
pub(super) use layout::{layout, tables};
pub(super) use setup::{check_columns, check_layout};
pub(super) use statements::{Dialect, Index, Statements, Taking};
#[cfg(feature = "postgres")]
pub(super) use statements::{moved, select};
pub(super) use table::Table;

use super::{Loaded, Record, StoreError, Updated, Version};
pub(super) use super::{SetupError, SetupErrorKind};
use crate::clock::Timestamp;

/// How long a record lives, as the statements take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ttl {
    /// Milliseconds until it expires.
    pub(super) expires_in: i64,
    /// Milliseconds after that until it is swept.
    pub(super) slack: i64,
}

impl Ttl {
    /// The longest time to live, so that no sum of it overflows: 73 million years.
    const LONGEST: i64 = i64::MAX / 4;

    /// A row waits for the sweeper as long as it lived, but an hour at most. So of the touches of a session, which are
    /// at least a tenth of its idle time or five minutes apart, nine of ten leave the indexed column as it is.
    pub(super) const MOST_SLACK: i64 = 3_600_000;

    pub(super) fn new(expires_in: Duration) -> Self {
        let millis = i64::try_from(expires_in.as_millis()).unwrap_or(i64::MAX);
        let expires_in = millis.clamp(1, Self::LONGEST);
        Self {
            expires_in,
            slack: expires_in.min(Self::MOST_SLACK),
        }
    }
}

/// A row as the statements return it, in the order of their columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) version: i64,
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) created: i64,
    pub(super) last_seen: i64,
    pub(super) now: i64,
}

impl Row<'_> {
    /// Makes the row a record; stamps from before 1970 are not ours.
    pub(super) fn loaded(self) -> Result<Loaded, StoreError> {
        let record = Record::new(version(self.version), self.header, self.payload);
        Ok(Loaded::new(
            record,
            timestamp(self.created)?,
            timestamp(self.last_seen)?,
            timestamp(self.now)?,
        ))
    }
}

pub(super) fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    let millis = u64::try_from(millis);
    millis
        .map(Timestamp::from_millis)
        .map_err(StoreError::corrupt)
}

/// Returns the most rows that a statement may change, as a parameter.
pub(super) fn at_most(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Keeps all 64 bits of a version in a signed column.
pub(super) const fn signed(version: Version) -> i64 {
    version.as_u64().cast_signed()
}

const fn version(number: i64) -> Version {
    Version::from_u64(number.cast_unsigned())
}

/// Says what it means that an update changed no row, and that this is what was found instead.
///
/// A row of the expected version is older than the update: it was changed while the update waited for its lock.
pub(super) fn missed(found: Option<Loaded>, expected: Version) -> Updated {
    match found {
        None => Updated::Gone,
        Some(stale) if stale.record.version() == expected => Updated::Conflict(None),
        fresh => Updated::Conflict(fresh),
    }
}

/// The text of one statement.
pub(super) type Text = Arc<str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_never_zero_and_never_overflows() {
        let table = [
            (Duration::ZERO, 1, 1),
            (Duration::from_nanos(1), 1, 1),
            (Duration::from_millis(400), 400, 400),
            (Duration::from_secs(1_800), 1_800_000, 1_800_000),
            (Duration::from_secs(86_400), 86_400_000, Ttl::MOST_SLACK),
            (Duration::MAX, Ttl::LONGEST, Ttl::MOST_SLACK),
        ];
        for (duration, expires_in, slack) in table {
            let ttl = Ttl { expires_in, slack };
            assert_eq!(Ttl::new(duration), ttl, "{duration:?}");
        }
        assert!(
            Ttl::LONGEST
                .checked_add(Ttl::LONGEST)
                .and_then(|sum| sum.checked_add(Ttl::MOST_SLACK))
                .is_some()
        );
    }

    #[test]
    fn every_version_has_a_number_of_its_own() {
        for number in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1] {
            let expected = Version::from_u64(number);
            assert_eq!(version(signed(expected)), expected);
        }
    }

    #[test]
    fn a_row_of_another_time_is_corrupt() {
        assert!(timestamp(-1).is_err());
        assert_eq!(timestamp(7).unwrap(), Timestamp::from_millis(7));
    }
}
