//! Reading the id out of `Cookie` fields: bytes in, candidates out.
//!
//! Names are compared exactly. There is no decoding, no quoting, no Unicode and no trimming beyond the one space after
//! a semicolon: each of these has let a planted cookie pass for a genuine one elsewhere (class H of `docs/security.md`).

use http::{HeaderMap, header::COOKIE};

use crate::id::Token;

/// What a request brought under our name.
#[derive(Debug, Default)]
pub(crate) struct Presented {
    first: Option<Token>,
    others: Vec<Token>,
    /// How many different values there were, the malformed ones included.
    values: usize,
}

impl Presented {
    /// How many different ids are looked up; no conformant browser sends more, and then none is.
    pub(crate) const MAX_IDS: usize = 4;

    /// Finds the values of a name, in time linear in what is scanned.
    pub(crate) fn read(headers: &HeaderMap, name: &str) -> Self {
        let mut presented = Self::default();
        let mut budget = MAX_SCANNED;
        for field in headers.get_all(COOKIE) {
            let field = field.as_bytes();
            let scanned = field.len().min(budget);
            presented.scan(&field[..scanned], name.as_bytes());
            budget -= scanned;
        }
        presented
    }

    /// Tells whether there was nothing under our name, not even something malformed.
    pub(crate) const fn is_absent(&self) -> bool {
        self.values == 0
    }

    /// Tells whether different values stood under our name.
    pub(crate) const fn is_ambiguous(&self) -> bool {
        self.values > 1
    }

    /// Tells whether there were more ids than are looked up.
    pub(crate) const fn is_too_many(&self) -> bool {
        self.others.len() >= Self::MAX_IDS
    }

    /// Tells whether something under our name has the shape of an id.
    pub(crate) const fn has_ids(&self) -> bool {
        self.first.is_some()
    }

    /// Returns the first id.
    pub(crate) fn first(&self) -> Option<Token> {
        self.first.as_ref().map(Token::duplicate)
    }

    /// Returns the ids that differ from the first.
    pub(crate) fn others(&self) -> Vec<Token> {
        self.others.iter().map(Token::duplicate).collect()
    }

    fn scan(&mut self, mut field: &[u8], name: &[u8]) {
        loop {
            let end = memchr::memchr(b';', field).unwrap_or(field.len());
            let pair = field[..end].strip_prefix(b" ").unwrap_or(&field[..end]);
            if let Some([b'=', value @ ..]) = pair.strip_prefix(name) {
                self.add(value);
            }
            match field.get(end + 1..) {
                Some(rest) => field = rest,
                None => return,
            }
        }
    }

    /// Takes in what stands under our name.
    pub(super) fn add(&mut self, value: &[u8]) {
        match (Token::parse(value), &self.first) {
            (None, _) => self.values += 1,
            (Some(id), None) => {
                self.values += 1;
                self.first = Some(id);
            }
            (Some(id), Some(first)) => {
                let known =
                    first.same_as(&id) || self.others.iter().any(|other| other.same_as(&id));
                if !known && !self.is_too_many() {
                    self.values += 1;
                    self.others.push(id);
                }
            }
        }
    }
}

/// How many bytes of `Cookie` fields are looked at; servers commonly refuse half of it.
const MAX_SCANNED: usize = 16 * 1024;

