//! Who a session belongs to.

use std::{convert::Infallible, fmt, str::FromStr, sync::Arc};

use sha2::{Digest, Sha256};

/// The identity that [`Session::login`](crate::Session::login) attaches to a session.
///
/// It is text of 1 to 255 bytes, compared byte for byte: take the user's id from the database, not a name or an
/// address that can be given to somebody else. It is stored in clear beside the session. It does not begin with U+001F, and in a
/// [layer with a marker](crate::SessionLayerBuilder::with_marker) the layer's name and two bytes count too.
///
/// ```
/// use tenure::PrincipalId;
///
/// assert_eq!(PrincipalId::from(42_u64), PrincipalId::from("42"));
/// assert_eq!(PrincipalId::from("42").as_str(), "42");
/// ```
///
/// A type of the application's own becomes one by `From`, and comes back out of [`Principal`](crate::Principal) and
/// [`require_principal`](crate::Session::require_principal) by `FromStr`:
///
/// ```
/// use std::{num::ParseIntError, str::FromStr};
/// use tenure::{PrincipalId, Session};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// struct UserId(u64);
///
/// impl From<UserId> for PrincipalId {
///     fn from(id: UserId) -> Self {
///         id.0.into()
///     }
/// }
///
/// impl FromStr for UserId {
///     type Err = ParseIntError;
///
///     fn from_str(text: &str) -> Result<Self, ParseIntError> {
///         text.parse().map(Self)
///     }
/// }
///
/// let session: Session = Session::for_test([("visits", 3)]);
/// session.login(UserId(42))?;
/// assert_eq!(session.require_principal::<UserId>()?, UserId(42));
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId(Arc<str>);

impl PrincipalId {
    /// How many bytes an identity has at most.
    pub const MAX_LEN: usize = 255;

    /// Returns the text.
    ///
    /// ```
    /// use tenure::PrincipalId;
    ///
    /// let id: u64 = PrincipalId::from(42).as_str().parse().unwrap();
    /// assert_eq!(id, 42);
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether a session can be given this identity: it is neither empty nor too long.
    pub(crate) fn is_valid(&self) -> bool {
        (1..=Self::MAX_LEN).contains(&self.0.len())
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq<str> for PrincipalId {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for PrincipalId {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl From<&Self> for PrincipalId {
    fn from(same: &Self) -> Self {
        same.clone()
    }
}

impl From<&str> for PrincipalId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl FromStr for PrincipalId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<&String> for PrincipalId {
    fn from(text: &String) -> Self {
        Self(text.as_str().into())
    }
}

impl From<String> for PrincipalId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for PrincipalId {
            fn from(integer: $integer) -> Self {
                Self(integer.to_string().into())
            }
        }
    )*};
}

from_integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

/// Whose principals are meant where several layers share a store: in each of them 42 is somebody else.
///
/// The store is given the layer's name before the principal, between marks; the layer without a marker has no name there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Realm(Option<Box<str>>);

impl Realm {
    pub(crate) fn named(name: &str) -> Self {
        Self(Some(format!("{MARK}{name}{MARK}").into()))
    }

    /// Returns what the store knows a principal by; nobody names himself into another realm.
    pub(crate) fn enter(&self, principal: PrincipalId) -> PrincipalId {
        match (&self.0, principal.as_str()) {
            (_, "") => principal,
            (_, text) if text.starts_with(MARK) => "".into(),
            (None, _) => principal,
            (Some(prefix), text) => format!("{prefix}{text}").into(),
        }
    }

    /// Returns who somebody is to his application.
    pub(crate) fn leave(principal: PrincipalId) -> PrincipalId {
        let named = principal.as_str().strip_prefix(MARK);
        match named.and_then(|named| named.split_once(MARK)) {
            Some((_, own)) => own.into(),
            None => principal,
        }
    }
}

/// The unit separator; a cookie's name has no control characters.
const MARK: char = '\u{1f}';

/// A digest of the credential that a login has checked.
///
/// Take what is stored of the credential, such as the password's hash: whoever changes the password changes the
/// stamp. (Django's session authentication hash is the same idea.) It is kept as SHA-256, and never printed.
///
/// ```
/// use tenure::CredentialStamp;
///
/// let stamp = CredentialStamp::of("$argon2id$v=19$…");
/// assert_eq!(stamp, CredentialStamp::of("$argon2id$v=19$…"));
/// assert_eq!(format!("{stamp:?}"), "CredentialStamp(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialStamp([u8; Self::LEN]);

impl CredentialStamp {
    /// How many bytes a stamp has.
    pub const LEN: usize = 32;

    /// Makes a stamp of what is stored of a credential.
    #[must_use]
    pub fn of(stored: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::new_with_prefix(b"tenure/v1 credential stamp\0").chain_update(stored);
        Self(digest.finalize().into())
    }

    /// Makes a stamp of what a store has kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for CredentialStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialStamp(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_who_he_was_when_he_leaves_his_realm_and_nobody_in_another() {
        let (all, admin) = (Realm::default(), Realm::named("admin"));
        let text = |id: PrincipalId| id.as_str().to_owned();
        for (case, principal, of_all, of_admin) in [
            ("a number", "42", "42", "\u{1f}admin\u{1f}42"),
            ("nobody", "", "", ""),
            (
                "a mark within",
                "4\u{1f}2",
                "4\u{1f}2",
                "\u{1f}admin\u{1f}4\u{1f}2",
            ),
            ("a forged realm", "\u{1f}admin\u{1f}42", "", ""),
            ("a mark alone", "\u{1f}", "", ""),
        ] {
            for (realm, expected) in [(&all, of_all), (&admin, of_admin)] {
                let entered = realm.enter(principal.into());
                assert_eq!(text(entered.clone()), expected, "{case}");
                if entered.is_valid() {
                    assert_eq!(text(Realm::leave(entered)), principal, "{case}");
                }
            }
        }
    }
}
