//! All of axum: the extractors, and errors as responses.

use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header::CONTENT_TYPE, request::Parts};

use crate::{
    error::{Error, ErrorKind},
    session::{Session, SessionSlot},
};

impl<S: Send + Sync, L: 'static> FromRequestParts<S> for Session<L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        slot(parts)?.session().await
    }
}

impl<S: Send + Sync, L: 'static> FromRequestParts<S> for SessionSlot<L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        slot(parts)
    }
}

fn slot<L: 'static>(parts: &Parts) -> Result<SessionSlot<L>, Error> {
    SessionSlot::from_extensions(&parts.extensions)
        .ok_or_else(|| Error::new(ErrorKind::MissingLayer))
}

impl IntoResponse for Error {
    /// Answers with [`Error::to_response`], and with the error's own words where the visitor can do something about it.
    ///
    /// A missing layer is named too, as axum names a missing extension: nobody but the programmer ever sees that.
    fn into_response(self) -> Response {
        let mut response: Response = self.to_response();
        let words = match self.kind() {
            ErrorKind::MissingLayer => self.to_string(),
            _ if self.status().is_server_error() => {
                "the session is not available; try again in a moment".to_owned()
            }
            _ => self.to_string(),
        };
        *response.body_mut() = words.into();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}
