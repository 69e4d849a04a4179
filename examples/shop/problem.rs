//! What goes wrong, in words for the person who shops.

use axum::{
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use tenure::SessionSlot;

use crate::{
    account,
    data::Failure,
    page::{self, Page},
};

/// Why a page could not be shown.
pub(crate) enum Problem {
    Database(Failure),
    NotFound,
    Random(getrandom::Error),
    Session(tenure::Error),
    SignInFirst(account::Next),
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

/// Gives what the visitor can mend a page with all that other pages have, for the session is at hand.
pub(crate) async fn with_session(slot: SessionSlot, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    // The session of a conflict is not the one that the browser has by now.
    let is_of_this_session = status.is_client_error() && status != StatusCode::CONFLICT;
    if !is_of_this_session || is_page(&response) {
        return response;
    }
    let (title, content) = explanation(status);
    let page = slot.session().await.map_err(Problem::from);
    match page.and_then(|session| Page::of(&session, title, &content)) {
        Ok(page) => shown(response, page.into_markup()),
        Err(_) => response,
    }
}

/// Gives every other error a page, whoever it comes from: a layer, a store, or a commit that failed.
pub(crate) async fn in_words(response: Response) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || is_page(&response) {
        return response;
    }
    let (title, content) = explanation(status);
    shown(response, page::bare(title, &content))
}

fn shown(response: Response, page: Markup) -> Response {
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    Response::from_parts(head, page.into_string().into())
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn explanation(status: StatusCode) -> (&'static str, Markup) {
    let (title, words, next) = match status {
        StatusCode::CONFLICT => (
            "This page was out of date",
            "Something has changed since it was shown to you, perhaps in another tab, so nothing was done. \
             Your cart is safe; have a look at it as it is now.",
            ("/cart", "Here is your cart"),
        ),
        StatusCode::UNAUTHORIZED => (
            "Sign in first",
            "This page is for somebody who is signed in. If you were, that session has ended.",
            ("/login?next=account", "Sign in"),
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
    (title, content)
}
