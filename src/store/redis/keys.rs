//! The names of keys: checked once, so that every command may hold them.

use std::fmt;

use crate::{id::Handle, store::SetupError};

/// How keys begin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys(Box<str>);

impl Keys {
    const LONGEST: usize = 64;

    pub(super) fn parse(prefix: &str) -> Result<Self, SetupError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        match (1..=Self::LONGEST).contains(&prefix.len()) && prefix.bytes().all(is_plain) {
            true => Ok(Self(prefix.into())),
            false => Err(SetupError::prefix(prefix, Self::LONGEST)),
        }
    }

    /// Returns the key of a handle.
    pub(super) fn of(&self, handle: Handle) -> String {
        format!("{}{handle}", self.0)
    }
}

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

    #[test]
    fn a_key_is_the_prefix_and_the_handle() {
        let handle = Handle::from_bytes([7; 16]);
        assert_eq!(Keys::default().of(handle), "tenure:BwcHBwcHBwcHBwcHBwcHBw");
        let keys = Keys::parse("shop/a_b-c.d:").unwrap();
        assert_eq!(keys.of(handle), "shop/a_b-c.d:BwcHBwcHBwcHBwcHBwcHBw");
        assert!(Keys::parse(&"a".repeat(Keys::LONGEST)).is_ok());
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
