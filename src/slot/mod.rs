//! A request's place for its session: one lock, one state.

mod commit;
mod load;
mod show;

use std::{
    fmt,
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

pub(crate) use commit::Commit;
use commit::Unguarded;
use http::HeaderValue;
pub(crate) use load::Load;
pub(crate) use show::Shown;
use tokio::runtime;

use crate::{
    change::Draft,
    context::{Context, OnFailure},
    cookie::{Presented, Transport},
    error::{Error, ErrorKind},
    id::Token,
    label::Label,
    observe::{Event, EventKind, PeerKey, RejectReason},
    principal::Realm,
    sync::Mutex,
};

/// What a layer, the extractors and the response of one request share.
#[derive(Debug)]
pub(crate) struct Slot {
    context: Arc<Context>,
    client: Client,
    state: Mutex<State>,
}

/// Who has sent a request, as far as the layer's settings ask.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// How it keeps its id.
    pub(crate) transport: Transport,
    /// Where it comes from, if ids from there are counted.
    pub(crate) peer: Option<PeerKey>,
    /// What the label of a login is made of.
    pub(crate) device: Option<HeaderValue>,
    /// It is a live connection: there is no response that would commit what it does.
    pub(crate) is_detached: bool,
}

/// Everything that a request knows of its session.
#[derive(Debug)]
struct State {
    phase: Phase,
    /// Somebody is waiting for the store on behalf of this request, and these wait for him.
    busy: bool,
    waiting: Vec<Waker>,
    /// The handler has returned.
    closed: bool,
}

#[derive(Debug)]
enum Phase {
    Failed(ErrorKind),
    Loaded(Open),
    Presented { ids: Presented, withheld: bool },
}

/// A session that is loaded, and what its request has to do with it.
#[derive(Debug)]
struct Open {
    draft: Box<Draft>,
    /// The id that the browser holds, as far as this request knows.
    token: Option<Token>,
    /// The request brought several values under our name.
    ambiguous: bool,
    /// What the browser must be told because a commit has done it.
    cookie: Option<HeaderValue>,
    /// A commit has ended the session for its user, and none has begun another.
    signed_out: bool,
    /// Something about the session was asked for or changed.
    used: bool,
    /// A change was refused for what the request is; a handler that ignores it does not get away with it.
    refused: Option<ErrorKind>,
    /// Where an end is carried out if the request goes away; boxed, because few requests end a session and all have a place.
    runtime: Option<Box<runtime::Handle>>,
}

/// What has become of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered 5xx or 408, or with an error.
    Failure,
    /// Its client went away.
    Left,
    Success,
}

/// What is left to do when the handler has returned.
pub(crate) enum Closed {
    /// There may be something to commit.
    Commit,
    Show(Shown),
    /// Nobody asked for the session.
    Unused,
}

impl Slot {
    pub(crate) fn new(
        context: Arc<Context>,
        ids: Presented,
        withheld: bool,
        client: Client,
    ) -> Self {
        Self::in_phase(context, client, Phase::Presented { ids, withheld })
    }

    /// Makes a place for what a live connection asks and does.
    pub(crate) fn detached(context: Arc<Context>, draft: Draft) -> Self {
        let client = Client {
            is_detached: true,
            ..Client::default()
        };
        Self::in_phase(context, client, Phase::of(draft))
    }

    /// Makes a place whose session is loaded, for tests of handlers.
    pub(crate) fn loaded(context: Arc<Context>, draft: Draft) -> Self {
        Self::in_phase(context, Client::default(), Phase::of(draft))
    }

    const fn in_phase(context: Arc<Context>, client: Client, phase: Phase) -> Self {
        Self {
            context,
            client,
            state: Mutex::new(State::of(phase)),
        }
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.client.transport
    }

    // For handlers.

    /// Asks something about the session.
    pub(crate) fn ask<R>(&self, question: impl FnOnce(&mut Draft) -> R) -> R {
        let mut state = self.state.lock();
        let open = state.open();
        open.used = true;
        question(&mut open.draft)
    }

    /// Changes the session, unless it is too late.
    pub(crate) fn change<R>(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut state = self.state.lock();
        let closed = state.closed;
        let open = state.open();
        open.used = true;
        if closed {
            return Err(Error::new(ErrorKind::AfterResponse));
        }
        let changed = change(&mut open.draft);
        if let Err(error) = &changed
            && matches!(error.kind(), ErrorKind::CrossSite | ErrorKind::Superseded)
        {
            open.refused = Some(error.kind());
        }
        let forgotten = open.draft.take_forgotten();
        drop(state);
        drop(forgotten);
        changed.inspect_err(|error| self.observe_refusal(error))
    }

