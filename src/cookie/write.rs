//! Writing `Set-Cookie`: one writer sets and removes, so the removal always matches.

use http::HeaderValue;

use super::{SameSite, Settings};
use crate::id::Token;

/// Writes what a browser is told. Made of checked settings.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// `name=`
    head: String,
    /// `; Path=/; …`
    attributes: String,
    removal: HeaderValue,
    twin_removal: HeaderValue,
}

impl Writer {
    pub(crate) fn new(settings: &Settings) -> Self {
        let twin = Settings {
            partitioned: !settings.partitioned,
            ..settings.clone()
        };
        Self {
            head: format!("{}=", settings.name),
            attributes: attributes(settings),
            removal: removal(settings),
            twin_removal: removal(&twin),
        }
    }

    /// Tells the browser an id; with a `Max-Age` in seconds if it is to survive a restart.
    pub(crate) fn set(&self, token: &Token, max_age: Option<u64>) -> HeaderValue {
        let max_age = max_age
            .map(|seconds| format!("; Max-Age={seconds}"))
            .unwrap_or_default();
        // No spare room: a header value of a vector that is full needs no second allocation.
        let len = self.head.len() + Token::CHARS + self.attributes.len() + max_age.len();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(self.head.as_bytes());
        let mut text = [0; Token::CHARS];
        token.write(&mut text);
        bytes.extend_from_slice(&text);
        bytes.extend_from_slice(self.attributes.as_bytes());
        bytes.extend_from_slice(max_age.as_bytes());
        sensitive(HeaderValue::try_from(bytes).expect("checked settings and base64url"))
    }

    /// Tells the browser to forget the id.
    pub(crate) const fn removal(&self) -> &HeaderValue {
        &self.removal
    }

    /// Tells the browser to forget a cookie that differs in `Partitioned` only, which it keeps beside ours.
    pub(crate) const fn twin_removal(&self) -> &HeaderValue {
        &self.twin_removal
    }
}

fn removal(settings: &Settings) -> HeaderValue {
    let text = format!(
        "{}={}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        settings.name,
        attributes(settings)
    );
    sensitive(HeaderValue::try_from(text).expect("checked settings"))
}

fn attributes(settings: &Settings) -> String {
    let mut text = format!("; Path={}", settings.path);
    if let Some(domain) = &settings.domain {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    text.push_str("; HttpOnly");
    text.push_str(match settings.same_site {
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
        SameSite::Strict => "; SameSite=Strict",
    });
    if settings.secure {
        text.push_str("; Secure");
    }
    if settings.partitioned {
        text.push_str("; Partitioned");
    }
    text
}

/// Keeps the value out of `Debug` and of HPACK's and QPACK's tables (RFC 7541 section 7.1.3).
pub(super) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use cookie::{Cookie, time::Duration};

    use super::*;

    /// Reads with somebody else's parser what ours wrote.
    fn read(value: &HeaderValue) -> Cookie<'_> {
        Cookie::parse(value.to_str().unwrap()).unwrap()
    }

    fn every_setting() -> Vec<Settings> {
        let mut all = vec![Settings::default()];
        for same_site in [SameSite::Lax, SameSite::Strict, SameSite::None] {
            for partitioned in [false, true] {
                all.push(Settings {
                    name: "__Secure-id".into(),
                    path: "/shop".into(),
                    domain: Some("example.com".into()),
                    same_site,
                    partitioned,
                    ..Settings::default()
                });
            }
        }
        all
    }

    #[test]
    fn the_default_cookie_is_written_as_promised() {
        let token = Token::parse(&[b'a'; Token::CHARS]).unwrap();
        let writer = Writer::new(&Settings::default());
        let value = "a".repeat(64);
        assert_eq!(
            writer.set(&token, None),
            format!("__Host-Http-id={value}; Path=/; HttpOnly; SameSite=Lax; Secure").as_str()
        );
        assert_eq!(
            writer.set(&token, Some(60)),
            format!("__Host-Http-id={value}; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60")
                .as_str()
        );
    }

    #[test]
    fn another_parser_reads_what_was_meant() {
        let token = Token::parse(&[b'a'; Token::CHARS]).unwrap();
        for settings in every_setting() {
            let value = Writer::new(&settings).set(&token, Some(90));
            let cookie = read(&value);
            assert_eq!(cookie.name(), settings.name);
            assert_eq!(cookie.value(), "a".repeat(64));
            assert_eq!(cookie.path(), Some(settings.path.as_str()));
            assert_eq!(cookie.domain(), settings.domain.as_deref());
            assert_eq!(cookie.http_only(), Some(true));
            assert_eq!(cookie.secure(), Some(settings.secure));
            assert_eq!(cookie.partitioned(), settings.partitioned.then_some(true));
            assert_eq!(
                cookie.same_site().unwrap().to_string(),
                format!("{:?}", settings.same_site)
            );
            assert_eq!(cookie.max_age(), Some(Duration::seconds(90)));
        }
    }

    #[test]
    fn the_removal_matches_what_was_set_and_the_twin_differs_in_partitioned_only() {
        let token = Token::parse(&[b'a'; Token::CHARS]).unwrap();
        for settings in every_setting() {
            let writer = Writer::new(&settings);
            let set = writer.set(&token, None);
            let scope = |cookie: &Cookie<'_>| {
                let partitioned = cookie.partitioned().unwrap_or(false);
                (
                    [
                        cookie.name(),
                        cookie.path().unwrap(),
                        cookie.domain().unwrap_or(""),
                    ]
                    .map(str::to_owned),
                    partitioned,
                )
            };
            let (set, removal) = (scope(&read(&set)), read(writer.removal()));
            assert_eq!(scope(&removal), set);
            assert_eq!(
                (removal.value(), removal.max_age()),
                ("", Some(Duration::ZERO))
            );
            let twin = scope(&read(writer.twin_removal()));
            assert_eq!((twin.0, twin.1), (set.0, !set.1));
        }
    }

    #[test]
    fn every_set_cookie_is_sensitive() {
        let writer = Writer::new(&Settings::default());
        let set = writer.set(&Token::parse(&[b'a'; Token::CHARS]).unwrap(), None);
        assert!(
            set.is_sensitive()
                && writer.removal().is_sensitive()
                && writer.twin_removal().is_sensitive()
        );
        assert!(!format!("{set:?}").contains("aaaa"));
    }
}
