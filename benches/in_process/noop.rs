//! A layer that does nothing, to be taken off what the others cost.

use axum::{Router, http::Request, routing::get};
use tower::{Layer, Service};

use crate::workload::{Subject, Workload, unknown};

#[derive(Clone)]
struct NoopLayer;

#[derive(Clone)]
struct Noop<S>(S);

impl<S> Layer<S> for NoopLayer {
    type Service = Noop<S>;

    fn layer(&self, inner: S) -> Noop<S> {
        Noop(inner)
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Noop<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.0.call(request)
    }
}

pub(crate) fn subject(workload: &Workload) -> Subject {
    Subject::new(app(), workload, unknown)
}

/// Handlers that have no session.
pub(crate) fn app() -> Router {
    // It captures nothing, as the handlers of the others do not: a handler that has a size is allocated for each request.
    let answer = || async { "ok" };
    Router::new()
        .route("/unused", get(answer))
        .route("/read", get(answer))
        .route("/write", get(answer))
        .route("/read-write", get(answer))
        .route("/cycle", get(answer))
        .layer(NoopLayer)
}
