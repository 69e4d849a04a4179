//! The names of keys: checked once, so that every command may hold them.

use std::fmt;

use crate::{id::Handle, principal::PrincipalId, store::SetupError};

/// How keys begin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys(Box<str>);

/// The name of a key, and which of several connections its verbs go over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: Box<[u8]>,
    pub(super) lane: u8,
}

impl Keys {
    const LONGEST: usize = 64;

    pub(super) fn parse(prefix: &str) -> Result<Self, SetupError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        match (1..=Self::LONGEST).contains(&prefix.len()) && prefix.bytes().all(is_plain) {
            true => Ok(Self(prefix.into())),
            false => Err(SetupError::prefix(prefix, Self::LONGEST)),
        }
    }

    /// Returns the key of a session.
    pub(super) fn of(&self, handle: Handle) -> Key {
        Key {
            name: [self.0.as_bytes(), &handle.chars()].concat().into(),
            // Handles are random, so any byte of theirs is a fair choice.
            lane: handle.as_bytes()[0],
        }
    }

    /// Returns the key of a principal's entries.
    ///
    /// No prefix and no handle has an `@`, so it is no other key of this store, nor of another with any prefix.
    pub(super) fn of_principal(&self, principal: &PrincipalId) -> Key {
        let principal = principal.as_str();
        Key {
            name: format!("{}@{principal}", self.0).into_bytes().into(),
            lane: principal.bytes().fold(0, u8::wrapping_add),
        }
    }

    /// Returns a pattern that all keys of sessions match, and few others.
    pub(super) fn of_sessions(&self) -> String {
        format!("{}{}", self.0, "?".repeat(HANDLE_CHARS))
    }

    /// Returns the handle of a session's key; other keys have none.
    pub(super) fn handle(&self, name: &[u8]) -> Option<Handle> {
        let handle = name.strip_prefix(self.0.as_bytes())?;
        str::from_utf8(handle).ok()?.parse().ok()
    }
}

/// As many as a handle is written with.
const HANDLE_CHARS: usize = 22;

impl Default for Keys {
    fn default() -> Self {
        Self("tenure:".into())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle::from_bytes([7; 16]);

    fn name(key: &Key) -> &str {
        str::from_utf8(&key.name).unwrap()
    }

    #[test]
    fn a_key_is_the_prefix_and_the_handle() {
        let keys = Keys::default();
        assert_eq!(name(&keys.of(HANDLE)), "tenure:BwcHBwcHBwcHBwcHBwcHBw");
        let keys = Keys::parse("shop/a_b-c.d:").unwrap();
        let expected = "shop/a_b-c.d:BwcHBwcHBwcHBwcHBwcHBw";
        assert_eq!(name(&keys.of(HANDLE)), expected);
        assert!(Keys::parse(&"a".repeat(Keys::LONGEST)).is_ok());
    }

    #[test]
    fn a_principal_has_a_key_that_is_no_sessions_key_under_any_prefix() {
        let keys = Keys::default();
        let key = |principal: &str| keys.of_principal(&principal.into());
        assert_eq!(name(&key("42")), "tenure:@42");
        assert_eq!(name(&key("{a}é\0")), "tenure:@{a}é\0");
        assert!(Keys::parse("tenure:@").is_err());
        let handle = HANDLE.to_string();
        assert_eq!(keys.handle(&key(&handle).name), None);
        assert_eq!(keys.handle(&key(&handle[1..]).name), None);
    }

    #[test]
    fn a_sessions_key_tells_its_handle_and_another_key_does_not() {
        let keys = Keys::default();
        let key = keys.of(HANDLE);
        assert_eq!(keys.handle(&key.name), Some(HANDLE));
        assert_eq!(keys.of_sessions().len(), key.name.len());
        for other in [
            "",
            "tenure:",
            "tenure:BwcHBwcHBwcHBwcHBwcHBx",
            "shop:BwcHBwcHBwcHBwcHBwcHBw",
        ] {
            assert_eq!(keys.handle(other.as_bytes()), None, "{other}");
        }
        let other = Keys::parse("tenure:a").unwrap().of(HANDLE);
        assert_eq!(keys.handle(&other.name), None);
        assert_eq!(keys.handle(b"tenure:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }

    #[test]
    fn any_other_prefix_is_refused_with_what_a_prefix_is() {
        let too_long = "a".repeat(Keys::LONGEST + 1);
        for prefix in [
            "", "a b", "{a}", "a*", "a?", "[a]", "a\\", "ä", "a\n", "a\0", &too_long,
        ] {
            let message = Keys::parse(prefix).unwrap_err().to_string();
            assert!(
                message.contains("letters, digits and `_ - . : /`"),
                "{message}"
            );
        }
    }
}
