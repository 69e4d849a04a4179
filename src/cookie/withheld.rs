//! Telling a cookie that the browser withheld from a visitor who has none.
//!
//! `SameSite` keeps the cookie off a cross-site request, but the browser takes a `Set-Cookie` on its answer: a fresh
//! anonymous id sent there would overwrite the login that the browser holds.

use http::{
    HeaderMap, Method, Uri,
    header::{HOST, HeaderName, ORIGIN},
};

use super::SameSite;

/// Tells whether a request without our cookie may come from a browser that holds one.
pub(crate) fn is_withheld(
    same_site: SameSite,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> bool {
    let withholds = match same_site {
        SameSite::Lax => !method.is_safe(),
        SameSite::None => false,
        SameSite::Strict => true,
    };
    withholds && is_cross_site(uri, headers)
}

/// Tells whether another site started the request; browsers that do not say are judged by their `Origin`.
fn is_cross_site(uri: &Uri, headers: &HeaderMap) -> bool {
    match headers.get(SEC_FETCH_SITE) {
        Some(site) => site.as_bytes() == b"cross-site",
        None => headers
            .get(ORIGIN)
            .is_some_and(|origin| !is_own_origin(origin.as_bytes(), uri, headers)),
    }
}

/// Compares hosts without their ports, which `SameSite` does not look at either. `null` is nobody's own.
fn is_own_origin(origin: &[u8], uri: &Uri, headers: &HeaderMap) -> bool {
    let own = match (uri.host(), headers.get(HOST)) {
        (Some(host), _) => host.as_bytes(),
        (None, Some(host)) => without_port(host.as_bytes()),
        (None, None) => return false,
    };
    let scheme_end = origin.windows(3).position(|window| window == b"://");
    scheme_end.is_some_and(|at| without_port(&origin[at + 3..]).eq_ignore_ascii_case(own))
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(same_site: SameSite, method: &Method, fields: &[(&'static str, &str)]) -> bool {
        let headers = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        is_withheld(same_site, method, &Uri::from_static("/cart"), &headers)
    }

    #[test]
    fn a_cookie_is_withheld_on_cross_site_requests_as_same_site_says() {
        use SameSite::{Lax, None, Strict};
        let cross = &[("sec-fetch-site", "cross-site")][..];
        for (case, same_site, method, fields, expected) in [
            ("Lax, unsafe", Lax, Method::POST, cross, true),
            ("Lax, unsafe too", Lax, Method::DELETE, cross, true),
            ("Lax, a link", Lax, Method::GET, cross, false),
            ("Strict, a link", Strict, Method::GET, cross, true),
            ("None", None, Method::POST, cross, false),
            (
                "own form",
                Lax,
                Method::POST,
                &[("sec-fetch-site", "same-origin")],
                false,
            ),
            (
                "a sibling domain",
                Lax,
                Method::POST,
                &[("sec-fetch-site", "same-site")],
                false,
            ),
            (
                "typed in",
                Strict,
                Method::GET,
                &[("sec-fetch-site", "none")],
                false,
            ),
            ("no browser", Lax, Method::POST, &[], false),
        ] {
            assert_eq!(withheld(same_site, &method, fields), expected, "{case}");
        }
    }

    #[test]
    fn an_old_browser_is_judged_by_its_origin() {
        for (case, origin, host, expected) in [
            ("own", "https://shop.example", "shop.example", false),
            (
                "own, in another case",
                "https://SHOP.example",
                "shop.example",
                false,
            ),
            (
                "own, behind ports",
                "http://localhost:5173",
                "localhost:3000",
                false,
            ),
            ("own, IPv6", "http://[::1]:3000", "[::1]:3000", false),
            ("foreign", "https://evil.example", "shop.example", true),
            (
                "a longer name",
                "https://shop.example.evil.example",
                "shop.example",
                true,
            ),
            ("a sandboxed frame", "null", "shop.example", true),
            ("nonsense", "shop.example", "shop.example", true),
        ] {
            assert_eq!(
                withheld(
                    SameSite::Lax,
                    &Method::POST,
                    &[("origin", origin), ("host", host)]
                ),
                expected,
                "{case}"
            );
        }
        assert!(
            withheld(
                SameSite::Lax,
                &Method::POST,
                &[("origin", "https://a.example")]
            ),
            "no host"
        );
    }

    #[test]
    fn what_the_browser_says_of_the_site_beats_the_origin() {
        let fields = [
            ("sec-fetch-site", "same-site"),
            ("origin", "https://a.example"),
            ("host", "b.example"),
        ];
        assert!(!withheld(SameSite::Lax, &Method::POST, &fields));
    }
}
