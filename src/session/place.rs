//! A request's places for its sessions, for layers and for services without axum.

use std::{
    any::{self, TypeId},
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use http::Extensions;

use super::{Main, Session};
use crate::{
    cookie::Transport,
    error::{Error, ErrorKind},
    sessions::Sessions,
    slot::{Load, Slot},
};

/// A request's place for its session, not loaded yet.
///
/// The layer puts it into the request's extensions; middleware and Tower services ask it for the
/// [`session`](Self::session). Several that ask share one load. Under axum it is an extractor that costs nothing.
///
/// ```
/// use http::{Request, Response};
/// use tenure::{SessionLayer, SessionSlot, store::MemoryStore};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = ServiceBuilder::new()
///     .layer(SessionLayer::new(MemoryStore::new()))
///     .service(service_fn(async |request: Request<String>| {
///         let slot = SessionSlot::from_extensions(request.extensions()).expect("the layer is there");
///         let session: tenure::Session = slot.session().await?;
///         session.insert("name", "Ada")?;
///         Ok::<_, BoxError>(Response::new(String::new()))
///     }));
/// let response = service.oneshot(Request::new(String::new())).await.unwrap();
/// assert!(response.headers().contains_key("set-cookie"));
/// # });
/// ```
pub struct SessionSlot<L = Main> {
    slot: Arc<Slot>,
    layer: PhantomData<fn() -> L>,
}

impl<L: 'static> SessionSlot<L> {
    /// Finds the place that the layer with this marker has put into a request.
    ///
    /// ```
    /// use http::Extensions;
    /// use tenure::{Main, SessionSlot};
    ///
    /// // Outside the layer there is none.
    /// assert!(SessionSlot::<Main>::from_extensions(&Extensions::new()).is_none());
    /// ```
    #[must_use]
    pub fn from_extensions(extensions: &Extensions) -> Option<Self> {
        Slots::of(extensions)?.find(TypeId::of::<L>()).map(Self::of)
    }

    /// Finds it, or says what there is instead.
    pub(crate) fn require(extensions: &Extensions) -> Result<Self, Error> {
        Self::from_extensions(extensions).ok_or_else(|| match Slots::of(extensions) {
            None => Error::new(ErrorKind::MissingLayer),
            Some(others) => {
                let said = format!("`{}`, only of {others}", any::type_name::<L>());
                Error::of_key(ErrorKind::MissingLayer, &said)
            }
        })
    }
}

impl<L> SessionSlot<L> {
    /// Returns the session, loaded.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store) if the store does not answer in time,
    /// [`UndecodableRecord`](crate::ErrorKind::UndecodableRecord) if what it answers cannot be read. An unknown or expired id
    /// is no error but a session without a record.
    pub fn session(&self) -> LoadFuture<L> {
        LoadFuture {
            load: Load::new(self.slot.clone()),
            layer: PhantomData,
        }
    }

    /// Says how the request has brought its id, or asked for one; nothing is loaded for it.
    ///
    /// For middleware that guards against forged requests; see [`Session::transport`].
    ///
    /// ```
    /// use axum::{extract::Request, http::StatusCode, middleware::Next, response::{IntoResponse, Response}};
    /// use tenure::{SessionSlot, Transport};
    ///
    /// /// Lets forms of other sites through to nobody.
    /// async fn guard(slot: SessionSlot, request: Request, next: Next) -> Response {
    ///     let site = request.headers().get("sec-fetch-site");
    ///     let is_foreign = site.is_some_and(|site| site != "same-origin" && site != "none");
    ///     match slot.transport() {
    ///         Transport::Cookie if is_foreign => StatusCode::FORBIDDEN.into_response(),
    ///         _ => next.run(request).await,
    ///     }
    /// }
    /// # use axum::{Router, body::Body, routing::post};
    /// # use tower::ServiceExt;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let layer = tenure::SessionLayer::builder(tenure::store::MemoryStore::new())
    /// #     .with_header(tenure::HeaderTransport::bearer())
    /// #     .build()
    /// #     .unwrap();
    /// # let app: Router = Router::new().route("/", post(|| async {})).layer(axum::middleware::from_fn(guard)).layer(layer);
    /// # for (value, status) in [("Bearer new", 200), ("Basic YTpi", 403)] {
    /// #     let request = Request::post("/").header("sec-fetch-site", "cross-site").header("authorization", value);
    /// #     let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    /// #     assert_eq!(response.status(), status);
    /// # }
    /// # });
    /// ```
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.slot.transport()
    }

    /// Returns the sessions of this layer's principals; nothing is loaded for it.
    ///
    /// Under axum [`Sessions`] is an extractor.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.slot.context().clone())
    }

    pub(crate) const fn of(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            layer: PhantomData,
        }
    }
}

impl<L> Clone for SessionSlot<L> {
    fn clone(&self) -> Self {
        Self::of(self.slot.clone())
    }
}

impl<L> fmt::Debug for SessionSlot<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot
            .describe(&mut f.debug_struct("SessionSlot"))
            .finish_non_exhaustive()
    }
}

/// The future of [`SessionSlot::session`].
#[must_use = "a session is loaded when this is awaited"]
pub struct LoadFuture<L = Main> {
    load: Load,
    layer: PhantomData<fn() -> L>,
}

impl<L> Future for LoadFuture<L> {
    type Output = Result<Session<L>, Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.load).poll(task))?;
        Poll::Ready(Ok(Session::of(self.load.slot().clone())))
    }
}

impl<L> fmt::Debug for LoadFuture<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadFuture")
    }
}

/// The places of all layers around a handler, the innermost last.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    first: Arc<Slot>,
    inner: Vec<Arc<Slot>>,
}

impl Slots {
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Adds a layer's place to those of the layers around it.
    pub(crate) fn add(extensions: &mut Extensions, slot: Arc<Slot>) {
        match extensions.get_mut::<Self>() {
            Some(slots) => slots.inner.push(slot),
            None => drop(extensions.insert(Self {
                first: slot,
                inner: Vec::new(),
            })),
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Slot>> {
        std::iter::once(&self.first).chain(&self.inner)
    }

    fn find(&self, marker: TypeId) -> Option<Arc<Slot>> {
        self.iter()
            .rfind(|slot| slot.context().marker.id == marker)
            .cloned()
    }
}

/// Names the layers by their markers and cookies.
impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, slot) in self.iter().enumerate() {
            let between = if place == 0 { "" } else { " and " };
            let context = slot.context();
            write!(
                f,
                "{between}`{}` (`{}`)",
                context.marker.name, context.cookie_name
            )?;
        }
        Ok(())
    }
}
