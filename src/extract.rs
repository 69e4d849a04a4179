//! All of axum: the extractors, and errors as responses.

use std::{fmt, marker::PhantomData, str::FromStr, time::Duration};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header::CONTENT_TYPE, request::Parts};

use crate::{
    error::{Error, ErrorKind},
    principal::PrincipalId,
    session::{Main, Session, SessionSlot},
    sessions::Sessions,
};

/// Half of what OWASP gives an idle session of low risk.
const FRESH: Duration = Duration::from_secs(15 * 60);

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

/// Who is signed in, as the application's own type: 401 if nobody is.
///
/// The type is whatever the principal's text parses as; [`PrincipalId`] takes all. A request whose id was replaced a moment ago
/// is a 409 with `Retry-After: 0`, an outage a 503. `Option<Principal<T>>` is `None` where nobody is signed in, and still a
/// rejection in an outage: a page must not show somebody as signed out because a store is down. Of another layer than
/// [`Main`](crate::Main) it is [`Of<Principal<T>, Admin>`](Of).
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tenure::{Principal, SessionLayer, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// async fn orders(Principal(user): Principal<u64>) -> String {
///     format!("the orders of {user}")
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// let app: Router = Router::new().route("/", get(orders)).layer(layer.clone());
/// let anonymous = Request::new(Body::empty());
/// assert_eq!(app.clone().oneshot(anonymous).await.unwrap().status(), StatusCode::UNAUTHORIZED);
/// let member = Request::get("/").header("cookie", signed_in(&layer, 42).await).body(Body::empty());
/// assert_eq!(app.oneshot(member.unwrap()).await.unwrap().status(), StatusCode::OK);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is made to be taken apart")]
pub struct Principal<T = PrincipalId>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Principal<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        principal::<_, Main>(parts).await.map(Self)
    }
}

impl<S: Send + Sync, T: FromStr> OptionalFromRequestParts<S> for Principal<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let principal = principal::<_, Main>(parts).await;
        Ok(or_nobody(principal)?.map(Self))
    }
}

/// Who is signed in and has shown his credential within fifteen minutes: 401 if nobody is, 403 if it was longer ago.
///
/// For a handler that must not be left to an open session. To ask for another time, or to send people to a page that asks
/// for the password, guard the route by [`require_fresh`](crate::require_fresh).
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::post};
/// use tenure::{Fresh, SessionLayer, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// async fn change_address(Fresh(user): Fresh<u64>) {}
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// let app: Router = Router::new().route("/", post(change_address)).layer(layer.clone());
/// let request = Request::post("/").header("cookie", signed_in(&layer, 42).await).body(Body::empty());
/// assert_eq!(app.oneshot(request.unwrap()).await.unwrap().status(), StatusCode::OK);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is made to be taken apart")]
pub struct Fresh<T = PrincipalId>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Fresh<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        fresh::<_, Main>(parts).await.map(Self)
    }
}

/// Those of the layer without a marker; of another it is [`Of<Sessions, Admin>`](Of).
impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let slot: SessionSlot = slot(parts)?;
        Ok(slot.sessions())
    }
}

