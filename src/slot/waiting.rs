//! The two moments at which a request waits for the store: the load and the commit.
//!
//! One of a request waits at a time; others of the same request wait for him.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker, ready},
};

use tokio::runtime;

use super::{Phase, Slot};
use crate::{
    change::{Draft, Operation, Origin, Target, Work},
    commit::{Committed, Cookie, Failure, commit},
    context::{Background, Boxed},
    error::Error,
    load::{Found, Loading, load},
    observe::{Event, EventKind, RejectReason},
    record::Values,
};

impl Slot {
    /// Begins to wait for the store, once nobody else of this request does.
    fn poll_occupy(&self, task: &Task<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.busy {
            state.waiting.push(task.waker().clone());
            return Poll::Pending;
        }
        state.busy = true;
        Poll::Ready(())
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.busy = false;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Loads the session if it is not loaded. The ids stay where they are until it is, so that a load that is dropped
    /// half-way can be begun again.
    fn begin_load(&self) -> Loading {
        let state = self.state.lock();
        let (ids, withheld) = match &state.phase {
            Phase::Failed(kind) => return Loading::Done(Err(Error::new(*kind))),
            Phase::Loaded(_) => return Loading::Already,
            Phase::Presented { ids, withheld } => (ids, *withheld),
        };
        let refused = match ids.first() {
            None if ids.is_absent() => {
                let origin = if withheld {
                    Origin::Withheld
                } else {
                    Origin::Absent
                };
                return Loading::Done(Ok(Found::nothing(origin)));
            }
            None => (RejectReason::Malformed, Origin::Absent),
            Some(_) if ids.is_too_many() => (RejectReason::TooMany, Origin::Unknown),
            Some(first) => {
                let others = ids.others();
                drop(state);
                return load(&self.context, first, others);
            }
        };
        drop(state);
        let (reason, origin) = refused;
        self.context
            .observe(Event::new(EventKind::Rejected(reason)));
        Loading::Done(Ok(Found::nothing(origin)))
    }

    fn settle_load(&self, found: Result<Found, Error>) -> Result<(), Error> {
        let mut state = self.state.lock();
        match found {
            Ok(found) => {
                state.token = found.token;
                state.phase = Phase::Loaded(found.draft);
                Ok(())
            }
            Err(error) => {
                state.phase = Phase::Failed(error.kind());
                Err(error)
            }
        }
    }

    fn take_work(&self, only: Option<&Target>) -> Result<Box<Work>, Error> {
        let default = self.context.lifetime;
        self.state.lock().draft().take_work(only, default)
    }

    fn settle_commit(
        &self,
        committed: Result<Committed, Failure>,
    ) -> Result<Vec<Operation>, Error> {
        let mut state = self.state.lock();
        match committed {
            Ok(committed) => {
                // What is still pending is committed by the response, which waits for this.
                let is_last = state.closed && !state.draft().is_changed();
                let draft = if is_last { Draft::close } else { Draft::rebase };
                draft(state.draft(), committed.live, committed.values);
                state.tell(&self.context, committed.cookie);
                Ok(committed.operations)
            }
            Err(failure) => {
                // Who was told that it has ended is not shown as signed in, whatever became of the rest.
                if matches!(failure.cookie, Cookie::Forget) {
                    state.draft().rebase(None, Values::empty());
                }
                state.tell(&self.context, failure.cookie);
                Err(failure.error)
            }
        }
    }
}

/// Loads a request's session, once, however many ask for it.
pub(crate) struct Load {
    slot: Arc<Slot>,
    waiting: Option<(Occupied, Boxed<Result<Found, Error>>)>,
}

impl Load {
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            waiting: None,
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl Future for Load {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some((_, waiting)) = &mut this.waiting {
            let found = ready!(waiting.as_mut().poll(task));
            let loaded = this.slot.settle_load(found);
            this.waiting = None;
            return Poll::Ready(loaded);
        }
        ready!(this.slot.poll_occupy(task));
        let occupied = Occupied(this.slot.clone());
        match this.slot.begin_load() {
            Loading::Already => Poll::Ready(Ok(())),
            Loading::Done(found) => Poll::Ready(this.slot.settle_load(found)),
            Loading::Waiting(future) => {
                this.waiting = Some((occupied, future));
                self.poll(task)
            }
        }
    }
}

/// Commits what is pending, all of it or what is on a target's key. Once begun it is finished, whoever drops it.
pub(crate) struct Commit {
    future: Option<Boxed<Result<Vec<Operation>, Error>>>,
    background: Background,
    runtime: Option<runtime::Handle>,
    begun: bool,
}

impl Commit {
    pub(crate) fn new(slot: Arc<Slot>, only: Option<Target>) -> Self {
        Self {
            background: slot.context.background.clone(),
            future: Some(Box::pin(commit_slot(slot, only))),
            runtime: None,
            begun: false,
        }
    }
}

impl Future for Commit {
    type Output = Result<Vec<Operation>, Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.begun = true;
        // Taken out, so that one whose user's function panics is not polled again when this is dropped.
        let mut future = this
            .future
            .take()
            .expect("a commit is polled until it is done");
        let poll = future.as_mut().poll(task);
        if poll.is_pending() {
            this.future = Some(future);
            this.runtime = this
                .runtime
                .take()
                .or_else(|| runtime::Handle::try_current().ok());
        }
        poll
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Some(future) = self.future.take().filter(|_| self.begun) {
            let rest = async { drop(future.await) };
            self.background.finish(self.runtime.take(), Box::pin(rest));
        }
    }
}

pub(super) async fn commit_slot(
    slot: Arc<Slot>,
    only: Option<Target>,
) -> Result<Vec<Operation>, Error> {
    poll_fn(|task| slot.poll_occupy(task)).await;
    let _occupied = Occupied(slot.clone());
    let mut work = slot.take_work(only.as_ref())?;
    work.catch_up()?;
    if work.plan.is_nothing() {
        return Ok(work.operations);
    }
    let committed = commit(slot.context.clone(), work).await;
    slot.settle_commit(committed)
}

/// The right to wait for the store on behalf of a request.
struct Occupied(Arc<Slot>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.leave();
    }
}
