//! What a store keeps of a session, encoded in two parts: a header and values.
//!
//! The header is decoded without the values, so that what ends a session works on values that do not decode, and a
//! read costs the same whether a session is small or large. Both forms begin with their format's number.

#[cfg(feature = "keyring")]
mod authenticated;
mod header;
mod sealing;
mod secrets;
mod values;

use std::{fmt, sync::Arc};

#[cfg(feature = "keyring")]
pub(crate) use authenticated::Authenticated;
pub(crate) use header::{Begun, Header, Identity, Undecodable};
#[cfg(feature = "keyring")]
pub(crate) use sealing::{Seal, Wrap, WrappedKey};
pub(crate) use secrets::Key;
#[cfg(feature = "keyring")]
pub(crate) use values::concat;
pub(crate) use values::{Corrupt, Pair, Value, Values};
#[cfg(test)]
pub(crate) use values::{MAX_ENTRIES, MAX_LEN};

/// The random name of the commit that wrote a record.
///
/// A conditional write names the version it was made from. It is no counter, so two writes never share one, and an
/// answer that was lost can be recognised by the version it would have brought.
///
/// ```
/// use tenure::store::Version;
///
/// assert_ne!(Version::from_u64(1), Version::from_u64(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// Makes a version of its number, as a store does that has read it.
    ///
    /// ```
    /// use tenure::store::Version;
    ///
    /// let column = Version::from_u64(u64::MAX).as_u64().cast_signed(); // as a database keeps it
    /// assert_eq!(Version::from_u64(column.cast_unsigned()), Version::from_u64(u64::MAX));
    /// ```
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number, as a store writes it.
    ///
    /// ```
    /// use tenure::store::Version;
    ///
    /// assert_eq!(Version::from_u64(7).as_u64(), 7);
    /// ```
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// What a store keeps under a handle, apart from the stamps it makes itself.
///
/// Cloning copies no bytes. A store writes the parts as they are and gives them back as they were.
///
/// ```
/// use tenure::store::{Record, Version};
///
/// let record = Record::new(Version::from_u64(7), [1, 2], [3]);
/// assert_eq!(record.version(), Version::from_u64(7));
/// assert_eq!((record.header(), record.values()), (&[1, 2][..], &[3][..]));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    version: Version,
    header: Arc<[u8]>,
    values: Arc<[u8]>,
}

impl Record {
    /// Makes a record of its parts, as a store does that has read them.
    pub fn new(
        version: Version,
        header: impl Into<Arc<[u8]>>,
        values: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            version,
            header: header.into(),
            values: values.into(),
        }
    }

    /// Returns the version that the store compares with the one a conditional write expects.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the encoded header.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Returns the encoded values.
    #[must_use]
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Returns the identity in the header, for a store that keeps it apart or spares signed-in sessions.
    ///
    /// A header that does not decode has none.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        header::principal(&self.header)
    }

    pub(crate) fn shared_values(&self) -> Values {
        Values::from_stored(self.values.clone())
    }

    pub(crate) fn of(version: Version, header: Arc<[u8]>, values: &Values) -> Self {
        Self {
            version,
            header,
            values: values.stored(),
        }
    }

    /// Makes the record that follows this one and has its header.
    pub(crate) fn with_values(&self, version: Version, values: &Values) -> Self {
        Self::of(version, self.header.clone(), values)
    }
}

impl fmt::Debug for Record {
    /// Shows sizes only: the header has hashes and the values are the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("header_len", &self.header.len())
            .field("values_len", &self.values.len())
            .finish()
    }
}
