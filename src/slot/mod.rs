//! A request's place for its session: one lock, one state.

mod waiting;

use std::{fmt, sync::Arc, task::Waker};

use http::HeaderValue;
use tokio::runtime;
pub(crate) use waiting::{Commit, Load};

use crate::{
    caching::Exposure,
    change::Draft,
    commit::Cookie,
    context::Context,
    cookie::Presented,
    error::{Error, ErrorKind},
    id::Token,
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
struct State {
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
        })?;
        // What was refused before can be done now, and its caller was told.
        let refused = &mut self.state.lock().refused;
        refused.take_if(|kind| *kind == ErrorKind::CrossSite);
        Ok(())
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
            let end = waiting::commit_slot(self.clone(), None);
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