/// An extractor of another layer than [`Main`](crate::Main): `Of<Principal<u64>, Admin>`, and so [`Fresh`], [`Sessions`] and
/// `Option<Of<Principal<u64>, Admin>>`.
///
/// With one layer nobody needs it. [`Session`] and [`SessionSlot`] name their layer themselves: `Session<Admin>`.
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tenure::{Of, Principal, SessionLayer, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// struct Admin;
///
/// async fn dashboard(Of(Principal(name), _): Of<Principal<String>, Admin>) -> String {
///     name
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let customers = SessionLayer::new(store.clone());
/// let admins = SessionLayer::builder(store)
///     .with_marker::<Admin>()
///     .with_name("__Host-Http-admin")
///     .build()
///     .unwrap();
/// let app: Router = Router::new().route("/", get(dashboard)).layer(admins.clone()).layer(customers.clone());
/// for (cookie, status) in [
///     (signed_in(&admins, "root").await, StatusCode::OK),
///     (signed_in(&customers, "ada").await, StatusCode::UNAUTHORIZED),
/// ] {
///     let request = Request::get("/").header("cookie", cookie).body(Body::empty()).unwrap();
///     assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
/// }
/// # });
/// ```
#[expect(clippy::exhaustive_structs, reason = "it is made to be taken apart")]
pub struct Of<X, L>(pub X, pub PhantomData<fn() -> L>);

impl<X, L> Of<X, L> {
    /// Makes what the extractor makes, for a handler's unit test.
    ///
    /// ```
    /// use tenure::{Of, Principal};
    ///
    /// struct Admin;
    ///
    /// fn greet(Of(Principal(name), _): Of<Principal<String>, Admin>) -> String {
    ///     format!("Hello, {name}!")
    /// }
    ///
    /// assert_eq!(greet(Of::new(Principal("root".to_owned()))), "Hello, root!");
    /// ```
    #[must_use]
    pub const fn new(it: X) -> Self {
        Self(it, PhantomData)
    }
}

impl<S: Send + Sync, T: FromStr, L: 'static> FromRequestParts<S> for Of<Principal<T>, L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let principal = principal::<_, L>(parts).await?;
        Ok(Self::new(Principal(principal)))
    }
}

impl<S: Send + Sync, T: FromStr, L: 'static> OptionalFromRequestParts<S> for Of<Principal<T>, L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let principal = or_nobody(principal::<_, L>(parts).await)?;
        Ok(principal.map(|principal| Self::new(Principal(principal))))
    }
}

impl<S: Send + Sync, T: FromStr, L: 'static> FromRequestParts<S> for Of<Fresh<T>, L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let principal = fresh::<_, L>(parts).await?;
        Ok(Self::new(Fresh(principal)))
    }
}

impl<S: Send + Sync, L: 'static> FromRequestParts<S> for Of<Sessions, L> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let slot: SessionSlot<L> = slot(parts)?;
        Ok(Self::new(slot.sessions()))
    }
}

impl<X: Clone, L> Clone for Of<X, L> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<X: fmt::Debug, L> fmt::Debug for Of<X, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Of").field(&self.0).finish_non_exhaustive()
    }
}

async fn principal<T: FromStr, L: 'static>(parts: &Parts) -> Result<T, Error> {
    let session: Session<L> = slot(parts)?.session().await?;
    session.require_principal()
}

async fn fresh<T: FromStr, L: 'static>(parts: &Parts) -> Result<T, Error> {
    let session: Session<L> = slot(parts)?.session().await?;
    let principal = session.require_principal()?;
    match session.is_fresh(FRESH) {
        true => Ok(principal),
        false => Err(Error::new(ErrorKind::NotFresh)),
    }
}

/// Takes nobody for an answer, and an outage for none.
fn or_nobody<T>(principal: Result<T, Error>) -> Result<Option<T>, Error> {
    match principal {
        Ok(principal) => Ok(Some(principal)),
        Err(error) => match error.kind() {
            ErrorKind::NotSignedIn | ErrorKind::Superseded => Ok(None),
            _ => Err(error),
        },
    }
}

fn slot<L: 'static>(parts: &Parts) -> Result<SessionSlot<L>, Error> {
    SessionSlot::require(&parts.extensions)
}

impl IntoResponse for Error {
    /// Answers with [`Error::to_response`] and a sentence for the visitor.
    ///
    /// What only a programmer can mend is logged (target `tenure`), and a missing layer is named in the answer too, as
    /// axum names a missing extension: nobody but the programmer ever sees that.
    fn into_response(self) -> Response {
        self.log_a_mistake();
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
            Self::NotFresh => "enter your password again",
            Self::NotSignedIn => "sign in first",
            Self::TooLarge => "this is more than a session can hold",
            Self::TooManySessions => {
                "there are too many sessions of this account; end another first"
            }
            Self::AfterResponse
            | Self::Detached
            | Self::InvalidKey
            | Self::InvalidLifetime
            | Self::InvalidPrincipal
            | Self::MissingLayer
            | Self::NoIndex
            | Self::Random
            | Self::TwoLayers
            | Self::Uncommitted
            | Self::UndecodableRecord
            | Self::UndecodableValue
            | Self::Unserializable => "something is wrong here; the log says what",
        }
    }
}
