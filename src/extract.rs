//! All of axum: the extractors, and errors as responses.

use axum_core::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts};

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
    /// What only a programmer can mend is logged (target `tenure`), and a missing layer is named in the answer too, as
    /// axum names a missing extension: nobody but the programmer ever sees that.
    fn into_response(self) -> Response {
        if self.kind().is_a_mistake() {
            tracing::error!(target: "tenure", error = %self, "session_misused");
        }
        let words = match self.status() {
            _ if self.kind() == ErrorKind::MissingLayer => self.to_string(),
            StatusCode::INTERNAL_SERVER_ERROR => {
                "something is wrong here; the log says what".into()
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                "the session is not available; try again in a moment".into()
            }
            _ => self.to_string(),
        };
        let mut response: Response = self.to_response();
        *response.body_mut() = words.into();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}

impl ErrorKind {
    /// Tells whether it is the application's own mistake, of which no event tells.
    const fn is_a_mistake(self) -> bool {
        matches!(
            self,
            Self::AfterResponse
                | Self::InvalidKey
                | Self::InvalidLifetime
                | Self::InvalidPrincipal
                | Self::MissingLayer
                | Self::Unserializable
        )
    }
}