    /// Makes the label of a login, by the application's code.
    pub(crate) fn label(&self) -> Option<Label> {
        let source = self.context.label_source.as_ref();
        let (source, device) = source.zip(self.client.device.as_ref())?;
        Some(source.label(device))
    }

    /// Remembers where an end is to be carried out if the request goes away.
    pub(crate) fn remember_runtime(&self) {
        let runtime = runtime::Handle::try_current().ok().map(Box::new);
        self.state.lock().open().runtime = runtime;
    }

    pub(crate) fn allow_cross_site(&self) -> Result<(), Error> {
        self.change(|draft| {
            draft.allow_cross_site();
            Ok(())
        })?;
        // What was refused before can be done now, and its caller was told.
        let mut state = self.state.lock();
        let refused = &mut state.open().refused;
        refused.take_if(|kind| *kind == ErrorKind::CrossSite);
        Ok(())
    }

    /// Adds what may be printed.
    pub(crate) fn describe<'a, 'b, 'c>(
        &self,
        debug: &'c mut fmt::DebugStruct<'a, 'b>,
    ) -> &'c mut fmt::DebugStruct<'a, 'b> {
        match &self.state.lock().phase {
            Phase::Loaded(open) => debug
                .field("handle", &open.draft.current().map(|live| live.handle))
                .field("principal", &open.draft.principal().map(Realm::leave))
                .field("origin", &open.draft.origin()),
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

    /// Closes the session to changes, and drops those of a handler that failed.
    pub(crate) fn close(&self, outcome: Outcome) -> Closed {
        let mut state = self.state.lock();
        state.closed = true;
        let busy = state.busy;
        let Phase::Loaded(open) = &mut state.phase else {
            return Closed::Unused;
        };
        match outcome {
            Outcome::Failure => open.draft.do_without_another_id(),
            Outcome::Left => open.draft.do_without_upkeep(),
            Outcome::Success => {}
        }
        let is_kept = match outcome {
            Outcome::Failure => self.context.on_failure == OnFailure::Commit,
            Outcome::Left => false,
            Outcome::Success => true,
        };
        if !is_kept {
            open.draft.keep_only_the_end();
        }
        let forgotten = open.draft.take_forgotten();
        let closed = match busy || open.draft.is_changed_or_due() {
            true => Closed::Commit,
            false => Closed::Show(open.shown(self)),
        };
        drop(state);
        drop(forgotten);
        closed
    }

    /// Carries out an end that was asked for by a request that is gone.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if matches!(self.close(Outcome::Left), Closed::Commit) {
            let runtime = self.state.lock().open().runtime.take();
            let end = Unguarded::new(self.clone(), None);
            self.context
                .background
                .finish(runtime.map(|runtime| *runtime), end);
        }
    }

    // For those who wait for the store.

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

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.client.is_detached {
            return;
        }
        let mut state = self.state.lock();
        let draft = &state.open().draft;
        if draft.is_changed() {
            let event = Event::new(EventKind::Uncommitted);
            let handle = draft.current().map(|live| live.handle);
            drop(state);
            self.context.observe(match handle {
                Some(handle) => event.of(handle),
                None => event,
            });
        }
    }
}

impl Phase {
    fn of(draft: Draft) -> Self {
        Self::Loaded(Open::new(Box::new(draft), None, false))
    }
}

impl State {
    const fn of(phase: Phase) -> Self {
        Self {
            phase,
            busy: false,
            waiting: Vec::new(),
            closed: false,
        }
    }

    /// Lets a task wait until nobody is busy.
    fn wait<T>(&mut self, task: &Task<'_>) -> Poll<T> {
        if !self
            .waiting
            .iter()
            .any(|known| known.will_wake(task.waker()))
        {
            self.waiting.push(task.waker().clone());
        }
        Poll::Pending
    }

    fn open(&mut self) -> &mut Open {
        match &mut self.phase {
            Phase::Loaded(open) => open,
            Phase::Failed(_) | Phase::Presented { .. } => {
                unreachable!("a `Session` exists only loaded")
            }
        }
    }
}

impl Open {
    const fn new(draft: Box<Draft>, token: Option<Token>, ambiguous: bool) -> Self {
        Self {
            draft,
            token,
            ambiguous,
            cookie: None,
            signed_out: false,
            used: false,
            refused: None,
            runtime: None,
        }
    }
}
