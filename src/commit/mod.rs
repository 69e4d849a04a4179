//! Carrying out a plan: the only place that writes, apart from a touch.
//!
//! Nothing here brings back what is gone, and nothing is applied twice: an update names the version it was made from,
//! and a statement whose answer was lost is sent once more as it was, never made again.
//!
//! A commit is a state machine and not an `async` function: where the store answers at once it neither allocates nor
//! waits, and that is most of what a write costs in process.

mod admission;
mod ending;
mod patience;
mod replacing;

use std::{
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use admission::Admitting;
use patience::{Attempt, Patience};
use replacing::{Change, Replacing};

use crate::{
    change::{Live, Pending, Seen, Then, Work},
    clock,
    context::{Boxed, Context, Turn},
    error::{Error, ErrorKind},
    guard::{First, Opened, Unmade},
    id::{RandomError, SecretHash, Token},
    label::Label,
    meter,
    observe::{Event, EventKind},
    record::{Header, Record, Version},
    store::{Answer, Created, Entry, Later, Loaded, StoreError, StoreErrorKind, Updated},
};

/// What a commit has left behind.
#[derive(Debug)]
pub(crate) struct Committed {
    /// The record, and what was done to the values, with the outcome of the run that was committed.
    pub(crate) work: Box<Work>,
    pub(crate) cookie: Cookie,
}

/// What the browser is to be told.
#[derive(Debug)]
pub(crate) enum Cookie {
    /// It may forget its id.
    Forget {
        /// Its user has ended the session, and the store has said that it is gone.
        ended: bool,
    },
    Keep,
    /// Its id as it is, with another life.
    Resend {
        max_age: Option<u64>,
    },
    Set {
        token: Token,
        max_age: Option<u64>,
    },
}

/// Why nothing was committed, and what the browser is to be told all the same.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) cookie: Cookie,
}

/// A commit under way.
pub(crate) struct Commit {
    context: Arc<Context>,
    /// At the end it is what the commit has left behind.
    work: Box<Work>,
    patience: Patience,
    /// What the index was told of a login, and is to forget if it fails.
    entered: Option<Entry>,
    /// The store has said that the session is gone.
    is_gone: bool,
    step: Step,
}

/// What a commit waits for.
enum Step {
    /// A login asks to be let in.
    Admit(Change, Admitting),
    Begin,
    /// A session is to be ended if it is still of a generation.
    Check(u64, Answer<Option<Loaded>>),
    Create(Creating, Later<Created>),
    Delete(Attempt, Answer<bool>),
    /// It is over, or between two steps.
    Done,
    /// An update has conflicted, and the store did not say with what.
    Look(Replacing, Answer<Option<Loaded>>),
    /// Others are committing to the same session, and this one is to come after them.
    Queue(Change, Boxed<Result<Turn, StoreError>>),
    Replace(Replacing, Answer<Updated>),
}

/// What follows a step.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would cost each step an allocation"
)]
enum Next {
    Done(Cookie),
    Step(Step),
}

/// A record that is to be created under a fresh id.
struct Creating {
    token: Token,
    secret: SecretHash,
    record: Record,
    opened: Option<Opened>,
    attempt: Attempt,
    draws: usize,
}

impl Commit {
    pub(crate) fn new(context: Arc<Context>, work: Box<Work>) -> Self {
        Self {
            patience: Patience::new(context.commit_timeout),
            context,
            work,
            entered: None,
            is_gone: false,
            step: Step::Begin,
        }
    }

    /// Returns what it has left behind, once it is done.
    pub(crate) fn committed(self: Box<Self>, cookie: Cookie) -> Committed {
        Committed {
            work: self.work,
            cookie,
        }
    }

    /// Goes on for as long as the store answers.
    pub(crate) fn poll(&mut self, task: &mut Task<'_>) -> Poll<Result<Cookie, Failure>> {
        let mut step = std::mem::replace(&mut self.step, Step::Done);
        let committed = loop {
            match ready!(self.poll_step(step, task)) {
                Ok(Next::Step(next)) => step = next,
                Ok(Next::Done(cookie)) => break Ok(cookie),
                Err(error) => break Err(error),
            }
        };
        let forget = self.work.plan.forget.then(|| self.forget());
        let outcome = committed.as_ref().map(drop).map_err(Error::kind);
        meter::commit(outcome, &self.context.cookie_name);
        Poll::Ready(match committed {
            Ok(cookie) => Ok(cookie.or_forget(forget)),
            // Whoever came to read has read.
            Err(error) if self.work.is_upkeep_alone() => {
                // Whoever ended it meanwhile has told of that, and nothing is left to renew.
                if error.kind() != ErrorKind::Gone {
                    self.renewal_failed(&error);
                }
                Ok(Cookie::Keep)
            }
            Err(error) => {
                self.forsake_a_failed_login();
                self.withdraw_a_failed_login(&error);
                Err(Failure {
                    error: self.report(error),
                    // What was ended is ended, whatever became of the rest.
                    cookie: Cookie::Keep.or_forget(forget),
                })
            }
        })
    }

