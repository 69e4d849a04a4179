//! A request's place for its session: one lock, one state, and the two moments at which it waits for the store.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker, ready},
};

use http::HeaderValue;
use tokio::runtime;

use crate::{
    caching::Exposure,
    change::{Draft, Operation, Origin, Work},
    commit::{Committed, Cookie, Failure, commit},
    context::{Background, Boxed, Context},
    cookie::Presented,
    error::{Error, ErrorKind},
    id::Token,
    load::{Found, Loading, load},
    observe::{Event, EventKind, RejectReason},
    sync::Mutex,
};

/// What a layer, the extractors and the response of one request share.
#[derive(Debug)]
pub(crate) struct Slot {
    context: Arc<Context>,
    state: Mutex<State>,
}

/// Everything that a request knows of its session.
#[derive(Debug)]
pub(crate) struct State {
    phase: Phase,
    /// Somebody is waiting for the store on behalf of this request, and these wait for him.
    busy: bool,
    waiting: Vec<Waker>,
    /// The request brought several values under our name.
    ambiguous: bool,
    /// The id that the browser holds, as far as this request knows.
    token: Option<Token>,
    /// What the browser must be told because a commit has done it.
    cookie: Option<HeaderValue>,
    /// Something about the session was asked for or changed.
    used: bool,
    /// The handler has returned.
    closed: bool,
    /// A change was refused for what the request is; a handler that ignores it does not get away with it.
    refused: Option<ErrorKind>,
    /// Where an end is carried out if the request goes away.
    runtime: Option<runtime::Handle>,
}

#[derive(Debug)]
enum Phase {
    Failed(ErrorKind),
    Loaded(Box<Draft>),
    Presented { ids: Presented, withheld: bool },
}

/// What the response must show of the session.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) cookie: Option<HeaderValue>,
    pub(crate) twin_removal: Option<HeaderValue>,
    pub(crate) exposure: Option<Exposure>,
    pub(crate) refused: Option<ErrorKind>,
}

impl Slot {
    pub(crate) fn new(context: Arc<Context>, ids: Presented, withheld: bool) -> Self {
        let ambiguous = ids.is_ambiguous();
        Self::in_phase(context, Phase::Presented { ids, withheld }, ambiguous)
    }

    /// Makes a place whose session is loaded, for tests of handlers.
    pub(crate) fn loaded(context: Arc<Context>, draft: Draft) -> Self {
        Self::in_phase(context, Phase::Loaded(Box::new(draft)), false)
    }

