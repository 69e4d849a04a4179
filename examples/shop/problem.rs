//! What goes wrong, in words for the person who shops.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Redirect, Response},
};
use maud::html;

use crate::{account::Next, data::Failure, page};

/// Why a page could not be shown.
pub(crate) enum Problem {
    Database(Failure),
    NotFound,
    Random(getrandom::Error),
    Session(tenure::Error),
    SignInFirst(Next),
}

impl From<tenure::Error> for Problem {
    fn from(error: tenure::Error) -> Self {
        Self::Session(error)
    }
}

impl From<Failure> for Problem {
    fn from(error: Failure) -> Self {
        Self::Database(error)
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
            Self::Database(error) => {
                tracing::error!(%error, "the database did not do it");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Random(error) => {
                tracing::error!(%error, "no random bytes");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::Session(error) => error.into_response(),
            Self::SignInFirst(next) => Redirect::to(&next.login()).into_response(),
        }
    }
}

/// Gives every error a page, whoever it comes from: a handler, an extractor, a layer, or a commit that failed.
pub(crate) async fn in_words(response: Response) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || is_page(&response) {
        return response;
    }
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    Response::from_parts(head, explanation(status).into_string().into())
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn explanation(status: StatusCode) -> maud::Markup {
    let (title, words, next) = match status {
        StatusCode::CONFLICT => (
            "This page was out of date",
            "Something has changed since it was shown to you, perhaps in another tab, so nothing was done. \
             Your cart is safe; have a look at it as it is now.",
            ("/cart", "Here is your cart"),
        ),
        StatusCode::FORBIDDEN => (
            "This came from another site",
            "The form you sent was not one of ours, so nothing was done. If you meant it, begin here.",
            ("/", "To the shop"),
        ),
        StatusCode::NOT_FOUND => (
            "There is no such page",
            "The address may be mistyped, or what was here is sold out.",
            ("/", "See what there is"),
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Try again in a moment",
            "We cannot reach our own memory just now. Nothing is lost, and you are not signed out.",
            ("/cart", "Try again"),
        ),
        status if status.is_client_error() => (
            "This did not look right",
            "Something in the request was missing or of the wrong kind, so nothing was done.",
            ("/", "To the shop"),
        ),
        _ => (
            "Something went wrong here",
            "It is our mistake, and nothing was done.",
            ("/", "To the shop"),
        ),
    };
    let content = html! {
        section.notice {
            p.code { "Error " (status.as_u16()) }
            h1 { (title) }
            p { (words) }
            p { a.button.main href=(next.0) { (next.1) } }
        }
    };
    page::bare(title, &content)
}
