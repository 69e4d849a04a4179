//! What can go wrong, for handlers and for responses.

use std::{error, fmt};

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER},
};

/// What went wrong with a session.
///
/// [`kind`](Self::kind) says what, the source says why. Under axum it is a response with the [status](Self::status) of
/// its kind, so `?` works in handlers.
///
/// ```
/// use tenure::{ErrorKind, Session};
///
/// let session: Session = Session::for_test([("name", "not a number")]);
/// let error = session.get::<u32>("name").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UndecodableValue);
/// assert_eq!(error.to_string(), "the value of `name` does not decode as the type it was asked for");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// The key whose value is the trouble, or what else has a name in the message.
    key: Option<Box<str>>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            key: None,
            source: None,
        }
    }

    pub(crate) fn of_key(kind: ErrorKind, key: &str) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new(kind)
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says what went wrong.
    ///
    /// ```
    /// use tenure::{ErrorKind, Session};
    ///
    /// let session: Session = Session::for_test([("visits", 1)]);
    /// let error = session.insert("", 1).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidKey);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the key whose value is the trouble, where it is one.
    ///
    /// ```
    /// use tenure::Session;
    ///
    /// let session: Session = Session::for_test([("name", "Ada")]);
    /// assert_eq!(session.get::<u32>("name").unwrap_err().key(), Some("name"));
    /// assert_eq!(session.login("").unwrap_err().key(), None);
    /// ```
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        let names_no_key = matches!(
            self.kind,
            ErrorKind::InvalidPrincipal | ErrorKind::MissingLayer | ErrorKind::TwoLayers
        );
        self.key.as_deref().filter(|_| !names_no_key)
    }

    /// Returns the status that answers it by default.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tenure::Session;
    ///
    /// let session: Session = Session::for_test([("visits", 1)]);
    /// let error = session.insert("picture", "x".repeat(40_000)).unwrap_err();
    /// assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// ```
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            ErrorKind::ChangedSinceRead | ErrorKind::Gone | ErrorKind::Superseded => {
                StatusCode::CONFLICT
            }
            ErrorKind::Contended
            | ErrorKind::Full
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Store => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::CredentialsChanged | ErrorKind::CrossSite | ErrorKind::TooManySessions => {
                StatusCode::FORBIDDEN
            }
            ErrorKind::NotFresh => StatusCode::FORBIDDEN,
            ErrorKind::NotSignedIn => StatusCode::UNAUTHORIZED,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::AfterResponse
            | ErrorKind::Detached
            | ErrorKind::InvalidKey
            | ErrorKind::InvalidLifetime
            | ErrorKind::InvalidPrincipal
            | ErrorKind::MissingLayer
            | ErrorKind::NoIndex
            | ErrorKind::Random
            | ErrorKind::TwoLayers
            | ErrorKind::Uncommitted
            | ErrorKind::UndecodableRecord
            | ErrorKind::UndecodableValue
            | ErrorKind::Unserializable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Makes the default response: the status, `no-store`, `Retry-After` where a retry helps, and an empty body.
    ///
    /// It starts from an empty header map, so nothing that the handler set for its success survives.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tenure::Session;
    ///
    /// let session: Session = Session::for_test([("name", "Ada")]);
    /// let error = session.get::<u32>("name").unwrap_err();
    /// let response = error.to_response::<String>();
    /// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// assert_eq!(response.headers()["cache-control"], "no-store");
    /// ```
    #[must_use]
    pub fn to_response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == ErrorKind::Superseded {
            // The browser has the new id already.
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("0"));
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// Logs what the application has done wrong and no event tells of.
    pub(crate) fn log_a_mistake(&self) {
        if self.kind.is_a_mistake() {
            tracing::error!(target: "tenure", error = %self, "session_misused");
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or_default();
        match self.kind {
            ErrorKind::AfterResponse => {
                f.write_str("the handler has returned, and this change would be lost; change the session before")
            }
            ErrorKind::ChangedSinceRead => write!(
                f,
                "`{key}` was read and then written, and another request changed it in between; use `update`"
            ),
            ErrorKind::Contended => f.write_str("too many requests are changing this session; try again"),
            ErrorKind::CredentialsChanged => {
                f.write_str("the credential that was checked has been changed meanwhile; ask for the new one")
            }
            ErrorKind::CrossSite => f.write_str(
                "a cross-site request came without its cookie and cannot start a session; \
                 a callback that must calls `allow_cross_site` first",
            ),
            ErrorKind::Detached => f.write_str(
                "a live session has no response that could bring a new id; do this in a request",
            ),
            ErrorKind::Full => f.write_str("the store takes no more; raise its limits or give it room"),
            ErrorKind::Gone => f.write_str("the session has ended meanwhile; reload the page"),
            ErrorKind::InvalidKey => write!(f, "`{key}` is no session key; a key has 1 to 128 bytes"),
            ErrorKind::InvalidLifetime => f.write_str("this lifetime ends before it begins"),
            ErrorKind::InvalidPrincipal if !key.is_empty() => write!(
                f,
                "who is signed in does not parse as `{key}`; ask for the type that `login` was given"
            ),
            ErrorKind::InvalidPrincipal => f.write_str(
                "a principal has 1 to 255 bytes, its layer's name counted if that has a marker, and begins with no U+001F",
            ),
            ErrorKind::MissingLayer if !key.is_empty() => write!(
                f,
                "no session of {key}; ask by that one's marker, as in `Session<Admin>`, \
                 or apply the other `SessionLayer` to this route too"
            ),
            ErrorKind::MissingLayer => {
                f.write_str("no session in this request; is `SessionLayer` applied to this route?")
            }
            ErrorKind::NoIndex => f.write_str(
                "this store does not keep an index of principals; use one whose `index` returns it",
            ),
            ErrorKind::NotFresh => f.write_str("the credential was shown too long ago; ask for it again"),
            ErrorKind::NotSignedIn => f.write_str("nobody is signed in here; sign in first"),
            ErrorKind::OutcomeUnknown => {
                f.write_str("the store did not say whether the change was kept; look before trying again")
            }
            ErrorKind::Random => f.write_str("no session can be started without random bytes"),
            ErrorKind::Store => f.write_str("the session store does not answer; try again in a moment"),
            ErrorKind::Superseded => f.write_str("this session's id was replaced a moment ago; try again"),
            ErrorKind::TooLarge if key.is_empty() => {
                f.write_str("the session would hold more than 32 KiB or 64 keys; keep large things elsewhere")
            }
            ErrorKind::TooLarge => write!(
                f,
                "with `{key}` the session would hold more than 32 KiB, 64 keys or 32 levels; \
                 keep large things elsewhere"
            ),
            ErrorKind::TooManySessions => f.write_str("this principal has as many sessions as are allowed"),
            ErrorKind::TwoLayers => write!(
                f,
                "two session layers with one cookie or header meet on this route: {key}; give one of them another name"
            ),
            ErrorKind::Uncommitted => {
                f.write_str("what is to be detached is not in the store yet; call `commit` first")
            }
            ErrorKind::UndecodableRecord => {
                f.write_str("the stored session does not decode; it is kept for a release that can read it")
            }
            ErrorKind::UndecodableValue if key.is_empty() => {
                f.write_str("the session's values are damaged or of a later format")
            }
            ErrorKind::UndecodableValue => {
                write!(f, "the value of `{key}` does not decode as the type it was asked for")
            }
            ErrorKind::Unserializable => write!(f, "the value for `{key}` does not serialize"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Decides what a request is answered whose session could not be committed.
///
/// [`DefaultOnError`] is [`Error::to_response`]; a closure decides with the handler's response at hand.
///
/// ```
/// use axum::{body::Body, http::Response};
/// use tenure::{Error, OnError, SessionLayer, store::MemoryStore};
///
/// /// Shows a page, and keeps the status.
/// #[derive(Clone)]
/// struct Page(&'static str);
///
/// impl OnError<Body> for Page {
///     fn respond(&self, error: &Error, _: Response<Body>) -> Response<Body> {
///         error.to_response::<Body>().map(|_| Body::from(self.0))
///     }
/// }
///
/// # let session: tenure::Session = tenure::Session::for_test([("name", "Ada")]);
/// # let error = session.get::<u32>("name").unwrap_err();
/// let page = Page("Please try again.").respond(&error, Response::default());
/// assert_eq!(page.status(), error.status());
/// ```
pub trait OnError<B> {
    /// Makes the response for an error of what the handler has answered.
    fn respond(&self, error: &Error, response: Response<B>) -> Response<B>;
}

impl<B, F> OnError<B> for F
where
    F: Fn(&Error, Response<B>) -> Response<B>,
{
    fn respond(&self, error: &Error, response: Response<B>) -> Response<B> {
        self(error, response)
    }
}

/// Answers with the status of the error's kind and nothing of what the handler has answered.
///
/// ```
/// use http::{Response, StatusCode};
/// use tenure::{DefaultOnError, OnError, Session};
///
/// let session: Session = Session::for_test([("name", "Ada")]);
/// let error = session.get::<u32>("name").unwrap_err();
/// let response = DefaultOnError::default().respond(&error, Response::new("a success".to_owned()));
/// assert_eq!((response.status(), response.body().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DefaultOnError;

impl<B: Default> OnError<B> for DefaultOnError {
    fn respond(&self, error: &Error, _: Response<B>) -> Response<B> {
        error.to_response()
    }
}

/// The kinds of [`Error`], each with the status that answers it by default.
///
/// ```
/// use tenure::{Error, ErrorKind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         ErrorKind::ChangedSinceRead | ErrorKind::Gone | ErrorKind::Superseded => "reload the page",
///         ErrorKind::Contended | ErrorKind::OutcomeUnknown | ErrorKind::Store => "try again in a moment",
///         _ => "tell us",
///     }
/// }
/// # let session: tenure::Session = tenure::Session::for_test([("name", "Ada")]);
/// assert_eq!(advice(&session.get::<u32>("name").unwrap_err()), "tell us");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The handler's future has returned: the response is on its way and the change would be lost (500).
    AfterResponse,
    /// A key was read and then inserted or removed, and another request changed it in between (409). `update` cannot
    /// fail like this.
    ChangedSinceRead,
    /// The commit's time ran out while other requests kept changing the session (503).
    Contended,
    /// The login checked a credential that has been changed meanwhile (403).
    CredentialsChanged,
    /// A cross-site request came without its cookie and tried to start a session (403).
    CrossSite,
    /// A live session cannot sign in or get a new id, for there is no response that would bring it (500).
    Detached,
    /// The store holds as many signed-in sessions as it may (503).
    Full,
    /// The session was logged out, revoked, evicted or has expired since this request began (409).
    Gone,
    /// A key's name is empty or longer than 128 bytes (500).
    InvalidKey,
    /// A lifetime is shorter than a millisecond (500).
    InvalidLifetime,
    /// A principal is empty or longer than 255 bytes, or does not parse as the type that was asked for (500).
    InvalidPrincipal,
    /// No `SessionLayer` wraps this route, or none of the marker that was asked for (500).
    MissingLayer,
    /// The store keeps no index of principals (500).
    NoIndex,
    /// Whoever is signed in has shown his credential too long ago (403).
    NotFresh,
    /// Nobody is signed in (401).
    NotSignedIn,
    /// The store may or may not have kept the change, and it is not tried again (503).
    OutcomeUnknown,
    /// The operating system gave no random bytes (500).
    Random,
    /// The store failed or did not answer in time (503).
    Store,
    /// The request came with an id that a login or rotation has just replaced (409).
    Superseded,
    /// The session would exceed 32 KiB, 64 keys or 32 levels of JSON (413).
    TooLarge,
    /// The principal has as many live sessions as the application allows (403).
    TooManySessions,
    /// Two layers with the same cookie name or header wrap one route (500).
    TwoLayers,
    /// A session was to be detached that is not in the store as it is going to be (500).
    Uncommitted,
    /// The stored record is not one that this release reads (500). It is kept.
    UndecodableRecord,
    /// A value does not decode as the type it was asked for (500). The other values are not affected.
    UndecodableValue,
    /// A value does not serialize (500).
    Unserializable,
}

impl ErrorKind {
    /// Tells whether it is the application's own mistake, of which no event tells: what reads and then writes may use
    /// `update` instead.
    const fn is_a_mistake(self) -> bool {
        matches!(
            self,
            Self::AfterResponse
                | Self::Detached
                | Self::InvalidKey
                | Self::InvalidLifetime
                | Self::InvalidPrincipal
                | Self::MissingLayer
                | Self::NoIndex
                | Self::TwoLayers
                | Self::Uncommitted
                | Self::Unserializable
                | Self::ChangedSinceRead
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind::*;

    #[test]
    fn each_kind_has_the_status_that_is_promised_and_asks_to_retry_where_that_helps() {
        for (status, kinds) in [
            (
                403,
                &[CredentialsChanged, CrossSite, NotFresh, TooManySessions][..],
            ),
            (401, &[NotSignedIn]),
            (409, &[ChangedSinceRead, Gone, Superseded]),
            (413, &[TooLarge]),
            (
                500,
                &[
                    AfterResponse,
                    Detached,
                    InvalidKey,
                    InvalidLifetime,
                    InvalidPrincipal,
                    MissingLayer,
                    NoIndex,
                    Random,
                    TwoLayers,
                    Uncommitted,
                    UndecodableRecord,
                    UndecodableValue,
                    Unserializable,
                ],
            ),
            (503, &[Contended, Full, OutcomeUnknown, Store]),
        ] {
            for kind in kinds {
                let response = Error::new(*kind).to_response::<()>();
                assert_eq!(response.status(), status, "{kind:?}");
                let retries = response.headers().contains_key(RETRY_AFTER);
                let helps = status == 503 || matches!(kind, Superseded);
                assert_eq!(retries, helps, "{kind:?}");
                assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            }
        }
    }
}
