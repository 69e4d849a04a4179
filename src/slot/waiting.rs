//! The two moments at which a request waits for the store: the load and the commit.
//!
//! One of a request waits at a time; others of the same request wait for him.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker, ready},
};

use tokio::runtime;

use super::{Open, Phase, Slot, State};
use crate::{
    change::{Draft, Edits, Operation, Origin, Work},
    commit::{self, Committed, Cookie, Failure},
    context::{Boxed, Context},
    cookie::Presented,
    error::Error,
    id::Token,
    load::{Found, Loading, load},
    observe::{Event, EventKind, RejectReason},
};

/// Loads a request's session, once, however many ask for it.
pub(crate) struct Load {
    slot: Arc<Slot>,
    /// It is this one that waits for the store.
    is_busy: bool,
    waiting: Option<Boxed<Result<Found, Error>>>,
}

/// What there is to load.
enum Wanted {
    /// The session is loaded, or has failed to load.
    Nothing(Result<(), Error>),
    Ids(Token, Vec<Token>),
}

impl Load {
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            is_busy: false,
            waiting: None,
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    fn settle(&mut self, found: Result<Found, Error>) -> Poll<Result<(), Error>> {
        self.waiting = None;
        self.is_busy = false;
        Poll::Ready(self.slot.leave(|state| state.loaded(found)))
    }
}

impl Future for Load {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let (first, others) = match ready!(this.slot.poll_begin_load(task)) {
                Wanted::Nothing(result) => return Poll::Ready(result),
                Wanted::Ids(first, others) => (first, others),
            };
            this.is_busy = true;
            match load(&this.slot.context, first, others) {
                Loading::Done(found) => return this.settle(found),
                Loading::Waiting(future) => this.waiting = Some(future),
            }
        }
        let waiting = this.waiting.as_mut().expect("something to wait for");
        let found = ready!(waiting.as_mut().poll(task));
        this.settle(found)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if self.is_busy {
            self.slot.leave(|_| ());
        }
    }
}

/// Commits what is pending, all of it or what concerns the key of an operation. Once begun it is finished, whoever drops it.
pub(crate) struct Commit {
    /// Taken out while it is polled, so that one whose user's function panics is not polled again.
    committing: Option<Committing>,
    begun: bool,
    runtime: Option<runtime::Handle>,
}

impl Commit {
    pub(crate) const fn new(slot: Arc<Slot>, now: Option<Operation>) -> Self {
        Self {
            committing: Some(Committing::new(slot, now)),
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
        let committing = this.committing.take();
        let mut committing = committing.expect("a commit is polled until it is done");
        let poll = Pin::new(&mut committing).poll(task);
        if poll.is_pending() {
            this.committing = Some(committing);
            if this.runtime.is_none() {
                this.runtime = runtime::Handle::try_current().ok();
            }
        }
        poll
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Some(committing) = self.committing.take().filter(|_| self.begun) {
            let background = committing.slot.context.background.clone();
            background.finish(self.runtime.take(), committing);
        }
    }
}

/// A commit that ends when it is dropped.
pub(super) struct Committing {
    slot: Arc<Slot>,
    /// What is to be committed at once, with what concerns its key; all that is pending if there is none.
    now: Option<Operation>,
    /// It is this one that waits for the store.
    is_busy: bool,
    /// Boxed, because it is large and moves.
    commit: Option<Box<commit::Commit>>,
}

impl Committing {
    pub(super) const fn new(slot: Arc<Slot>, now: Option<Operation>) -> Self {
        Self {
            slot,
            now,
            is_busy: false,
            commit: None,
        }
    }

    /// Decides what to do; returns what was done if that is nothing.
    fn begin(&mut self, mut work: Work) -> Result<Option<Edits>, Error> {
        self.is_busy = true;
        if let Err(error) = work.settle() {
            self.leave(|state| state.open().draft.take_back_the_end(&work));
            self.slot.observe_refusal(&error);
            return Err(error);
        }
        if work.plan.is_nothing() {
            self.leave(|state| state.open().draft.take_back(&mut work));
            return Ok(Some(work.edits));
        }
        let context = self.slot.context.clone();
        self.commit = Some(Box::new(commit::Commit::new(context, work)));
        Ok(None)
    }

    fn leave<R>(&mut self, settle: impl FnOnce(&mut State) -> R) -> R {
        self.is_busy = false;
        self.slot.leave(settle)
    }
}

impl Future for Committing {
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
        let committed = ready!(commit.poll(task));
        this.commit = None;
        let context = this.slot.context.clone();
        Poll::Ready(this.leave(|state| {
            let is_closed = state.closed;
            state.open().settle(&context, is_closed, committed)
        }))
    }
}

