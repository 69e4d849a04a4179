//! Carrying out a plan: the only place that writes, apart from a touch.
//!
//! Nothing here brings back what is gone, and nothing is applied twice: an update names the version it was made from,
//! and a statement whose answer was lost is sent once more as it was, never made again.

mod exchange;

use std::{sync::Arc, time::Duration};

use exchange::{Attempt, Exchange, Outcome, is_unknown, refused};

use crate::{
    change::{Live, Operation, Pending, Seen, Then, Work, outcome, replay},
    context::{Context, sleep, within},
    error::{Error, ErrorKind},
    id::{Handle, RandomError, Token},
    lifetime::Lifetime,
    observe::{EndReason, Event, EventKind},
    record::{Header, Identity, Record, Values, Version},
    store::{Created, Loaded, StoreError},
};

/// What a commit has left behind.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) values: Values,
    /// The operations, with the outcomes of the run that was committed.
    pub(crate) operations: Vec<Operation>,
    pub(crate) cookie: Cookie,
}

/// What the browser is to be told.
#[derive(Debug)]
pub(crate) enum Cookie {
    /// It may forget its id.
    Forget,
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

/// Carries out what a request wants.
pub(crate) async fn commit(context: Arc<Context>, work: Box<Work>) -> Result<Committed, Failure> {
    let mut commit = Commit {
        exchange: Exchange::new(context.clone()),
        context,
    };
    if let (true, Some(live), Some(reason)) = (work.plan.delete, &work.live, work.pending.end) {
        commit.end(live.handle, reason).await?;
    }
    let forget = work.plan.forget;
    let committed = match work.plan.then {
        Then::Create { bind } => commit.begin(work, bind).await,
        Then::Nothing => Ok(Committed {
            live: None,
            values: Values::empty(),
            operations: work.operations,
            cookie: Cookie::Keep,
        }),
        Then::Update { rotate, resend } => commit.go_on(work, rotate, resend).await,
    };
    match committed {
        Ok(committed) => Ok(Committed {
            cookie: committed.cookie.or_forget(forget),
            ..committed
        }),
        // What was ended is ended, whatever became of the rest.
        Err(error) => Err(Failure {
            error: commit.report(error),
            cookie: Cookie::Keep.or_forget(forget),
        }),
    }
}

struct Commit {
    context: Arc<Context>,
    exchange: Exchange,
}

impl Commit {
    /// Ends a session, whatever other requests are doing to it.
    async fn end(&mut self, handle: Handle, reason: EndReason) -> Result<(), Failure> {
        match self.exchange.delete(handle).await {
            Ok(true) => self
                .context
                .observe(Event::new(EventKind::Destroyed(reason)).of(handle)),
            Ok(false) => {}
            Err(error) => return Err(self.end_failed(handle, reason, error)),
        }
        Ok(())
    }

    fn end_failed(&self, handle: Handle, reason: EndReason, error: StoreError) -> Failure {
        if reason.is_explicit() {
            let deletion = keep_deleting(self.context.clone(), handle, reason);
            self.context.background.finish(None, Box::pin(deletion));
        }
        Failure {
            error: self.report(refused(error)),
            // Whoever logs out is not shown as signed in because the store is down.
            cookie: Cookie::Keep.or_forget(reason.is_explicit()),
        }
    }

    /// Creates a record, and binds it to a principal: an identity is only ever attached to a record that exists.
    async fn begin(&mut self, work: Box<Work>, bind: bool) -> Result<Committed, Error> {
        let (mut live, token) = self.create(&work.values, work.pending.lifetime).await?;
        if bind {
            live = self.bind(live, &work.pending, &work.values).await?;
        }
        let max_age = self.max_age(&live);
        Ok(work.done(live, Cookie::Set { token, max_age }))
    }

