//! Testing an application that uses sessions.
//!
//! A handler's unit test makes a [`Session`] by [`for_test`](Session::for_test) and calls the
//! handler; an integration test gets a `Cookie` header of somebody who is [`signed_in`] and sends a request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::{
    change::{Draft, Origin},
    cookie::HeaderTransport,
    key::KeyName,
    layer::SessionLayer,
    principal::PrincipalId,
    session::Session,
    slot::Slot,
    store::MemoryStore,
};

impl<L> Session<L> {
    /// Makes a session with these values, on a memory store of its own, for a handler's unit test.
    ///
    /// It is new; [`login`](Self::login) and [`commit`](Self::commit) it where the handler expects that.
    ///
    /// ```
    /// use tenure::Session;
    ///
    /// async fn greet(session: Session) -> Result<String, tenure::Error> {
    ///     Ok(format!("Hello, {}!", session.get::<String>("name")?.unwrap_or_default()))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(greet(Session::for_test([("name", "Ada")])).await.unwrap(), "Hello, Ada!");
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// If a value does not serialize or does not fit.
    pub fn for_test<K: KeyName, V: Serialize>(values: impl IntoIterator<Item = (K, V)>) -> Self {
        let context = SessionLayer::new(MemoryStore::new()).context().clone();
        let session = Self::of(Arc::new(Slot::loaded(
            context,
            Draft::without_record(Origin::Absent),
        )));
        for (key, value) in values {
            session
                .insert(key.name(), value)
                .expect("a test's values fit into a session");
        }
        session
    }
}

/// Signs somebody in and returns the `Cookie` header that his browser would send.
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tenure::{Session, SessionLayer, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// async fn account(session: Session) -> StatusCode {
///     if session.principal().is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// let app: Router = Router::new().route("/account", get(account)).layer(layer.clone());
/// let cookie = signed_in(&layer, "42").await;
/// let request = Request::get("/account").header("cookie", cookie).body(Body::empty()).unwrap();
/// assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
/// # });
/// ```
///
/// # Panics
///
/// If the layer reads no cookie, or if the store does not keep the session.
pub async fn signed_in<L, E>(
    layer: &SessionLayer<L, E>,
    principal: impl Into<PrincipalId>,
) -> HeaderValue {
    let header = layer.context().header.as_ref();
    assert!(
        header.is_none_or(HeaderTransport::reads_cookie),
        "this layer reads no cookie; use `signed_in_by_header`"
    );
    sign_in(layer, principal.into()).await
}

/// Signs somebody in and returns the header that his client would send, on a layer that reads
/// [one](crate::SessionLayerBuilder::with_header).
///
/// ```
/// use tenure::{HeaderTransport, SessionLayer, store::MemoryStore, testing::signed_in_by_header};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::builder(MemoryStore::new()).with_header(HeaderTransport::bearer()).build().unwrap();
/// let (name, value) = signed_in_by_header(&layer, "42").await;
/// assert_eq!(name, "authorization");
/// assert!(value.to_str().unwrap().starts_with("Bearer "));
/// # });
/// ```
///
/// # Panics
///
/// If the layer reads no header, or if the store does not keep the session.
pub async fn signed_in_by_header<L, E>(
    layer: &SessionLayer<L, E>,
    principal: impl Into<PrincipalId>,
) -> (HeaderName, HeaderValue) {
    let header = layer.context().header.as_ref();
    let header = header.expect("this layer reads no header; ask for one by `with_header`");
    let cookie = sign_in(layer, principal.into()).await;
    let id = cookie.as_bytes().rsplit(|byte| *byte == b'=').next();
    let value = header.bring(id.unwrap_or_default());
    (header.request_name().clone(), value)
}

/// Signs somebody in and returns `name=id`.
async fn sign_in<L, E>(layer: &SessionLayer<L, E>, principal: PrincipalId) -> HeaderValue {
    let slot = Arc::new(Slot::loaded(
        layer.context().clone(),
        Draft::without_record(Origin::Absent),
    ));
    let session: Session<L> = Session::of(slot.clone());
    session
        .login(principal)
        .expect("a test's principal is valid");
    session
        .commit()
        .await
        .expect("the store keeps a test's session");
    let cookie = slot.shown().cookie.expect("a login brings a cookie");
    let pair = cookie
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    HeaderValue::from_bytes(pair).expect("a part of a header value is one")
}
