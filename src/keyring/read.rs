//! Keys from a file or the environment.

use std::{env, fs, path::Path};

use zeroize::Zeroizing;

use super::{KeyError, Keyring, ServerKey, date::Date};

impl Keyring {
    /// Reads keys from text: one a line, in hex or base64, the active one first.
    ///
    /// Behind a key that is not the active one may stand the day on which it was replaced. Empty lines, and what follows a
    /// `#`, are left out.
    ///
    /// ```
    /// use tenure::Keyring;
    ///
    /// # let (new, old) = ("nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=", "0d79b5e86c2f41a39e04d7b8612c5fa087e93b14c6f05d2a7918ce43b5f6720a");
    /// let keyring = Keyring::from_text(&format!("
    ///     {new}  # made by Ada
    ///     {old} 2026-11-27
    /// "))?;
    /// assert!(keyring.previous()[0].to_string().ends_with("replaced on 2026-11-27"));
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no key, or one that cannot be used; it says in which line, and why.
    ///
    /// ```
    /// use tenure::Keyring;
    ///
    /// let error = Keyring::from_text("# of the shop\nchangeme").unwrap_err().to_string();
    /// assert!(error.starts_with("line 2: this is neither hex nor base64 of 32 bytes"));
    /// ```
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        // Some editors put a mark of its encoding before a file's first letter.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self::of_lines(text.lines())
    }

    /// Reads keys from a file of text, as [`from_text`](Self::from_text) does.
    ///
    /// # Errors
    ///
    /// If it cannot be read, which its source explains, or as for [`from_text`](Self::from_text).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|error| KeyError::unreadable(path, error))?;
        Self::from_text(&Zeroizing::new(text)).map_err(|error| error.of_file(path))
    }

    /// Reads keys from a variable of the environment, as [`from_text`](Self::from_text) does; a comma ends a line too.
    ///
    /// Prefer a file: who may look at processes, and every process that this one starts, sees its environment.
    ///
    /// # Errors
    ///
    /// If it is not set, or as for [`from_text`](Self::from_text).
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let text = env::var(name).map_err(|_| KeyError::missing_variable(name))?;
        let text = Zeroizing::new(text);
        Self::of_lines(text.split([',', '\n'])).map_err(|error| error.of_variable(name))
    }

    fn of_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self, KeyError> {
        let numbered = (1..).zip(lines);
        let ring = numbered.into_iter().try_fold(None, |ring, (number, line)| {
            add(ring, line).map_err(|error| error.at_line(number))
        });
        ring?.ok_or_else(KeyError::nothing_there)
    }
}

/// Adds what stands in a line, if anything does.
fn add(ring: Option<Keyring>, line: &str) -> Result<Option<Keyring>, KeyError> {
    let (content, _) = line.split_once('#').unwrap_or((line, ""));
    let mut words = content.split_whitespace();
    let Some(key) = words.next() else {
        return Ok(ring);
    };
    let key = ServerKey::from_text(key)?;
    let day = words.next().map(str::parse::<Date>).transpose();
    let day = day.map_err(|()| KeyError::not_a_date())?;
    if words.next().is_some() {
        return Err(KeyError::not_a_date());
    }
    match (ring, day) {
        (None, None) => Ok(Some(Keyring::new(key))),
        (None, Some(_)) => Err(KeyError::dated_active_key()),
        (Some(ring), day) => ring.with(key, day.map(Date::ends)).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const NEW: &str = "nzweW3oC2EbIsf5TB5RqLU+O4LNtF5XKUCi9b6F8Q+k=";
    const OLD: &str = "0d79b5e86c2f41a39e04d7b8612c5fa087e93b14c6f05d2a7918ce43b5f6720a";

    /// Returns what an error and its sources say.
    fn told(error: &KeyError) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }

    #[test]
    fn keys_are_read_line_by_line_the_active_one_first() {
        let ring = Keyring::from_text(&format!("# keys\n\n{NEW} # new\r\n\t{OLD} 2026-11-27\n"));
        let ring = ring.unwrap();
        assert_eq!(ring.active(), ServerKey::from_text(NEW).unwrap().id());
        let [old] = ring.previous()[..] else {
            panic!("one more")
        };
        assert_eq!(old.id(), ServerKey::from_text(OLD).unwrap().id());
        let midnight = crate::clock::Timestamp::from_millis(1_795_823_999_999);
        assert_eq!(old.replaced_at(), Some(midnight));
        let ring = Keyring::from_text(&format!("\u{feff}{NEW}\n{OLD}")).unwrap();
        assert_eq!(ring.previous()[0].replaced_at(), None);
    }

    #[test]
    fn a_wrong_key_file_is_refused_with_the_line_and_the_reason_and_without_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for (content, words) in [
            ("", "there is no key"),
            ("# none\n", "there is no key"),
            ("changeme", "line 1: this is neither hex nor base64"),
            (&"00".repeat(32), "line 1: this key is a pattern"),
            (
                &format!("{NEW}\n{NEW}"),
                "line 2: this key is in the ring twice",
            ),
            (
                &format!("{NEW}\n{OLD} soon"),
                "line 2: behind a key stands the day",
            ),
            (
                &format!("{NEW}\n{OLD} 2026-11-27 ?"),
                "line 2: behind a key stands the day",
            ),
            (
                &format!("{NEW} 2026-11-27"),
                "line 1: the first key is the active one",
            ),
            (&format!("\n{}\n", &OLD[..32]), "line 2: this is neither"),
        ] {
            fs::write(&path, content).unwrap();
            let error = Keyring::from_file(&path).unwrap_err().to_string();
            let place = format!("the key file `{}` cannot be used: ", path.display());
            assert!(error.starts_with(&format!("{place}{words}")), "{error}");
            assert!(
                !error.contains(&NEW[..8]) && !error.contains(&OLD[..8]),
                "{error}"
            );
        }
        fs::write(&path, [0xff; 32]).unwrap();
        let bytes = Keyring::from_file(&path).unwrap_err().to_string();
        assert!(bytes.contains("`ServerKey::from_binary_file`"), "{bytes}");
        let missing = told(&Keyring::from_file(folder.path().join("none")).unwrap_err());
        assert!(missing.contains("cannot be read: "), "{missing}");
        let missing = told(&Keyring::from_env("TENURE_TEST_NO_SUCH_KEYS").unwrap_err());
        assert!(missing.contains("`TENURE_TEST_NO_SUCH_KEYS`"), "{missing}");
    }
}
