//! Replacing a record by its successor, on a fresher one for as long as it takes.

use super::{
    Attempt, Commit, Cookie, Next, Step as CommitStep, is_unknown, no_random, refused, unknown,
};
use crate::{
    change::{Live, Step, Then, Work},
    context::Turn,
    error::{Error, ErrorKind},
    id::{Handle, SecretHash, Token},
    observe::{Event, EventKind},
    record::{Header, Version},
    store::{Loaded, StoreError, Updated},
};

/// A record that is to be replaced.
pub(super) struct Replacing {
    /// The id with the successor's secret, or with that of a record that is being bound.
    token: Option<Token>,
    /// The version of the successor.
    version: Version,
    /// The version that the successor is made from.
    expected: Version,
    /// What the request's id has to open for the request to write.
    secret: SecretHash,
    conflicts: usize,
    /// An answer was lost: what the store says of this update from now on may have two meanings.
    lost: bool,
    /// Held while this commit's turn lasts.
    turn: Option<Turn>,
}

impl Replacing {
    pub(super) const fn attempt(&self) -> Attempt {
        match self.lost {
            true => Attempt::Last,
            false => Attempt::First,
        }
    }

    fn failed(&self, error: StoreError) -> Error {
        match self.lost {
            true => unknown(error),
            false => refused(error),
        }
    }
}

impl Commit {
    /// Replaces the record that was loaded.
    pub(super) fn update(&mut self, rotate: bool) -> Result<Next, Error> {
        let handle = self.live().handle;
        let token = rotate
            .then(|| Token::draw_for(handle, self.context.random))
            .transpose()
            .map_err(no_random)?;
        let replacing = self.replacing(token)?;
        self.replace(replacing)
    }

    /// Binds a record that was created just now to its principal.
    pub(super) fn bind(&mut self, live: Live, token: Token) -> Result<Next, Error> {
        self.work.live = Some(live);
        let replacing = self.replacing(Some(token))?;
        self.replace(replacing)
    }

    fn replacing(&self, token: Option<Token>) -> Result<Replacing, Error> {
        let live = self.live();
        Ok(Replacing {
            token,
            version: self.draw_version()?,
            expected: live.record.version(),
            secret: live.header().secret,
            conflicts: 0,
            lost: false,
            turn: None,
        })
    }

    /// Makes the successor of the record and sends it, unless the record is already what it would become.
    fn replace(&mut self, replacing: Replacing) -> Result<Next, Error> {
        let is_binding = self.is_binding();
        let Work {
            live: Some(live),
            edits,
            pending,
            ..
        } = &mut self.work
        else {
            unreachable!("there is a record to replace")
        };
        let secret = replacing.token.as_ref().filter(|_| !is_binding);
        let step = Step {
            version: replacing.version,
            now: self.context.now(&live.seen),
            secret: secret.map(|token| self.context.hasher.hash(token)),
            login: pending.login.as_ref(),
            lifetime: pending.lifetime,
        };
        if !edits.differs && !step.changes(&live.header()) {
            return Ok(self.done(Cookie::Keep));
        }
        live.succeed(&step, &edits.values);
        self.send(replacing)
    }

    fn send(&self, replacing: Replacing) -> Result<Next, Error> {
        let next = self.live();
        let header = next.header();
        let lifetime = header.lifetime.unwrap_or(self.context.lifetime);
        let stamps = header.stamps(next.created, next.last_seen);
        let expires_in = lifetime
            .expires_in(stamps, next.last_seen)
            .ok_or_else(|| Error::new(ErrorKind::Gone))?;
        let answer =
            self.context
                .store
                .update(&next.handle, replacing.expected, &next.record, expires_in);
        Ok(Next::Step(CommitStep::Replace(replacing, answer)))
    }

    pub(super) fn replaced(
        &mut self,
        mut replacing: Replacing,
        updated: Result<Updated, StoreError>,
    ) -> Result<Next, Error> {
        match updated {
            Ok(Updated::Done) => Ok(self.finish(replacing)),
            Ok(Updated::Gone) => Err(Error::new(ErrorKind::Gone)),
            Ok(Updated::Conflict(Some(fresh))) => self.compare(replacing, Some(fresh)),
            Ok(Updated::Conflict(None)) => {
                let fresh = self.context.store.load(&self.live().handle);
                Ok(Next::Step(CommitStep::Look(replacing, fresh)))
            }
            Err(error) if is_unknown(&error) && !replacing.lost => {
                let event = Event::new(EventKind::StoreFailed).of(self.live().handle);
                self.context.observe(event.because(&error));
                replacing.lost = true;
                self.send(replacing)
            }
            Err(error) => Err(replacing.failed(error)),
        }
    }

