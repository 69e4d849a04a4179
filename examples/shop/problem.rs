//! What goes wrong, in words for the person who shops.

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use tenure::Error;

use crate::page::bare;

/// Why a page could not be shown.
pub(crate) enum Problem {
    NotFound,
    Random(getrandom::Error),
    Session(Error),
    SignInFirst,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl From<getrandom::Error> for Problem {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, words("There is no such page.", "/")).into_response()
            }
            Self::Random(error) => {
                tracing::error!(%error, "no random bytes");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    words("Something went wrong here.", "/"),
                )
                    .into_response()
            }
            Self::Session(error) => explain(&error),
            Self::SignInFirst => Redirect::to("/login").into_response(),
        }
    }
}

/// Answers a request whose changes could not be kept.
pub(crate) fn after_commit(error: &Error, _: Response) -> Response {
    explain(error)
}

fn explain(error: &Error) -> Response {
    let what = match error.status() {
        StatusCode::CONFLICT => "This page was out of date; here is your cart as it is now.",
        StatusCode::FORBIDDEN => "This form came from another site. Start from ours.",
        StatusCode::SERVICE_UNAVAILABLE => {
            "We could not reach our own memory. Try again in a moment."
        }
        _ => "Something went wrong here.",
    };
    let mut response: Response<Body> = error.to_response();
    let body = words(what, "/cart").into_response();
    response.headers_mut().extend(body.headers().clone());
    *response.body_mut() = body.into_body();
    response
}

fn words(what: &str, next: &str) -> axum::response::Html<String> {
    bare(
        what,
        &html! { h1 { (what) } p { a href=(next) { "Go on" } } },
    )
}
