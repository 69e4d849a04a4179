//! Keeping what belongs to one visitor out of caches that serve many.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, COOKIE, EXPIRES, Entry, VARY},
};

use crate::cookie::HeaderTransport;

/// What a response has to do with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// The session was used, and nobody is signed in.
    Anonymous,
    /// Our cookie is on the response.
    Cookie,
    /// An id is on the response in a header, which no cache knows for one.
    Header,
    /// The session was used, and somebody is signed in.
    SignedIn,
}

/// Adds what caches must know, and keeps what the handler said unless it would leak the cookie.
pub(crate) fn protect(
    headers: &mut HeaderMap,
    exposure: Exposure,
    transport: Option<&HeaderTransport>,
) {
    if matches!(exposure, Exposure::Cookie | Exposure::Header) && has_any(headers, &SHARED_ONLY) {
        SHARED_ONLY
            .iter()
            .for_each(|name| drop(headers.remove(name)));
    }
    let expires = has_any(headers, &[EXPIRES]);
    vary(headers, transport);
    match headers.entry(CACHE_CONTROL) {
        Entry::Vacant(place) => {
            place.insert(match exposure {
                Exposure::Header => NO_STORE,
                _ if expires => PRIVATE,
                Exposure::Cookie | Exposure::SignedIn => NO_STORE,
                Exposure::Anonymous => PRIVATE_NO_CACHE,
            });
        }
        Entry::Occupied(mut place) => {
            let said = in_one_line(place.iter());
            let value = match exposure {
                Exposure::Cookie => Some(without_sharing(&said)),
                // One that a private cache keeps would bring an old id back with it.
                Exposure::Header => Some(NO_STORE),
                Exposure::Anonymous | Exposure::SignedIn => made_private(&said),
            };
            if let Some(value) = value {
                place.insert(value);
            }
        }
    }
}

/// Goes through the names, of which a response has few: that costs less than one look into the map.
fn has_any(headers: &HeaderMap, names: &[HeaderName]) -> bool {
    headers.keys().any(|name| names.contains(name))
}

/// Names all that a session may have been found by.
fn vary(headers: &mut HeaderMap, transport: Option<&HeaderTransport>) {
    if transport.is_none_or(HeaderTransport::reads_cookie) {
        vary_by(headers, &COOKIE);
    }
    if let Some(transport) = transport {
        vary_by(headers, transport.request_name());
    }
}

fn vary_by(headers: &mut HeaderMap, name: &HeaderName) {
    match headers.entry(VARY) {
        Entry::Vacant(place) => drop(place.insert(name.clone().into())),
        Entry::Occupied(mut place) => {
            if !place.iter().any(|vary| names(vary, name)) {
                place.append(name.clone().into());
            }
        }
    }
}

fn names(vary: &HeaderValue, wanted: &HeaderName) -> bool {
    let names = vary.as_bytes().split(|byte| *byte == b',');
    names
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(wanted.as_str().as_bytes()))
}

/// Joins what the handler said in several fields.
fn in_one_line<'a>(fields: impl Iterator<Item = &'a HeaderValue>) -> String {
    let fields: Vec<_> = fields
        .map(|field| String::from_utf8_lossy(field.as_bytes()))
        .collect();
    fields.join(", ")
}

/// Takes out what would let a shared cache keep the response.
fn without_sharing(said: &str) -> HeaderValue {
    let mut kept: Vec<&str> = directives(said)
        .filter(|part| !is(part, "public") && !is(part, "s-maxage"))
        .collect();
    if !kept
        .iter()
        .any(|part| is_private(part) || is(part, "no-store"))
    {
        kept.insert(0, "private");
    }
    // What is not a header value cannot be mended: nothing may keep it.
    HeaderValue::try_from(kept.join(", ")).unwrap_or(NO_STORE)
}

/// Adds `private` where the handler gave an age and did not say for whom.
fn made_private(said: &str) -> Option<HeaderValue> {
    let has = |name| directives(said).any(|part| is(part, name));
    let for_whom =
        ["public", "s-maxage", "no-store"].into_iter().any(has) || directives(said).any(is_private);
    let value = (has("max-age") && !for_whom).then(|| format!("private, {said}"))?;
    Some(HeaderValue::try_from(value).unwrap_or(NO_STORE))
}

