//! Putting a place for the session into each request.

use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context as Task, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::{
    context::Context,
    cookie::{Transport, header, is_withheld},
    error::{DefaultOnError, Error, ErrorKind, OnError},
    future::ResponseFuture,
    session::{Main, Slots},
    slot::{Client, Slot},
};

/// The service that a [`SessionLayer`](crate::SessionLayer) makes of another.
///
/// ```
/// use http::{Request, Response};
/// use tenure::{SessionLayer, store::MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let inner = service_fn(async |_: Request<String>| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
/// let service = SessionLayer::new(MemoryStore::new()).layer(inner);
/// let response = service.oneshot(Request::new(String::new())).await.unwrap();
/// assert!(response.headers().is_empty(), "nobody took the session");
/// # });
/// ```
pub struct SessionService<S, L = Main, E = DefaultOnError> {
    inner: S,
    context: Arc<Context>,
    on_error: E,
    layer: PhantomData<fn() -> L>,
}

impl<S, L, E> SessionService<S, L, E> {
    pub(crate) const fn new(inner: S, context: Arc<Context>, on_error: E) -> Self {
        Self {
            inner,
            context,
            on_error,
            layer: PhantomData,
        }
    }

    /// Makes the request's place for its session; nothing is looked up before somebody asks.
    fn slot<B>(&self, request: &Request<B>) -> Arc<Slot> {
        let (transport, ids) = header::presented(
            self.context.header.as_ref(),
            request.headers(),
            &self.context.cookie_name,
        );
        let withheld = ids.is_absent()
            && transport == Transport::Cookie
            && is_withheld(
                self.context.same_site,
                request.method(),
                request.uri(),
                request.headers(),
            );
        let peer_of = self.context.peer_of.as_ref().filter(|_| ids.has_ids());
        let label_source = self.context.label_source.as_ref();
        let client = Client {
            transport,
            peer: peer_of.and_then(|peer_of| peer_of(request.headers(), request.extensions())),
            device: label_source.and_then(|source| source.read(request.headers())),
            is_detached: false,
        };
        Arc::new(Slot::new(self.context.clone(), ids, withheld, client))
    }

    /// Looks at the layers around this one.
    fn meet<B>(&self, request: &Request<B>) -> Meeting {
        let Some(slots) = Slots::of(request.extensions()) else {
            return Meeting::None;
        };
        let mut contexts = slots.iter().map(|slot| slot.context());
        let shared =
            contexts.find_map(|outer| outer.shares(&self.context).map(|name| (outer, name)));
        match shared {
            Some((outer, _)) if Arc::ptr_eq(outer, &self.context) => Meeting::Itself,
            Some((outer, name)) => Meeting::Clash(clash(outer, &self.context, name)),
            None => Meeting::None,
        }
    }
}

impl<S, L, E, B, R> Service<Request<B>> for SessionService<S, L, E>
where
    S: Service<Request<B>, Response = Response<R>>,
    E: Clone + OnError<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, Result<S::Response, S::Error>, E>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let on_error = self.on_error.clone();
        match self.meet(&request) {
            Meeting::None => {
                let slot = self.slot(&request);
                if let Some(header) = &self.context.header {
                    header.redact(request.headers_mut());
                }
                Slots::add(request.extensions_mut(), slot.clone());
                ResponseFuture::with_session(self.inner.call(request), slot, on_error)
            }
            Meeting::Itself => ResponseFuture::stepping_aside(self.inner.call(request), on_error),
            Meeting::Clash(error) => {
                ResponseFuture::refusing(self.inner.call(request), error, on_error)
            }
        }
    }
}

/// What a layer finds around it.
enum Meeting {
    /// Another layer that reads the same cookie or header.
    Clash(Error),
    /// Itself, as a nested router has it.
    Itself,
    None,
}

fn clash(outer: &Context, inner: &Context, shared: &str) -> Error {
    let names = format!(
        "`{}` around `{}`, both `{shared}`",
        outer.marker.name, inner.marker.name
    );
    Error::of_key(ErrorKind::TwoLayers, &names)
}

impl<S: Clone, L, E: Clone> Clone for SessionService<S, L, E> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.context.clone(),
            self.on_error.clone(),
        )
    }
}

impl<S: fmt::Debug, L, E> fmt::Debug for SessionService<S, L, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