    async fn create(
        &mut self,
        values: &Values,
        lifetime: Option<Lifetime>,
    ) -> Result<(Arc<Live>, Token), Error> {
        let store = self.context.store.clone();
        let expires_in = lifetime.unwrap_or(self.context.lifetime).first_expiry();
        let mut attempt = Attempt::First;
        for _ in 0..MAX_DRAWS {
            let token = Token::draw(self.context.random).map_err(no_random)?;
            let header = Header::new(self.context.hasher.hash(&token), lifetime);
            let record = Record::with_values(self.draw_version()?, &header, values);
            let created = store.create(&token.handle(), &record, expires_in);
            match self.exchange.ask(created, attempt).await {
                Ok(Created::Done(at)) => {
                    let since = self.context.stopwatch();
                    let live =
                        Live::begun(token.handle(), record.version(), header, Seen { at, since });
                    self.context
                        .observe(Event::new(EventKind::Created).of(live.handle));
                    return Ok((Arc::new(live), token));
                }
                Ok(Created::Full) => return Err(Error::new(ErrorKind::Full)),
                Ok(Created::Taken) => {}
                // It may exist: it is made once more under a fresh handle, and the orphan, which nobody has seen and
                // which has no principal, expires.
                Err(error) if is_unknown(&error) && attempt == Attempt::First => {
                    attempt = Attempt::Last;
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Err(Error::new(ErrorKind::Store).with_source("every handle that was drawn is taken"))
    }

    async fn bind(
        &mut self,
        live: Arc<Live>,
        pending: &Pending,
        values: &Values,
    ) -> Result<Arc<Live>, Error> {
        let bound = self.successor(&live, None, pending, self.draw_version()?);
        match self.exchange.replace(&live, &bound, values).await? {
            Outcome::Done => {
                self.observe_change(&bound, pending);
                Ok(bound)
            }
            // Nobody knows this handle yet, so what is not as it was created was evicted or swept.
            Outcome::Conflict(_) | Outcome::Gone => Err(Error::new(ErrorKind::Gone)),
        }
    }

    /// Replaces a record by its successor, and makes the changes again on a fresher one for as long as it takes.
    async fn go_on(
        &mut self,
        mut work: Box<Work>,
        rotate: bool,
        resend: bool,
    ) -> Result<Committed, Error> {
        let context = self.context.clone();
        let mut live = work.live.take().expect("an update is planned for a record");
        let token = rotate
            .then(|| Token::draw_for(live.handle, context.random))
            .transpose()
            .map_err(no_random)?;
        let version = self.draw_version()?;
        let mut conflicts = 0;
        let mut _turn = None;
        loop {
            let next = self.successor(&live, token.as_ref(), &work.pending, version);
            let fresh = match self.exchange.replace(&live, &next, &work.values).await? {
                Outcome::Done => {
                    self.observe_change(&next, &work.pending);
                    let max_age = self.max_age(&next);
                    return Ok(work.done(next, Cookie::after(token, max_age, resend)));
                }
                Outcome::Gone => return Err(Error::new(ErrorKind::Gone)),
                Outcome::Conflict(fresh) => fresh,
            };
            context.observe(Event::new(EventKind::Conflict).of(live.handle));
            live = self.reconcile(&live, &fresh)?;
            let differs = work.replay(&fresh)?;
            let own = work.pending.lifetime.or(live.header.lifetime);
            if !differs && !rotate && own == live.header.lifetime {
                return Ok(work.done(live, Cookie::Keep));
            }
            conflicts += 1;
            if conflicts == CONFLICTS_BEFORE_QUEUE {
                _turn = Some(self.exchange.turn(&context, live.handle).await?);
            }
            self.exchange.check_time()?;
        }
    }

    /// Goes on with a fresher record, if the request's id is still the one that opens it.
    fn reconcile(&self, live: &Live, fresh: &Loaded) -> Result<Arc<Live>, Error> {
        let fresh =
            Live::of(live.handle, fresh, self.context.stopwatch()).map_err(|undecodable| {
                Error::new(ErrorKind::UndecodableRecord).with_source(undecodable)
            })?;
        if !fresh.header.secret.matches(&live.header.secret) {
            return Err(Error::new(ErrorKind::Superseded));
        }
        let lifetime = fresh.header.lifetime.unwrap_or(self.context.lifetime);
        let is_live = lifetime.is_live(fresh.stamps(), fresh.seen.at());
        is_live
            .then(|| Arc::new(fresh))
            .ok_or_else(|| Error::new(ErrorKind::Gone))
    }

    /// Makes the record that follows a live one.
    fn successor(
        &self,
        live: &Live,
        token: Option<&Token>,
        pending: &Pending,
        version: Version,
    ) -> Arc<Live> {
        let now = self.context.now(&live.seen);
        let mut next = live.succeeded_by(version, now);
        let header = &mut next.header;
        if let Some(token) = token {
            header.rotate(self.context.hasher.hash(token), now);
        }
        if let Some(principal) = &pending.login {
            header.identity = Some(Identity {
                principal: principal.clone(),
                authenticated_at: now,
            });
        }
        let rises = token.is_some() || pending.login.is_some();
        header.generation = header.generation.wrapping_add(u64::from(rises));
        header.lifetime = pending.lifetime.or(header.lifetime);
        Arc::new(next)
    }

    fn draw_version(&self) -> Result<Version, Error> {
        let number = self.context.random.draw().map_err(no_random)?;
        Ok(Version::from_u64(u64::from_ne_bytes(number)))
    }

    fn max_age(&self, live: &Live) -> Option<u64> {
        let lifetime = live.header.lifetime.unwrap_or(self.context.lifetime);
        lifetime.max_age(live.stamps(), live.last_seen)
    }

    fn observe_change(&self, live: &Live, pending: &Pending) {
        let kind = match (&pending.login, pending.cycle) {
            (Some(_), _) => EventKind::Authenticated,
            (None, true) => EventKind::Cycled,
            (None, false) => return,
        };
        self.context
            .observe(Event::new(kind).of(live.handle).by(pending.login.as_ref()));
    }

    /// Says what went wrong to those who watch.
    fn report(&self, error: Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::Gone => EventKind::Gone,
            ErrorKind::Superseded => EventKind::Superseded,
            ErrorKind::UndecodableRecord => EventKind::Undecodable,
            ErrorKind::UndecodableValue => EventKind::UndecodableValue,
            ErrorKind::Contended
            | ErrorKind::Full
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Random
            | ErrorKind::Store => EventKind::StoreFailed,
            _ => return error,
        };
        self.context.observe(Event::new(kind).because(&error));
        error
    }
}

impl Work {
    /// Makes the changes again on a fresher record; tells whether they make a difference there.
    fn replay(&mut self, fresh: &Loaded) -> Result<bool, Error> {
        let fresh = fresh.record.shared_values();
        replay(&mut self.operations, &fresh)?;
        let outcome = outcome(&fresh, &self.operations)?;
        let differs = outcome.is_some();
        self.values = outcome.unwrap_or(fresh);
        Ok(differs)
    }

    fn done(self, live: Arc<Live>, cookie: Cookie) -> Committed {
        Committed {
            live: Some(live),
            values: self.values,
            operations: self.operations,
            cookie,
        }
    }
}

impl Cookie {
    fn after(token: Option<Token>, max_age: Option<u64>, resend: bool) -> Self {
        match token {
            Some(token) => Self::Set { token, max_age },
            None if resend => Self::Resend { max_age },
            None => Self::Keep,
        }
    }

    /// Tells the browser to forget its id, unless it is told a new one.
    fn or_forget(self, forget: bool) -> Self {
        match self {
            Self::Keep if forget => Self::Forget,
            told => told,
        }
    }
}

/// Goes on trying to delete a session whose user was told that it has ended.
async fn keep_deleting(context: Arc<Context>, handle: Handle, reason: EndReason) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..MAX_DELETIONS {
        sleep(pause).await;
        if within(context.commit_timeout, context.store.delete(&handle))
            .await
            .is_ok()
        {
            return context.observe(Event::new(EventKind::Destroyed(reason)).of(handle));
        }
        pause *= 2;
    }
    let error = Error::new(ErrorKind::Store)
        .with_source("a session that was logged out could not be deleted");
    context.observe(
        Event::new(EventKind::StoreFailed)
            .of(handle)
            .because(&error),
    );
}

fn no_random(error: RandomError) -> Error {
    Error::new(ErrorKind::Random).with_source(error)
}

/// A handle has 128 random bits: a store that has taken several of them in a row is broken.
const MAX_DRAWS: usize = 8;

/// Two requests of one page get into each other's way now and then; more conflicts are a crowd.
const CONFLICTS_BEFORE_QUEUE: usize = 2;

/// Half a second, doubled seven times: the deletion is tried for about a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_DELETIONS: usize = 7;
