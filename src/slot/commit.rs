//! Waiting for a commit, which goes on when its request does not.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use tokio::runtime;

use super::{Open, Slot, State};
use crate::{
    change::{Draft, Edits, Operation, Work},
    commit::{self, Committed, Cookie, Failure},
    error::Error,
};

/// Commits what is pending, all of it or what concerns the key of an operation. Once begun it is finished, whoever drops it.
pub(crate) struct Commit {
    /// Taken out while it is polled, so that one whose user's function panics is not polled again.
    commit: Option<Unguarded>,
    begun: bool,
    runtime: Option<runtime::Handle>,
}

impl Commit {
    pub(crate) const fn new(slot: Arc<Slot>, now: Option<Operation>) -> Self {
        Self {
            commit: Some(Unguarded::new(slot, now)),
            begun: false,
            runtime: None,
        }
    }
}

impl Future for Commit {
    type Output = Result<Edits, Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.begun = true;
        let commit = this.commit.take();
        let mut commit = commit.expect("a commit is polled until it is done");
        let poll = Pin::new(&mut commit).poll(task);
        if poll.is_pending() {
            this.commit = Some(commit);
            if this.runtime.is_none() {
                this.runtime = runtime::Handle::try_current().ok();
            }
        }
        poll
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take().filter(|_| self.begun) {
            let background = commit.slot.context.background.clone();
            background.finish(self.runtime.take(), commit);
        }
    }
}

/// A commit that ends when it is dropped.
pub(super) struct Unguarded {
    slot: Arc<Slot>,
    /// What is to be committed at once, with what concerns its key; all that is pending if there is none.
    now: Option<Operation>,
    /// It is this one that waits for the store.
    is_busy: bool,
    /// What is being made of a user's functions: should one fail or panic, the end that was asked for before it stays.
    unsettled: Option<Box<Work>>,
    /// Boxed, because it is large and moves.
    commit: Option<Box<commit::Commit>>,
}

impl Unguarded {
    pub(super) const fn new(slot: Arc<Slot>, now: Option<Operation>) -> Self {
        Self {
            slot,
            now,
            is_busy: false,
            unsettled: None,
            commit: None,
        }
    }

    /// Decides what to do; returns what was done if that is nothing.
    fn begin(&mut self, work: Box<Work>) -> Result<Option<Edits>, Error> {
        self.is_busy = true;
        let mut work = self.settled(work)?;
        if work.plan.is_nothing() {
            self.leave(|state| state.open().draft.take_back(&mut work));
            return Ok(Some(work.edits));
        }
        let context = self.slot.context.clone();
        self.commit = Some(Box::new(commit::Commit::new(context, work)));
        Ok(None)
    }

    fn settled(&mut self, work: Box<Work>) -> Result<Box<Work>, Error> {
        if !work.edits.is_stale() {
            return Ok(work);
        }
        let unsettled = self.unsettled.insert(work);
        unsettled
            .settle()
            .inspect_err(|error| self.slot.observe_refusal(error))?;
        let settled = self.unsettled.take();
        Ok(settled.expect("it was put there"))
    }

    fn leave<R>(&mut self, settle: impl FnOnce(&mut State) -> R) -> R {
        self.is_busy = false;
        self.slot.leave(settle)
    }
}

impl Future for Unguarded {
    type Output = Result<Edits, Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.commit.is_none() {
            let work = ready!(this.slot.poll_begin_commit(&mut this.now, task))?;
            if let Some(edits) = this.begin(work)? {
                return Poll::Ready(Ok(edits));
            }
        }
        let commit = this.commit.as_mut().expect("something to wait for");
        let cookie = ready!(commit.poll(task));
        let commit = this.commit.take().expect("it was polled");
        let committed = cookie.map(|cookie| commit.committed(cookie));
        let slot = this.slot.clone();
        Poll::Ready(this.leave(|state| {
            let is_closed = state.closed;
            state.open().settle(&slot, is_closed, committed)
        }))
    }
}

impl Drop for Unguarded {
    fn drop(&mut self) {
        if self.is_busy {
            let unsettled = self.unsettled.take();
            self.slot.leave(|state| {
                if let Some(work) = &unsettled {
                    state.open().draft.take_back_the_end(work);
                }
            });
        }
    }
}

impl Slot {
    /// Takes what there is to commit, once nobody else of this request waits for the store.
    fn poll_begin_commit(
        &self,
        now: &mut Option<Operation>,
        task: &Task<'_>,
    ) -> Poll<Result<Box<Work>, Error>> {
        let mut state = self.state.lock();
        if state.busy {
            return state.wait(task);
        }
        let is_last = state.closed && now.is_none();
        let (draft, lifetime) = (&mut state.open().draft, self.context.lifetime);
        let work = match is_last {
            true => draft.take_last_work(lifetime, |live| self.context.upkeep(live)),
            false => draft.take_work(now.take(), lifetime),
        };
        state.busy = work.is_ok();
        Poll::Ready(work)
    }
}

impl Open {
    fn settle(
        &mut self,
        slot: &Slot,
        is_closed: bool,
        committed: Result<Committed, Failure>,
    ) -> Result<Edits, Error> {
        match committed {
            Ok(Committed { work, cookie }) => {
                let Work { live, edits, .. } = *work;
                // What is still pending is committed by the response, which waits for this.
                let is_last = is_closed && !self.draft.is_changed();
                let go_on = if is_last { Draft::close } else { Draft::rebase };
                go_on(&mut self.draft, live);
                self.tell(slot, cookie);
                Ok(edits)
            }
            Err(failure) => {
                // Who was told that it has ended is not shown as signed in, whatever became of the rest.
                if matches!(failure.cookie, Cookie::Forget { .. }) {
                    self.draft.rebase(None);
                }
                self.tell(slot, failure.cookie);
                Err(failure.error)
            }
        }
    }
}
