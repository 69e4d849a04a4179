//! A guard for what needs a credential that was shown lately.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    error::{Error, ErrorKind},
    session::{Main, SessionSlot},
};

/// Lets only those through who have shown their credential within a duration.
///
/// It goes inside the [session layer](crate::SessionLayer). Others get 403, and 401 if nobody is signed in; or they are sent
/// to a page that asks for the password, see [`or_redirect_to`](RequireFresh::or_redirect_to).
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::post};
/// use std::time::Duration;
/// use tenure::{Clock, SessionLayer, require_fresh, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = Clock::manual();
/// let layer = SessionLayer::new(MemoryStore::new().with_clock(clock.clone()));
/// let app: Router = Router::new()
///     .route("/address", post(|| async {}))
///     .layer(require_fresh(Duration::from_secs(5 * 60)).or_redirect_to("/password"))
///     .layer(layer.clone());
/// let cookie = signed_in(&layer, "ada").await;
/// for (status, later) in [(StatusCode::OK, 4), (StatusCode::SEE_OTHER, 1)] {
///     clock.advance(Duration::from_secs(later * 60));
///     let request = Request::post("/address").header("cookie", &cookie).body(Body::empty()).unwrap();
///     assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
/// }
/// # });
/// ```
#[must_use]
pub const fn require_fresh(within: Duration) -> RequireFresh {
    RequireFresh {
        within,
        page: None,
        layer: PhantomData,
    }
}

/// What [`require_fresh`] makes.
pub struct RequireFresh<L = Main> {
    within: Duration,
    page: Option<HeaderValue>,
    layer: PhantomData<fn() -> L>,
}

impl<L> RequireFresh<L> {
    /// Sends those who must show their credential again to a page of the application that asks for it (303).
    ///
    /// Nobody who is not signed in at all is sent there: he gets 401.
    ///
    /// # Panics
    ///
    /// If the address has characters that no header can hold.
    #[must_use]
    #[track_caller]
    pub fn or_redirect_to(mut self, page: &str) -> Self {
        let page = page.parse().expect("an address for the `Location` header");
        self.page = Some(page);
        self
    }

    /// Asks the sessions of another layer: `require_fresh(…).of::<Admin>()`.
    #[must_use]
    pub fn of<M>(self) -> RequireFresh<M> {
        RequireFresh {
            within: self.within,
            page: self.page,
            layer: PhantomData,
        }
    }

    fn refuse<B: Default>(&self, error: &Error) -> Response<B> {
        error.log_a_mistake();
        let page = self
            .page
            .as_ref()
            .filter(|_| error.kind() == ErrorKind::NotFresh);
        let mut response = error.to_response();
        if let Some(page) = page {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, page.clone());
        }
        response
    }
}

impl<L> Clone for RequireFresh<L> {
    fn clone(&self) -> Self {
        Self {
            within: self.within,
            page: self.page.clone(),
            layer: PhantomData,
        }
    }
}

impl<L> fmt::Debug for RequireFresh<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFresh")
            .field("within", &self.within)
            .field("page", &self.page)
            .finish()
    }
}

impl<S, L> Layer<S> for RequireFresh<L> {
    type Service = RequireFreshService<S, L>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireFreshService {
            inner,
            guard: self.clone(),
        }
    }
}

/// A service that lets only those through who have shown their credential lately; [`require_fresh`] makes it.
pub struct RequireFreshService<S, L = Main> {
    inner: S,
    guard: RequireFresh<L>,
}

impl<S: Clone, L> Clone for RequireFreshService<S, L> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: self.guard.clone(),
        }
    }
}

impl<S: fmt::Debug, L> fmt::Debug for RequireFreshService<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFreshService")
            .field("inner", &self.inner)
            .field("guard", &self.guard)
            .finish()
    }
}

impl<S, L, A, B> Service<Request<A>> for RequireFreshService<S, L>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    L: 'static,
    A: Send + 'static,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // The one that was polled ready goes, a clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let slot = SessionSlot::<L>::require(request.extensions());
            match admit(slot, guard.within).await {
                Ok(()) => inner.call(request).await,
                Err(error) => Ok(guard.refuse(&error)),
            }
        })
    }
}

async fn admit<L: 'static>(
    slot: Result<SessionSlot<L>, Error>,
    within: Duration,
) -> Result<(), Error> {
    let session = slot?.session().await?;
    session.require_principal::<crate::principal::PrincipalId>()?;
    match session.is_fresh(within) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::NotFresh)),
    }
}
