//! What an operator asks, read from the head of a request alone.

use http::{
    HeaderMap, HeaderName, Method, StatusCode, Uri,
    header::{ACCEPT, HOST, ORIGIN},
};

use crate::{id::Handle, principal::PrincipalId};

/// What is asked, and how it is to be answered.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) form: Form,
    pub(super) asked: Result<Asked, Refusal>,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Page,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// How many sessions there are.
    Count,
    List(PrincipalId),
    /// To end a session, and to show the others of its principal.
    Revoke(Handle, Option<PrincipalId>),
}

/// Why nothing is done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    CrossSite,
    Handle,
    Method,
}

impl Question {
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let query = uri.query().unwrap_or_default();
        let named = |name| parameter(query, name).filter(|value| !value.is_empty());
        let principal = named("principal").map(PrincipalId::from);
        let asked = match (method, principal) {
            (&Method::GET | &Method::HEAD, None) => Ok(Asked::Count),
            (&Method::GET | &Method::HEAD, Some(principal)) => Ok(Asked::List(principal)),
            (&Method::POST, _) if is_foreign(uri, headers) => Err(Refusal::CrossSite),
            (&Method::POST, principal) => {
                let handle = named("handle").and_then(|handle| handle.parse().ok());
                let revoke = |handle| Asked::Revoke(handle, principal);
                handle.map(revoke).ok_or(Refusal::Handle)
            }
            _ => Err(Refusal::Method),
        };
        Self {
            form: Form::accepted(headers),
            asked,
        }
    }
}

impl Form {
    fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).into_iter();
        let mut accepted = accepted.flat_map(|field| field.to_str());
        match accepted.any(|kinds| kinds.contains("application/json")) {
            true => Self::Json,
            false => Self::Page,
        }
    }
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Handle => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    pub(super) const fn words(&self) -> &'static str {
        match self {
            Self::CrossSite => "this request came from another origin; begin on this page",
            Self::Handle => "`handle` is not the handle of a session",
            Self::Method => "ask with GET, and end a session with POST",
        }
    }
}

/// Tells whether a page of another origin sent a request. Who says nothing of it is no browser.
fn is_foreign(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let host = headers.get(HOST).map(|host| host.as_bytes());
    let own = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes())
        .or(host);
    let scheme_end = origin.as_bytes().windows(3).position(|at| at == b"://");
    let origin = scheme_end.map(|at| &origin.as_bytes()[at + 3..]);
    !origin
        .zip(own)
        .is_some_and(|(origin, own)| origin.eq_ignore_ascii_case(own))
}

/// Finds a parameter of a query, as a form writes it.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('='));
    let (_, value) = pairs.flatten().find(|(known, _)| *known == name)?;
    Some(decoded(value))
}

/// Undoes what a form does to text.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(digit(*high) * 16 + digit(*low));
                rest = after;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns what a hexadecimal digit stands for.
const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle::from_bytes([0; Handle::LEN]);

    fn asked(method: &Method, uri: &str, fields: &[(&'static str, &str)]) -> Question {
        let headers = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        Question::of(method, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn every_question_is_understood_or_refused() {
        let list = |who: &str| Ok(Asked::List(who.into()));
        let with_handle = format!("/?handle={HANDLE}");
        let with_both = format!("/?principal=ada&handle={HANDLE}");
        for (method, uri, expected) in [
            (Method::GET, "/", Ok(Asked::Count)),
            (Method::HEAD, "/operator?", Ok(Asked::Count)),
            (Method::GET, "/?principal=", Ok(Asked::Count)),
            (Method::GET, "/?principal=ada", list("ada")),
            (
                Method::GET,
                "/?x=1&principal=ada%40b.org+1",
                list("ada@b.org 1"),
            ),
            (Method::GET, "/?principal=%c3%BC%zz%4", list("ü%zz%4")),
            (Method::GET, "/?principal=%ff", list("\u{fffd}")),
            (Method::GET, &with_handle, Ok(Asked::Count)),
            (Method::POST, &with_handle, Ok(Asked::Revoke(HANDLE, None))),
            (
                Method::POST,
                &with_both,
                Ok(Asked::Revoke(HANDLE, Some("ada".into()))),
            ),
            (Method::POST, "/?principal=ada", Err(Refusal::Handle)),
            (Method::POST, "/?handle=x", Err(Refusal::Handle)),
            (Method::PUT, &with_handle, Err(Refusal::Method)),
            (Method::DELETE, "/", Err(Refusal::Method)),
        ] {
            assert_eq!(asked(&method, uri, &[]).asked, expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_session_is_ended_by_a_page_of_this_origin_and_by_no_other() {
        let uri = format!("/?handle={HANDLE}");
        for (case, fields, refused) in [
            ("no browser", &[][..], false),
            ("this page", &[("sec-fetch-site", "same-origin")], false),
            ("typed in", &[("sec-fetch-site", "none")], false),
            ("another site", &[("sec-fetch-site", "cross-site")], true),
            ("a sibling domain", &[("sec-fetch-site", "same-site")], true),
            (
                "another site that looks like this one",
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://a:1"),
                    ("host", "a:1"),
                ],
                true,
            ),
            (
                "an old browser",
                &[("origin", "http://a:1"), ("host", "a:1")],
                false,
            ),
            (
                "the same in capitals",
                &[("origin", "http://A:1"), ("host", "a:1")],
                false,
            ),
            (
                "another port",
                &[("origin", "http://a:2"), ("host", "a:1")],
                true,
            ),
            (
                "another host",
                &[("origin", "http://b:1"), ("host", "a:1")],
                true,
            ),
            (
                "an origin that is hidden",
                &[("origin", "null"), ("host", "a:1")],
                true,
            ),
            ("no host to compare with", &[("origin", "http://a:1")], true),
        ] {
            let asked = asked(&Method::POST, &uri, fields).asked;
            assert_eq!(asked == Err(Refusal::CrossSite), refused, "{case}");
            assert_eq!(asked.is_ok(), !refused, "{case}");
        }
    }

    #[test]
    fn json_is_for_who_accepts_it() {
        for (accept, form) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", Form::Page),
            ("*/*", Form::Page),
            ("application/json", Form::Json),
            ("text/plain, application/json;q=0.9", Form::Json),
        ] {
            assert_eq!(asked(&Method::GET, "/", &[("accept", accept)]).form, form);
        }
        assert_eq!(asked(&Method::GET, "/", &[]).form, Form::Page);
    }
}