impl Drop for Committing {
    fn drop(&mut self) {
        if self.is_busy {
            self.slot.leave(|_| ());
        }
    }
}

impl Slot {
    /// Begins a load, unless the session is loaded, once nobody else of this request waits for the store.
    ///
    /// The ids stay where they are until it is done, so that a load that is dropped half-way can be begun again.
    fn poll_begin_load(&self, task: &Task<'_>) -> Poll<Wanted> {
        let mut state = self.state.lock();
        let (ids, withheld) = match &state.phase {
            Phase::Failed(kind) => return Poll::Ready(Wanted::Nothing(Err(Error::new(*kind)))),
            Phase::Loaded(_) => return Poll::Ready(Wanted::Nothing(Ok(()))),
            Phase::Presented { ids, withheld } => (ids, *withheld),
        };
        if state.busy {
            state.waiting.push(task.waker().clone());
            return Poll::Pending;
        }
        match origin_without_look_up(ids, withheld) {
            None => {
                let first = ids.first().expect("an id to look up");
                let wanted = Wanted::Ids(first, ids.others());
                state.busy = true;
                Poll::Ready(wanted)
            }
            Some((origin, reason)) => {
                let loaded = state.loaded(Ok(Found::nothing(origin)));
                drop(state);
                if let Some(reason) = reason {
                    self.context
                        .observe(Event::new(EventKind::Rejected(reason)));
                }
                Poll::Ready(Wanted::Nothing(loaded))
            }
        }
    }

    /// Takes what there is to commit, once nobody else of this request waits for the store.
    fn poll_begin_commit(
        &self,
        now: &mut Option<Operation>,
        task: &Task<'_>,
    ) -> Poll<Result<Work, Error>> {
        let mut state = self.state.lock();
        if state.busy {
            state.waiting.push(task.waker().clone());
            return Poll::Pending;
        }
        let work = state
            .open()
            .draft
            .take_work(now.take(), self.context.lifetime);
        state.busy = work.is_ok();
        Poll::Ready(work)
    }

    /// Takes in what the store has said, and lets the next of this request have it.
    fn leave<R>(&self, settle: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let settled = settle(&mut state);
        state.busy = false;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        settled
    }
}

impl State {
    fn loaded(&mut self, found: Result<Found, Error>) -> Result<(), Error> {
        let ambiguous = match &self.phase {
            Phase::Presented { ids, .. } => ids.is_ambiguous(),
            Phase::Failed(_) | Phase::Loaded(_) => false,
        };
        match found {
            Ok(Found {
                live,
                origin,
                token,
                ..
            }) => {
                let draft = match live {
                    Some(live) => Draft::live(live),
                    None => Draft::without_record(origin),
                };
                self.phase = Phase::Loaded(Open::new(draft, token, ambiguous));
                Ok(())
            }
            Err(error) => {
                self.phase = Phase::Failed(error.kind());
                Err(error)
            }
        }
    }
}

impl Open {
    fn settle(
        &mut self,
        context: &Context,
        is_closed: bool,
        committed: Result<Committed, Failure>,
    ) -> Result<Edits, Error> {
        match committed {
            Ok(Committed {
                live,
                edits,
                cookie,
            }) => {
                // What is still pending is committed by the response, which waits for this.
                let is_last = is_closed && !self.draft.is_changed();
                let go_on = if is_last { Draft::close } else { Draft::rebase };
                go_on(&mut self.draft, live);
                self.tell(context, cookie);
                Ok(edits)
            }
            Err(failure) => {
                // Who was told that it has ended is not shown as signed in, whatever became of the rest.
                if matches!(failure.cookie, Cookie::Forget) {
                    self.draft.rebase(None);
                }
                self.tell(context, failure.cookie);
                Err(failure.error)
            }
        }
    }
}

/// Says what a request is whose cookie needs no look-up, and why it is refused if it is.
fn origin_without_look_up(
    ids: &Presented,
    withheld: bool,
) -> Option<(Origin, Option<RejectReason>)> {
    if ids.is_absent() {
        let origin = match withheld {
            true => Origin::Withheld,
            false => Origin::Absent,
        };
        return Some((origin, None));
    }
    if ids.is_too_many() {
        return Some((Origin::Unknown, Some(RejectReason::TooMany)));
    }
    match ids.has_ids() {
        true => None,
        false => Some((Origin::Absent, Some(RejectReason::Malformed))),
    }
}
