//! What every response tells the browser beside the cookie.

use axum::{http::HeaderValue, response::Response};

/// No script but where a page says so, nothing of other origins, no frame around the shop.
pub(crate) async fn secure(mut response: Response) -> Response {
    for (name, value) in SECURE {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// What a page says that has a script: one of this shop's, which asks nobody but this shop.
pub(crate) const WITH_A_SCRIPT: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SECURE: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
];