    fn poll_step(&mut self, step: Step, task: &mut Task<'_>) -> Poll<Result<Next, Error>> {
        Poll::Ready(match step {
            Step::Admit(change, mut answer) => {
                let Poll::Ready(verdict) = self.patience.poll(Attempt::Last, &mut answer, task)
                else {
                    return self.wait_for(Step::Admit(change, answer));
                };
                self.admitted(change, verdict)
            }
            Step::Begin => self.begin(),
            Step::Check(generation, mut answer) => {
                let Poll::Ready(loaded) = self.patience.poll(Attempt::Last, &mut answer, task)
                else {
                    return self.wait_for(Step::Check(generation, answer));
                };
                self.checked(generation, loaded)
            }
            Step::Create(creating, mut answer) => {
                let Poll::Ready(created) = self.patience.poll(creating.attempt, &mut answer, task)
                else {
                    return self.wait_for(Step::Create(creating, answer));
                };
                self.created(creating, created)
            }
            Step::Delete(attempt, mut answer) => {
                let Poll::Ready(deleted) = self.patience.poll(attempt, &mut answer, task) else {
                    return self.wait_for(Step::Delete(attempt, answer));
                };
                self.is_gone = deleted.is_ok();
                self.deleted(attempt, deleted)
            }
            Step::Look(replacing, mut answer) => {
                let Poll::Ready(fresh) = self.patience.poll(Attempt::Last, &mut answer, task)
                else {
                    return self.wait_for(Step::Look(replacing, answer));
                };
                self.looked(replacing, fresh)
            }
            Step::Queue(change, mut answer) => {
                let Poll::Ready(turn) = self.patience.poll(Attempt::Last, &mut answer, task) else {
                    return self.wait_for(Step::Queue(change, answer));
                };
                self.have_turn(change, turn)
            }
            Step::Replace(replacing, mut answer) => {
                let Poll::Ready(updated) =
                    self.patience.poll(replacing.attempt(), &mut answer, task)
                else {
                    return self.wait_for(Step::Replace(replacing, answer));
                };
                self.replaced(replacing, updated)
            }
            Step::Done => unreachable!("a commit is polled until it is done"),
        })
    }

    fn wait_for<T>(&mut self, step: Step) -> Poll<T> {
        self.step = step;
        Poll::Pending
    }

    fn begin(&mut self) -> Result<Next, Error> {
        match self.work.plan.delete {
            true => Ok(Next::Step(self.end())),
            false => self.go_on(),
        }
    }

    /// Does what is to be done besides ending a session.
    fn go_on(&mut self) -> Result<Next, Error> {
        match self.work.plan.then {
            Then::Create { .. } => self.create(Attempt::First, 1),
            Then::Nothing => {
                self.work.live = None;
                Ok(Next::Done(Cookie::Keep))
            }
            Then::Update { rotate, renew, .. } => self.update(rotate, renew),
        }
    }

    fn create(&mut self, attempt: Attempt, draws: usize) -> Result<Next, Error> {
        let token = Token::draw(self.context.random).map_err(no_random)?;
        let lifetime = self.work.pending.lifetime;
        let secret = self.context.guard.hash(&token);
        let mut header = Header::new(secret, lifetime);
        header.labelled = self.work.pending.label.as_ref().map(Label::as_str);
        let version = self.draw_version()?;
        let first = First {
            token: &token,
            version,
            header,
            values: &self.work.edits.values,
        };
        let made = self.context.guard.create(first, self.context.random);
        let (record, opened) = made.map_err(unmade)?;
        let expires_in = lifetime.unwrap_or(self.context.lifetime).first_expiry();
        let answer = self
            .context
            .store
            .create(&token.handle(), &record, expires_in);
        let creating = Creating {
            token,
            secret,
            record,
            opened,
            attempt,
            draws,
        };
        match answer.split() {
            Ok(created) => self.created(creating, created),
            Err(later) => Ok(Next::Step(Step::Create(creating, later))),
        }
    }

