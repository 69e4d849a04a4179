//! What a list of devices calls a session, and from where a layer takes it.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};

/// What a list calls a session: a few words for people, never compared with anything. An empty one is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label(Box<str>);

impl Label {
    /// Makes a label of any text: without what controls a line, and cut where a character ends.
    pub(crate) fn of(text: &str) -> Self {
        let is_shown = |char: &char| !char.is_control() && !turns_text_around(*char);
        let mut label: String = text.chars().filter(is_shown).collect();
        let mut ends = (0..=MAX_LEN).rev();
        label.truncate(ends.find(|end| label.is_char_boundary(*end)).unwrap_or(0));
        Self(label.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// From which header of a login its session's label is made, and how.
#[derive(Clone)]
pub(crate) struct LabelSource {
    header: HeaderName,
    describe: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

impl LabelSource {
    pub(crate) fn new(
        header: HeaderName,
        describe: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            header,
            describe: Arc::new(describe),
        }
    }

    /// Keeps what a label would be made of; nothing is copied or computed for it.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        headers.get(&self.header).cloned()
    }

    /// Makes the label. The application's code runs, so no lock may be held.
    pub(crate) fn label(&self, value: &HeaderValue) -> Label {
        let text = String::from_utf8_lossy(value.as_bytes());
        Label::of(&(self.describe)(&text))
    }
}

impl fmt::Debug for LabelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelSource({})", self.header)
    }
}

/// Tells whether a character says in which direction others are written, those that follow the label too.
const fn turns_text_around(char: char) -> bool {
    matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// How many bytes a label has at most: some words, and not a whole `User-Agent`, which has no end.
const MAX_LEN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_makes_a_label() {
        let (long, wide) = ("a".repeat(200), "ü".repeat(100));
        let odd = format!("a{wide}");
        for (case, text, label) in [
            ("nothing", "", ""),
            ("words", "Firefox on Linux", "Firefox on Linux"),
            ("other scripts", "Ядро на Linux 🦊", "Ядро на Linux 🦊"),
            ("what breaks a line", "a\r\nb\tc\u{0}d\u{7f}\u{85}", "abcd"),
            ("other directions", "فايرفوكس", "فايرفوكس"),
            (
                "what turns the line around",
                "a\u{202e}b\u{2066}c\u{2069}d\u{200f}e\u{61c}",
                "abcde",
            ),
            ("as long as can be", &long[..128], &long[..128]),
            ("too long", &long, &long[..128]),
            ("a cut between characters", &wide, &wide[..128]),
            ("a cut within a character", &odd, &odd[..127]),
        ] {
            assert_eq!(Label::of(text).as_str(), label, "{case}");
        }
    }

    #[test]
    fn a_header_that_is_not_text_makes_a_label_all_the_same() {
        let source = LabelSource::new(http::header::USER_AGENT, str::to_uppercase);
        let mut headers = HeaderMap::new();
        assert_eq!(source.read(&headers), None);
        let value = HeaderValue::from_bytes(b"b\xff").unwrap();
        headers.insert(http::header::USER_AGENT, value);
        let value = source.read(&headers).unwrap();
        assert_eq!(source.label(&value).as_str(), "B\u{fffd}");
    }
}
