//! What every response tells the browser beside the cookie.

use axum::{http::HeaderValue, response::Response};

/// No script at all, nothing of other origins, no frame around the shop.
pub(crate) async fn secure(mut response: Response) -> Response {
    for (name, value) in SECURE {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

const SECURE: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
];