    fn created(
        &mut self,
        creating: Creating,
        created: Result<Created, StoreError>,
    ) -> Result<Next, Error> {
        match created {
            Ok(Created::Done(at)) => {
                let since = self.context.stopwatch();
                let (live, token) = creating.done(Seen { at, since });
                self.context
                    .observe(Event::new(EventKind::Created).of(live.handle));
                self.begun(live, token)
            }
            Ok(Created::Full) => Err(Error::new(ErrorKind::Full)),
            Ok(Created::Taken) if creating.draws < MAX_DRAWS => {
                self.create(creating.attempt, creating.draws + 1)
            }
            Ok(Created::Taken) => {
                let source = "every handle that was drawn is taken";
                Err(Error::new(ErrorKind::Store).with_source(source))
            }
            // It may exist: it is made once more under a fresh handle, and the orphan, which nobody has seen and
            // which has no principal, expires.
            Err(error) if is_unknown(&error) && creating.attempt == Attempt::First => {
                self.create(Attempt::Last, creating.draws)
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// Goes on from a record that was created: an identity is only ever attached to one that exists.
    fn begun(&mut self, live: Live, token: Token) -> Result<Next, Error> {
        if let Then::Create { bind: true } = self.work.plan.then {
            return self.bind(live, token);
        }
        let max_age = self.max_age(&live);
        self.work.live = Some(live);
        Ok(Next::Done(Cookie::Set { token, max_age }))
    }

    /// Says that the id is forgotten, and whether there was a session whose user has ended it.
    fn forget(&self) -> Cookie {
        let end = self.work.pending.end.filter(|end| end.is_explicit());
        Cookie::Forget {
            ended: self.is_gone && end.is_some(),
        }
    }

    fn draw_version(&self) -> Result<Version, Error> {
        let number = self.context.random.draw_number(clock::nanos());
        Ok(Version::from_u64(number.map_err(no_random)?))
    }

    fn max_age(&self, live: &Live) -> Option<u64> {
        let header = live.header();
        let lifetime = header.lifetime.unwrap_or(self.context.lifetime);
        lifetime.max_age(header.stamps(live.created, live.last_seen), live.last_seen)
    }

    fn renewal_failed(&self, error: &Error) {
        let event = Event::new(EventKind::RenewalFailed).because(error);
        self.context.observe(match &self.work.live {
            Some(live) => event.of(live.handle),
            None => event,
        });
    }

    /// Says what went wrong to those who watch.
    fn report(&self, error: Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::Gone => EventKind::Gone,
            ErrorKind::CredentialsChanged => EventKind::LoginRefused,
            ErrorKind::Superseded => EventKind::Superseded,
            ErrorKind::TooManySessions => EventKind::TooManySessions,
            ErrorKind::UndecodableRecord => EventKind::Undecodable,
            ErrorKind::UndecodableValue => EventKind::UndecodableValue,
            ErrorKind::Contended
            | ErrorKind::Full
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Random
            | ErrorKind::Store => EventKind::StoreFailed,
            _ => return error,
        };
        let is_refused = matches!(kind, EventKind::LoginRefused | EventKind::TooManySessions);
        let login = self.work.pending.login.as_ref().filter(|_| is_refused);
        let event = Event::new(kind).by(login).because(&error);
        self.context.observe(match &self.work.live {
            Some(live) => event.of(live.handle),
            None => event,
        });
        error
    }
}

impl Creating {
    fn done(self, seen: Seen) -> (Live, Token) {
        let made = (self.record, self.opened);
        let live = Live::begun(self.token.handle(), made, self.secret, seen);
        (live, self.token)
    }
}

impl Cookie {
    /// Tells the browser to forget its id, unless it is told a new one.
    fn or_forget(self, forget: Option<Self>) -> Self {
        match self {
            Self::Keep => forget.unwrap_or(Self::Keep),
            told => told,
        }
    }
}

impl Pending {
    /// Returns what is to be told of a change of rights.
    fn event(&self) -> Option<EventKind> {
        match (&self.login, self.cycle || self.begin.is_some()) {
            (Some(_), _) => Some(EventKind::Authenticated),
            (None, true) => Some(EventKind::Cycled),
            (None, false) => None,
        }
    }
}

fn is_unknown(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Unknown
}

fn unknown(error: StoreError) -> Error {
    Error::new(ErrorKind::OutcomeUnknown).with_source(error)
}

fn refused(error: StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Corrupt => ErrorKind::UndecodableRecord,
        StoreErrorKind::Full => ErrorKind::Full,
        StoreErrorKind::Unavailable => ErrorKind::Store,
        StoreErrorKind::Unknown => ErrorKind::OutcomeUnknown,
    };
    Error::new(kind).with_source(error)
}

fn unmade(error: Unmade) -> Error {
    match error {
        Unmade::KeyDropped => Error::new(ErrorKind::Gone),
        Unmade::Random(error) => no_random(error),
    }
}

fn no_random(error: RandomError) -> Error {
    Error::new(ErrorKind::Random).with_source(error)
}

/// A handle has 128 random bits: a store that has taken several of them in a row is broken.
const MAX_DRAWS: usize = 8;