    fn in_phase(context: Arc<Context>, phase: Phase, ambiguous: bool) -> Self {
        Self {
            context,
            state: Mutex::new(State {
                phase,
                busy: false,
                waiting: Vec::new(),
                ambiguous,
                token: None,
                cookie: None,
                used: false,
                closed: false,
                refused: None,
                runtime: None,
            }),
        }
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    // For handlers.

    /// Asks something about the session.
    pub(crate) fn ask<R>(&self, question: impl FnOnce(&mut Draft) -> R) -> R {
        let mut state = self.state.lock();
        state.used = true;
        question(state.draft())
    }

    /// Changes the session, unless it is too late.
    pub(crate) fn change<R>(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut state = self.state.lock();
        state.used = true;
        if state.closed {
            return Err(Error::new(ErrorKind::AfterResponse));
        }
        let changed = change(state.draft());
        if let Err(error) = &changed
            && matches!(error.kind(), ErrorKind::CrossSite | ErrorKind::Superseded)
        {
            state.refused = Some(error.kind());
        }
        drop(state);
        changed.inspect_err(|error| self.observe_refusal(error))
    }

    /// Remembers where an end is to be carried out if the request goes away.
    pub(crate) fn remember_runtime(&self) {
        self.state.lock().runtime = runtime::Handle::try_current().ok();
    }

    pub(crate) fn allow_cross_site(&self) -> Result<(), Error> {
        self.change(|draft| {
            draft.allow_cross_site();
            Ok(())
        })
    }

    /// Adds what may be printed.
    pub(crate) fn describe<'a, 'b, 'c>(
        &self,
        debug: &'c mut fmt::DebugStruct<'a, 'b>,
    ) -> &'c mut fmt::DebugStruct<'a, 'b> {
        match &self.state.lock().phase {
            Phase::Loaded(draft) => debug
                .field("handle", &draft.current().map(|live| live.handle))
                .field("principal", &draft.principal())
                .field("origin", &draft.origin()),
            Phase::Failed(kind) => debug.field("failed", kind),
            Phase::Presented { .. } => debug.field("loaded", &false),
        }
    }

    pub(crate) fn observe_refusal(&self, error: &Error) {
        match error.kind() {
            ErrorKind::CrossSite => self
                .context
                .observe(Event::new(EventKind::Rejected(RejectReason::CrossSite))),
            ErrorKind::UndecodableValue => {
                self.context
                    .observe(Event::new(EventKind::UndecodableValue).because(error));
            }
            _ => {}
        }
    }

    // For the response.

    /// Closes the session to changes; tells whether there may be something to commit.
    pub(crate) fn close(&self, failed: bool) -> bool {
        let mut state = self.state.lock();
        state.closed = true;
        let busy = state.busy;
        match &mut state.phase {
            Phase::Loaded(draft) => {
                if failed {
                    draft.keep_only_the_end();
                }
                busy || draft.is_changed()
            }
            Phase::Failed(_) | Phase::Presented { .. } => false,
        }
    }

    /// Carries out an end that was asked for by a request that is gone.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.close(true) {
            let runtime = self.state.lock().runtime.take();
            let end = commit_slot(self.clone(), None);
            self.context
                .background
                .finish(runtime, Box::pin(async { drop(end.await) }));
        }
    }

    /// Returns what the response must show.
    pub(crate) fn shown(&self) -> Shown {
        let mut state = self.state.lock();
        let cookie = state.cookie.take();
        let signed_in = match &state.phase {
            Phase::Loaded(draft) => draft.principal().is_some(),
            Phase::Failed(_) | Phase::Presented { .. } => false,
        };
        Shown {
            twin_removal: cookie
                .as_ref()
                .filter(|_| state.ambiguous)
                .map(|_| self.context.writer.twin_removal().clone()),
            cookie,
            exposure: match state.used {
                true if signed_in => Some(Exposure::SignedIn),
                true => Some(Exposure::Anonymous),
                false => None,
            },
            refused: state.refused,
        }
    }

    // Waiting for the store.

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
        let (first, others, too_many) = (ids.first(), ids.others(), ids.is_too_many());
        let origin = match ids.is_absent() {
            true if withheld => Origin::Withheld,
            true => Origin::Absent,
            false if too_many => Origin::Unknown,
            false => Origin::Absent,
        };
        let absent = ids.is_absent();
        drop(state);
        match first {
            Some(first) if !too_many => load(&self.context, first, others),
            _ => {
                let reason = if too_many {
                    RejectReason::TooMany
                } else {
                    RejectReason::Malformed
                };
                if !absent {
                    self.context
                        .observe(Event::new(EventKind::Rejected(reason)));
                }
                Loading::Done(Ok(Found::nothing(origin)))
            }
        }
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

    fn take_work(&self, only: Option<&str>) -> Result<Box<Work>, Error> {
        self.state.lock().draft().take_work(only)
    }

    fn settle_commit(
        &self,
        committed: Result<Committed, Failure>,
    ) -> Result<Vec<Operation>, Error> {
        let mut state = self.state.lock();
        match committed {
            Ok(committed) => {
                state.draft().rebase(committed.live, committed.values);
                state.tell(&self.context, committed.cookie);
                Ok(committed.operations)
            }
            Err(failure) => {
                state.tell(&self.context, failure.cookie);
                Err(failure.error)
            }
        }
    }
}

impl State {
    fn draft(&mut self) -> &mut Draft {
        match &mut self.phase {
            Phase::Loaded(draft) => draft,
            Phase::Failed(_) | Phase::Presented { .. } => {
                unreachable!("a `Session` exists only loaded")
            }
        }
    }

    /// Remembers what the browser must be told, and which id it then holds.
    fn tell(&mut self, context: &Context, cookie: Cookie) {
        match cookie {
            Cookie::Forget => {
                self.token = None;
                self.cookie = Some(context.writer.removal().clone());
            }
            Cookie::Keep => {}
            Cookie::Resend { max_age } => {
                self.cookie = self
                    .token
                    .as_ref()
                    .map(|token| context.writer.set(token, max_age));
            }
            Cookie::Set { token, max_age } => {
                self.cookie = Some(context.writer.set(&token, max_age));
                self.token = Some(token);
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

/// Commits what is pending, all of it or what concerns one key. Once begun it is finished, whoever drops it.
pub(crate) struct Commit {
    future: Option<Boxed<Result<Vec<Operation>, Error>>>,
    background: Background,
    runtime: Option<runtime::Handle>,
    begun: bool,
}

impl Commit {
    pub(crate) fn new(slot: Arc<Slot>, only: Option<Box<str>>) -> Self {
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

async fn commit_slot(slot: Arc<Slot>, only: Option<Box<str>>) -> Result<Vec<Operation>, Error> {
    poll_fn(|task| slot.poll_occupy(task)).await;
    let _occupied = Occupied(slot.clone());
    let work = slot.take_work(only.as_deref())?;
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
