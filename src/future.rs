//! Waiting for the handler, then for the commit, then letting the response go.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Response, StatusCode, header::SET_COOKIE};
use pin_project_lite::pin_project;

use crate::{
    caching::{self, Exposure},
    cookie::Transport,
    error::{Error, OnError},
    site_data::CLEAR_SITE_DATA,
    slot::{Closed, Commit, Outcome, Shown, Slot},
};

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    pub struct ResponseFuture<F, T, E> {
        #[pin]
        handler: F,
        stage: Stage<T>,
        on_error: E,
    }

    impl<F, T, E> PinnedDrop for ResponseFuture<F, T, E> {
        fn drop(this: Pin<&mut Self>) {
            if let Stage::Handler(slot) = &this.stage {
                slot.abandon();
            }
        }
    }
}

enum Stage<T> {
    /// Two layers with one cookie name met, and this is what to say about it.
    Clash(Box<Error>),
    Commit(Box<Committing<T>>),
    Done,
    Handler(Arc<Slot>),
    /// The same layer is further out, and does all that is to be done.
    StepAside,
}

/// What is kept while a commit waits for the store; boxed, because most requests have nothing to commit.
struct Committing<T> {
    slot: Arc<Slot>,
    commit: Commit,
    /// What the handler has answered.
    answer: Option<T>,
}

impl<F, T, E> ResponseFuture<F, T, E> {
    pub(crate) const fn with_session(handler: F, slot: Arc<Slot>, on_error: E) -> Self {
        Self::new(handler, Stage::Handler(slot), on_error)
    }

    pub(crate) const fn stepping_aside(handler: F, on_error: E) -> Self {
        Self::new(handler, Stage::StepAside, on_error)
    }

    pub(crate) fn refusing(handler: F, error: Error, on_error: E) -> Self {
        Self::new(handler, Stage::Clash(Box::new(error)), on_error)
    }

    const fn new(handler: F, stage: Stage<T>, on_error: E) -> Self {
        Self {
            handler,
            stage,
            on_error,
        }
    }
}

impl<F, B, E, X> Future for ResponseFuture<F, Result<Response<B>, X>, E>
where
    F: Future<Output = Result<Response<B>, X>>,
    E: OnError<B>,
{
    type Output = Result<Response<B>, X>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Stage::Commit(committing) = this.stage {
            return committing.poll(context, this.on_error);
        }
        let answer = ready!(this.handler.poll(context));
        match std::mem::replace(this.stage, Stage::Done) {
            Stage::Handler(slot) => match slot.close(outcome(&answer)) {
                Closed::Commit => {
                    let mut committing = Committing::new(slot, answer);
                    let poll = committing.poll(context, this.on_error);
                    if poll.is_pending() {
                        *this.stage = Stage::Commit(Box::new(committing));
                    }
                    poll
                }
                Closed::Show(shown) => Poll::Ready(
                    answer.map(|response| show(&slot, shown, response, None, this.on_error)),
                ),
                Closed::Unused => Poll::Ready(answer),
            },
            Stage::Clash(error) => {
                error.log_a_mistake();
                Poll::Ready(answer.map(|response| this.on_error.respond(&error, response)))
            }
            Stage::Commit(_) | Stage::Done | Stage::StepAside => Poll::Ready(answer),
        }
    }
}

impl<B, X> Committing<Result<Response<B>, X>> {
    fn new(slot: Arc<Slot>, answer: Result<Response<B>, X>) -> Self {
        Self {
            commit: Commit::new(slot.clone(), None),
            slot,
            answer: Some(answer),
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        on_error: &impl OnError<B>,
    ) -> Poll<Result<Response<B>, X>> {
        let error = ready!(Pin::new(&mut self.commit).poll(context)).err();
        let answer = self.answer.take().expect("an answer is let go once");
        let shown = self.slot.shown();
        Poll::Ready(answer.map(|response| show(&self.slot, shown, response, error, on_error)))
    }
}

/// Tells whether a handler that answered like this has failed.
fn outcome<B, X>(answer: &Result<Response<B>, X>) -> Outcome {
    let has_failed =
        |status: StatusCode| status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
    match answer {
        Ok(response) if !has_failed(response.status()) => Outcome::Success,
        Ok(_) | Err(_) => Outcome::Failure,
    }
}

/// Shows in a response what became of the session.
fn show<B>(
    slot: &Slot,
    shown: Shown,
    response: Response<B>,
    error: Option<Error>,
    on_error: &impl OnError<B>,
) -> Response<B> {
    // A change that was refused and that the handler answers with a success would be lost in silence.
    let ignored = shown
        .refused
        .filter(|_| !is_error(response.status()))
        .map(Error::new);
    let mut response = match error.or(ignored) {
        Some(error) => {
            error.log_a_mistake();
            on_error.respond(&error, response)
        }
        None => response,
    };
    let exposure = match slot.transport() {
        _ if shown.cookie.is_none() => shown.exposure,
        Transport::Cookie => Some(Exposure::Cookie),
        Transport::Header => Some(Exposure::Header),
    };
    if let Some(exposure) = exposure {
        let transport = slot.context().header.as_ref();
        caching::protect(response.headers_mut(), exposure, transport);
    }
    match &slot.context().header {
        Some(header) if slot.transport() == Transport::Header => {
            if let Some(told) = shown.cookie {
                response.headers_mut().insert(header.response_name(), told);
            }
        }
        _ => tell_browser(slot, shown, response.headers_mut()),
    }
    response
}

fn tell_browser(slot: &Slot, shown: Shown, headers: &mut HeaderMap) {
    for cookie in shown.cookie.into_iter().chain(shown.twin_removal) {
        headers.append(SET_COOKIE, cookie);
    }
    let clear = slot.context().clear_site_data.as_ref();
    if let Some(clear) = clear.filter(|_| shown.signed_out) {
        headers.append(CLEAR_SITE_DATA, clear.clone());
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

impl<F, T, E> fmt::Debug for ResponseFuture<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