/// Splits at commas outside quotes.
fn directives(said: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    said.split(move |char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

/// Tells whether a directive keeps all of the response private: one that names fields lets the rest be shared (RFC 9111
/// section 5.2.2.7).
fn is_private(directive: &str) -> bool {
    directive.eq_ignore_ascii_case("private")
}

fn is(directive: &str, name: &str) -> bool {
    let stated = directive.split('=').next().unwrap_or_default();
    stated.trim_end().eq_ignore_ascii_case(name)
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What speaks to shared caches and beats `Cache-Control` there.
const SHARED_ONLY: [HeaderName; 8] = [
    EXPIRES,
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("cloudflare-cdn-cache-control"),
    HeaderName::from_static("edge-control"),
    HeaderName::from_static("netlify-cdn-cache-control"),
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("vercel-cdn-cache-control"),
    HeaderName::from_static("x-accel-expires"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use Exposure::{Anonymous, Cookie, SignedIn};

    fn protected(exposure: Exposure, fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        protect(&mut headers, exposure, None);
        headers
    }

    #[test]
    fn what_the_handler_said_is_kept_unless_it_would_leak() {
        for (said, anonymous, signed_in, cookie) in [
            (None, "private, no-cache", "no-store", "no-store"),
            (Some("no-store"), "no-store", "no-store", "no-store"),
            (
                Some("max-age=60"),
                "private, max-age=60",
                "private, max-age=60",
                "private, max-age=60",
            ),
            (
                Some("private, max-age=60"),
                "private, max-age=60",
                "private, max-age=60",
                "private, max-age=60",
            ),
            (
                Some("public, max-age=60"),
                "public, max-age=60",
                "public, max-age=60",
                "private, max-age=60",
            ),
            (
                Some("PUBLIC, Max-Age=60"),
                "PUBLIC, Max-Age=60",
                "PUBLIC, Max-Age=60",
                "private, Max-Age=60",
            ),
            (Some("s-maxage=60"), "s-maxage=60", "s-maxage=60", "private"),
            (
                Some("max-age=1, s-maxage=60"),
                "max-age=1, s-maxage=60",
                "max-age=1, s-maxage=60",
                "private, max-age=1",
            ),
            (
                Some("no-cache"),
                "no-cache",
                "no-cache",
                "private, no-cache",
            ),
            (
                Some("private=\"a, public\", max-age=1"),
                "private, private=\"a, public\", max-age=1",
                "private, private=\"a, public\", max-age=1",
                "private, private=\"a, public\", max-age=1",
            ),
        ] {
            for (exposure, expected) in [
                (Anonymous, anonymous),
                (SignedIn, signed_in),
                (Cookie, cookie),
            ] {
                let fields: Vec<_> = said.iter().map(|said| ("cache-control", *said)).collect();
                let headers = protected(exposure, &fields);
                assert_eq!(
                    headers["cache-control"], expected,
                    "{said:?} with {exposure:?}"
                );
                assert_eq!(headers.get_all("cache-control").iter().count(), 1);
            }
        }
    }

    #[test]
    fn with_our_cookie_no_header_for_shared_caches_survives() {
        let fields = [
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
            ("surrogate-control", "max-age=60"),
            ("cdn-cache-control", "max-age=60"),
            ("x-accel-expires", "60"),
        ];
        let headers = protected(Cookie, &fields);
        assert_eq!(headers["cache-control"], "no-store");
        assert!(fields.iter().all(|(name, _)| !headers.contains_key(*name)));
        let kept = protected(SignedIn, &fields);
        assert_eq!(
            kept["cache-control"], "private",
            "an `Expires` alone is for the browser"
        );
        assert!(fields.iter().all(|(name, _)| kept.contains_key(*name)));
    }

    #[test]
    fn with_an_id_in_a_header_nothing_is_stored_anywhere_whatever_the_handler_said() {
        for said in [
            ("cache-control", "private, max-age=60"),
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
            ("cdn-cache-control", "max-age=60"),
            ("x-own", "1"),
        ] {
            let headers = protected(Exposure::Header, &[said]);
            assert_eq!(headers["cache-control"], "no-store", "{said:?}");
            assert_eq!(
                headers.contains_key(said.0),
                matches!(said.0, "cache-control" | "x-own")
            );
        }
    }

    #[test]
    fn vary_names_each_place_that_an_id_may_have_come_from() {
        let beside = HeaderTransport::bearer();
        for (transport, said, expected) in [
            (&beside, None, &["cookie", "authorization"][..]),
            (&beside, Some("Authorization"), &["Authorization", "cookie"]),
            (&beside, Some("*"), &["*"]),
            (&beside.clone().without_cookie(), None, &["authorization"]),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(said.map(|said| (VARY, HeaderValue::from_static(said))));
            protect(&mut headers, Anonymous, Some(transport));
            let fields: Vec<_> = headers.get_all(VARY).iter().collect();
            assert_eq!(fields, expected, "{said:?}");
        }
    }

    #[test]
    fn several_fields_count_as_one() {
        let headers = protected(
            Cookie,
            &[("cache-control", "public"), ("cache-control", "max-age=60")],
        );
        assert_eq!(
            headers.get_all("cache-control").iter().collect::<Vec<_>>(),
            ["private, max-age=60"]
        );
    }

    #[test]
    fn vary_names_the_cookie_once() {
        for (said, expected) in [
            (None, &["cookie"][..]),
            (Some("accept-encoding"), &["accept-encoding", "cookie"]),
            (
                Some("accept-encoding, Cookie"),
                &["accept-encoding, Cookie"],
            ),
            (Some("*"), &["*"]),
        ] {
            let fields: Vec<_> = said.iter().map(|said| ("vary", *said)).collect();
            let headers = protected(Anonymous, &fields);
            assert_eq!(
                headers.get_all("vary").iter().collect::<Vec<_>>(),
                expected,
                "{said:?}"
            );
        }
    }
}
