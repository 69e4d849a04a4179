//! A verb that is carried out whole, whoever stops waiting for it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime;

/// Carries a verb out in the task of whoever waits for it, and in one of its own from when nobody does: between tasks
/// goes only what has to.
pub(super) struct Finished<F: Future<Output: Send> + Send + 'static> {
    verb: Option<Pin<Box<F>>>,
    runtime: runtime::Handle,
}

impl<F: Future<Output: Send> + Send + 'static> Finished<F> {
    pub(super) fn new(verb: F) -> Self {
        Self {
            verb: Some(Box::pin(verb)),
            runtime: runtime::Handle::current(),
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Finished<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out while it is polled: one that panics is not polled again.
        let verb = self.verb.take();
        let mut verb = verb.expect("a verb is polled until it is done");
        let poll = verb.as_mut().poll(context);
        if poll.is_pending() {
            self.verb = Some(verb);
        }
        poll
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Finished<F> {
    fn drop(&mut self) {
        if let Some(verb) = self.verb.take() {
            self.runtime.spawn(verb);
        }
    }
}
