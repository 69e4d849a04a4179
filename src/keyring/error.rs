//! What can be wrong with keys. No key is ever told.

use std::{error, fmt, io, path::Path};

use super::server_key::KEY_LEN;

/// A key, or a ring of them, cannot be used. What it says names the place and the mend, and never shows a key.
///
/// It has a [source](std::error::Error::source) where the operating system has refused something, such as to read a file.
///
/// ```
/// use tenure::ServerKey;
///
/// let error = ServerKey::from_bytes(&[1, 2, 3]).unwrap_err();
/// assert_eq!(error.to_string(), "a key has 32 bytes and this has 3; make one with `openssl rand -base64 32`");
/// ```
#[derive(Debug)]
pub struct KeyError {
    text: Box<str>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl KeyError {
    fn new(text: impl Into<Box<str>>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    fn because(self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    pub(super) fn len(len: usize) -> Self {
        Self::new(format!(
            "a key has {KEY_LEN} bytes and this has {len}; {MAKE_ONE}"
        ))
    }

    pub(super) fn text() -> Self {
        Self::new(format!(
            "this key is text; if it is hex or base64 read it as such, otherwise {MAKE_ONE}"
        ))
    }

    pub(super) fn text_file() -> Self {
        Self::new("this is text, for `Keyring::from_file`")
    }

    pub(super) fn guessable() -> Self {
        Self::new(format!(
            "this key is a pattern that can be guessed; {MAKE_ONE}"
        ))
    }

    pub(super) fn not_hex() -> Self {
        Self::new(format!(
            "this is not hex of {KEY_LEN} bytes, which has 64 digits; {MAKE_ONE} and read it as base64"
        ))
    }

    pub(super) fn not_base64() -> Self {
        Self::new(format!(
            "this is not base64 of {KEY_LEN} bytes, which has 44 characters, or 43 without the padding; {MAKE_ONE}"
        ))
    }

    pub(super) fn neither_hex_nor_base64() -> Self {
        Self::new(format!(
            "this is neither hex nor base64 of {KEY_LEN} bytes; {MAKE_ONE}"
        ))
    }

    pub(super) fn not_a_date() -> Self {
        Self::new(
            "behind a key stands the day on which it was replaced, such as 2026-11-27, or nothing; write the day, or remove what stands there",
        )
    }

    pub(super) fn dated_active_key() -> Self {
        Self::new(
            "the first key is the active one, so it was not replaced; put the active key first, or remove the day",
        )
    }

    pub(super) fn nothing_there() -> Self {
        Self::new(format!("there is no key; {MAKE_ONE} and put it there"))
    }

    pub(super) fn repeated(is_same: bool) -> Self {
        Self::new(match is_same {
            true => "this key is in the ring twice; leave one of the two out".to_owned(),
            false => format!(
                "two keys of the ring have the same id by chance; instead of one of them {MAKE_ONE}"
            ),
        })
    }

    pub(super) fn too_many() -> Self {
        Self::new("a keyring has at most four keys besides the active one; drop the oldest")
    }

    pub(super) fn no_random(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new("no key can be made without random bytes").because(source)
    }

    pub(super) fn of_file(self, path: &Path) -> Self {
        self.in_place(&format!("the key file `{}` cannot be used", path.display()))
    }

    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::InvalidData => Self::new(format!(
                "the key file `{}` is not text; {MAKE_ONE}, or read a file of the bare bytes by `ServerKey::from_binary_file`",
                path.display()
            )),
            _ => Self::new(format!("the key file `{}` cannot be read", path.display()))
                .because(source),
        }
    }

    pub(super) fn of_variable(self, name: &str) -> Self {
        self.in_place(&format!(
            "the keys of the environment's `{name}` cannot be used"
        ))
    }

    pub(super) fn missing_variable(name: &str) -> Self {
        Self::new(format!(
            "the environment has no text under `{name}`; set it to the keys, the active one first"
        ))
    }

    pub(super) fn at_line(self, number: usize) -> Self {
        self.in_place(&format!("line {number}"))
    }

    /// Says the place too: who prints nothing but the error is to read which line it is, and the mend.
    fn in_place(self, place: &str) -> Self {
        Self {
            text: format!("{place}: {}", self.text).into(),
            ..self
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for KeyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

const MAKE_ONE: &str = "make one with `openssl rand -base64 32`";
