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
    /// Answers with [`Error::to_response`] and a sentence for the visitor.
    ///
    /// What only a programmer can mend is logged (target `tenure`), and a missing layer is named in the answer too, as
    /// axum names a missing extension: nobody but the programmer ever sees that.
    fn into_response(self) -> Response {
        if self.kind().is_a_mistake() {
            tracing::error!(target: "tenure", error = %self, "session_misused");
        }
        let mut response: Response = self.to_response();
        *response.body_mut() = match self.kind() {
            ErrorKind::MissingLayer => self.to_string().into(),
            kind => kind.words().into(),
        };
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}

impl ErrorKind {
    /// Returns what a visitor can be told, who knows nothing of keys and stores.
    const fn words(self) -> &'static str {
        match self {
            Self::ChangedSinceRead | Self::Gone | Self::Superseded => {
                "this page is out of date; load it again"
            }
            Self::Contended | Self::Full | Self::OutcomeUnknown | Self::Store => {
                "the session is not available; try again in a moment"
            }
            Self::CredentialsChanged => "the password was changed a moment ago; use the new one",
            Self::CrossSite => "this request came from another site; begin on ours",
            Self::NotSignedIn => "sign in first",
            Self::TooLarge => "this is more than a session can hold",
            Self::TooManySessions => {
                "there are too many sessions of this account; end another first"
            }
            Self::AfterResponse
            | Self::InvalidKey
            | Self::InvalidLifetime
            | Self::InvalidPrincipal
            | Self::MissingLayer
            | Self::NoIndex
            | Self::Random
            | Self::TwoLayers
            | Self::UndecodableRecord
            | Self::UndecodableValue
            | Self::Unserializable => "something is wrong here; the log says what",
        }
    }

    /// Tells whether it is the application's own mistake, of which no event tells: what reads and then writes may use
    /// `update` instead.
    const fn is_a_mistake(self) -> bool {
        matches!(
            self,
            Self::AfterResponse
                | Self::InvalidKey
                | Self::InvalidLifetime
                | Self::InvalidPrincipal
                | Self::MissingLayer
                | Self::NoIndex
                | Self::Unserializable
                | Self::ChangedSinceRead
        )
    }
}