    pub(super) fn looked(
        &mut self,
        replacing: Replacing,
        fresh: Result<Option<Loaded>, StoreError>,
    ) -> Result<Next, Error> {
        match fresh {
            Ok(fresh) => self.compare(replacing, fresh),
            Err(error) => Err(replacing.failed(error)),
        }
    }

    /// Compares what is in the store with what this commit wanted to be there.
    fn compare(&mut self, replacing: Replacing, fresh: Option<Loaded>) -> Result<Next, Error> {
        match fresh {
            Some(fresh) if fresh.record.version() == replacing.version => {
                Ok(self.finish(replacing))
            }
            // Another request has written since, on ours or instead of it: nobody knows.
            Some(_) if replacing.lost => Err(Error::new(ErrorKind::OutcomeUnknown)),
            Some(fresh) if !self.is_binding() => self.replay(replacing, fresh),
            // Nobody knows the handle of a record that is being bound, so what is not as it was created was evicted.
            Some(_) | None => Err(Error::new(ErrorKind::Gone)),
        }
    }

    /// Makes the changes again on a fresher record.
    fn replay(&mut self, mut replacing: Replacing, fresh: Loaded) -> Result<Next, Error> {
        let handle = self.live().handle;
        self.context
            .observe(Event::new(EventKind::Conflict).of(handle));
        let fresh = self.reconcile(handle, &replacing.secret, fresh)?;
        self.work.edits.replay(&fresh.record.shared_values())?;
        replacing.expected = fresh.record.version();
        replacing.conflicts += 1;
        self.work.live = Some(fresh);
        if self.patience.remaining().is_zero() {
            return Err(Error::new(ErrorKind::Contended));
        }
        if replacing.conflicts == CONFLICTS_BEFORE_QUEUE {
            let turn = self.context.queues.turn(handle);
            let turn = Box::pin(async { Ok(turn.await) });
            return Ok(Next::Step(CommitStep::Queue(replacing, turn)));
        }
        self.replace(replacing)
    }

    pub(super) fn have_turn(
        &mut self,
        mut replacing: Replacing,
        turn: Result<Turn, StoreError>,
    ) -> Result<Next, Error> {
        let contended = |_| Error::new(ErrorKind::Contended);
        replacing.turn = Some(turn.map_err(contended)?);
        self.replace(replacing)
    }

    /// Goes on with a fresher record, if the request's id is still the one that opens it.
    fn reconcile(&self, handle: Handle, secret: &SecretHash, fresh: Loaded) -> Result<Live, Error> {
        let header = Header::decode(fresh.record.header())
            .map_err(|cause| Error::new(ErrorKind::UndecodableRecord).with_source(cause))?;
        if !header.secret.matches(secret) {
            return Err(Error::new(ErrorKind::Superseded));
        }
        let lifetime = header.lifetime.unwrap_or(self.context.lifetime);
        let stamps = header.stamps(fresh.created, fresh.last_seen);
        match lifetime.is_live(stamps, fresh.now) {
            true => Ok(Live::of(handle, fresh, self.context.stopwatch())),
            false => Err(Error::new(ErrorKind::Gone)),
        }
    }

    fn finish(&mut self, replacing: Replacing) -> Next {
        let next = self.live();
        if let Some(kind) = self.work.pending.event() {
            let event = Event::new(kind).of(next.handle);
            self.context
                .observe(event.by(self.work.pending.login.as_ref()));
        }
        let cookie = match (replacing.token, self.work.plan.then) {
            (Some(token), _) => Cookie::Set {
                token,
                max_age: self.max_age(next),
            },
            (None, Then::Update { resend: true, .. }) => Cookie::Resend {
                max_age: self.max_age(next),
            },
            (None, _) => Cookie::Keep,
        };
        self.done(cookie)
    }

    /// Returns the record that was loaded or created, or the successor that is on its way.
    fn live(&self) -> &Live {
        let live = self.work.live.as_ref();
        live.expect("there is a record to replace")
    }

    const fn is_binding(&self) -> bool {
        matches!(self.work.plan.then, Then::Create { .. })
    }
}

/// Two requests of one page get into each other's way now and then; more conflicts are a crowd.
const CONFLICTS_BEFORE_QUEUE: usize = 2;
