//! Waiting for the load: one of a request waits for the store, and others of the same request wait for him.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use super::{Open, Phase, Slot, State};
use crate::{
    change::{Draft, Origin},
    context::Boxed,
    cookie::Presented,
    error::Error,
    id::Token,
    load::{Found, Loading, load},
    meter,
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
        meter::load(outcome(&found), &self.slot.context.cookie_name);
        if let Ok(found) = &found {
            self.slot.count_guesses(found);
        }
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

impl Slot {
    /// Counts ids that have opened nothing, if it is known where they come from.
    fn count_guesses(&self, found: &Found) {
        let (Some(peer), Origin::Unknown) = (self.client.peer, found.origin) else {
            return;
        };
        let ids: Vec<_> = match &self.state.lock().phase {
            Phase::Presented { ids, .. } => ids.first().into_iter().chain(ids.others()).collect(),
            Phase::Failed(_) | Phase::Loaded(_) => Vec::new(),
        };
        for id in &ids {
            let hash = self.context.guard.hash(id);
            self.context.observer.count_guess(peer, hash.as_bytes());
        }
    }

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
            return state.wait(task);
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
}

impl State {
    fn loaded(&mut self, found: Result<Found, Error>) -> Result<(), Error> {
        let ambiguous = match &self.phase {
            Phase::Presented { ids, .. } => ids.is_ambiguous(),
            Phase::Failed(_) | Phase::Loaded(_) => false,
        };
        match found {
            Ok(Found {
                draft,
                origin,
                token,
                remains,
                ..
            }) => {
                let draft = draft.unwrap_or_else(|| {
                    Box::new(match remains {
                        Some(handle) => Draft::of_remains(handle),
                        None => Draft::without_record(origin),
                    })
                });
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

fn outcome(found: &Result<Found, Error>) -> meter::Load {
    match found.as_ref().map(|found| found.origin) {
        Err(_) => meter::Load::Failed,
        Ok(Origin::Live) => meter::Load::Live,
        Ok(Origin::Superseded) => meter::Load::Superseded,
        Ok(Origin::Absent | Origin::Unknown | Origin::Withheld) => meter::Load::Unknown,
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