#[cfg(test)]
impl Presented {
    /// Returns the first characters of the ids that are looked up, and how many different values there were.
    pub(super) fn found(&self) -> (String, usize) {
        let first = |token: Token| {
            let mut text = [0; Token::CHARS];
            token.write(&mut text);
            char::from(text[0])
        };
        let ids = self
            .first()
            .into_iter()
            .chain(self.others())
            .take(if self.is_too_many() { 0 } else { 9 });
        (ids.map(first).collect(), self.values)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(fields: &[&[u8]]) -> Presented {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_bytes(field).unwrap());
        }
        Presented::read(&headers, "id")
    }

    fn id(fill: char) -> String {
        fill.to_string().repeat(Token::CHARS)
    }

    /// Reads and returns the ids' first characters, and how many different values there were.
    fn found(fields: &[&[u8]]) -> (String, usize) {
        read(fields).found()
    }

    #[test]
    fn the_genuine_id_is_found_among_junk_and_nothing_else_is() {
        let a = id('a');
        for (case, field, expected) in [
            ("alone", format!("id={a}"), ("a", 1)),
            ("first", format!("id={a}; theme=dark"), ("a", 1)),
            ("last", format!("theme=dark; id={a}"), ("a", 1)),
            (
                "without a space",
                format!("theme=dark;id={a};x=y"),
                ("a", 1),
            ),
            (
                "next to junk",
                format!("=; ;;==; \"; id={a}; $Version=1; é; x"),
                ("a", 1),
            ),
            ("a closing semicolon", format!("id={a};"), ("a", 1)),
            (
                "a longer name",
                format!("xid={a}; id2={a}; idx={a}"),
                ("", 0),
            ),
            ("another case", format!("ID={a}; Id={a}"), ("", 0)),
            ("a space before the sign", format!("id ={a}"), ("", 0)),
            (
                "two spaces before the name",
                format!("x=y;  id={a}"),
                ("", 0),
            ),
            ("a tab before the name", format!("x=y;\tid={a}"), ("", 0)),
            (
                "a Unicode space before the name",
                format!("x=y;\u{2000}id={a}"),
                ("", 0),
            ),
            ("percent-encoded name", format!("%69d={a}"), ("", 0)),
            ("nameless", a.clone(), ("", 0)),
            ("no value", "id".into(), ("", 0)),
            ("an empty value", "id=".into(), ("", 1)),
            ("quoted", format!("id=\"{a}\""), ("", 1)),
            (
                "percent-encoded value",
                format!("id=%61{}", &a[1..]),
                ("", 1),
            ),
            ("a space after the value", format!("id={a} "), ("", 1)),
            ("too short", format!("id={}", &a[1..]), ("", 1)),
            ("too long", format!("id={a}a"), ("", 1)),
            ("the name twice in one pair", format!("id=id={a}"), ("", 1)),
            ("the same value twice", format!("id={a}; id={a}"), ("a", 1)),
            ("two values", format!("id={a}; id={}", id('b')), ("ab", 2)),
            (
                "a malformed one beside it",
                format!("id=x; id={a}"),
                ("a", 2),
            ),
        ] {
            let (ids, values) = found(&[field.as_bytes()]);
            assert_eq!((ids.as_str(), values), expected, "{case}");
        }
    }

    #[test]
    fn several_fields_are_read_as_one() {
        let (a, b) = (format!("id={}", id('a')), format!("x=y; id={}", id('b')));
        assert_eq!(found(&[b"x=y", a.as_bytes()]), ("a".into(), 1));
        assert_eq!(found(&[a.as_bytes(), b.as_bytes()]), ("ab".into(), 2));
        assert_eq!(
            found(&[a.as_bytes(), b"\xff\xfe", b"junk"]),
            ("a".into(), 1)
        );
    }

    #[test]
    fn four_different_ids_are_looked_up_and_of_five_none() {
        let field = |ids: &str| {
            ids.chars()
                .map(|fill| format!("id={}", id(fill)))
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert_eq!(found(&[field("abcd").as_bytes()]).0, "abcd");
        assert_eq!(found(&[field("abcdabcd").as_bytes()]).0, "abcd");
        assert_eq!(found(&[field("abcde").as_bytes()]), (String::new(), 5));
        assert_eq!(found(&[field("abcdefgh").as_bytes()]), (String::new(), 5));
    }

    #[test]
    fn what_stands_beyond_sixteen_kibibytes_is_not_looked_at() {
        let pair = format!("; id={}", id('a'));
        let within = "x".repeat(MAX_SCANNED - pair.len()) + pair.as_str();
        let beyond = "x".repeat(MAX_SCANNED) + pair.as_str();
        assert_eq!(found(&[within.as_bytes()]).0, "a");
        assert_eq!(found(&[beyond.as_bytes()]), (String::new(), 0));
        assert_eq!(
            found(&["x".repeat(MAX_SCANNED).as_bytes(), pair.as_bytes()]),
            (String::new(), 0)
        );
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(fields in proptest::collection::vec(
            proptest::collection::vec((0x20_u8..=0xff).prop_filter("no field", |byte| *byte != 0x7f), 0..300), 0..5,
        )) {
            let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            let (ids, values) = found(&fields);
            prop_assert!(ids.len() <= values);
        }

        #[test]
        fn junk_in_other_cookies_never_hides_the_genuine_id(
            before in "[ -:<-~]{0,40}", after in "[ -~]{0,40}",
        ) {
            let field = format!("{before}; id={}; {after}", id('a'));
            prop_assert!(found(&[field.as_bytes()]).0.starts_with('a'));
        }
    }
}
