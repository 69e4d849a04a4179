//! Replacing a record by its successor, on a fresher one for as long as it takes.

use super::{
    Attempt, Commit, Cookie, Next, Step as CommitStep, is_unknown, no_random, refused, unknown,
};
use crate::{
    change::{Live, Step, Then},
    context::Turn,
    error::{Error, ErrorKind},
    id::Token,
    observe::{Event, EventKind},
    record::Version,
    store::{Loaded, StoreError, Updated},
};

/// A record that is to be replaced.
pub(super) struct Replacing {
    live: Live,
    /// The id with the successor's secret, or with that of a record that is being bound.
    token: Option<Token>,
    version: Version,
    conflicts: usize,
    /// Held while this commit's turn lasts.
    turn: Option<Turn>,
}

/// An update that was sent.
pub(super) struct Sent {
    replacing: Replacing,
    next: Live,
    /// An answer was lost: what the store says of this update from now on may have two meanings.
    lost: bool,
}

impl Sent {
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
        let live = self.work.live.take();
        let live = live.expect("an update is planned for a record");
        let token = rotate
            .then(|| Token::draw_for(live.handle, self.context.random))
            .transpose()
            .map_err(no_random)?;
        let replacing = self.replacing(live, token)?;
        self.replace(replacing)
    }

    /// Binds a record that was created just now to its principal.
    pub(super) fn bind(&mut self, live: Live, token: Token) -> Result<Next, Error> {
        let replacing = self.replacing(live, Some(token))?;
        self.replace(replacing)
    }

    fn replacing(&self, live: Live, token: Option<Token>) -> Result<Replacing, Error> {
        Ok(Replacing {
            live,
            token,
            version: self.draw_version()?,
            conflicts: 0,
            turn: None,
        })
    }

    /// Makes the successor of a record and sends it, unless the record is already what it would become.
    fn replace(&mut self, replacing: Replacing) -> Result<Next, Error> {
        let live = &replacing.live;
        let secret = replacing.token.as_ref().filter(|_| !self.is_binding());
        let step = Step {
            version: replacing.version,
            now: self.context.now(&live.seen),
            secret: secret.map(|token| self.context.hasher.hash(token)),
            login: self.work.pending.login.as_ref(),
            lifetime: self.work.pending.lifetime,
        };
        if !self.work.edits.differs && !step.changes(&live.header) {
            return Ok(self.done(Some(replacing.live), Cookie::Keep));
        }
        let sent = Sent {
            next: live.succeeded_by(&step, &self.work.edits.values),
            replacing,
            lost: false,
        };
        self.send(sent)
    }

    fn send(&self, sent: Sent) -> Result<Next, Error> {
        let (live, next) = (&sent.replacing.live, &sent.next);
        let lifetime = next.header.lifetime.unwrap_or(self.context.lifetime);
        let expires_in = lifetime
            .expires_in(next.stamps(), next.last_seen)
            .ok_or_else(|| Error::new(ErrorKind::Gone))?;
        let expected = live.record.version();
        let answer = self
            .context
            .store
            .update(&live.handle, expected, &next.record, expires_in);
        Ok(Next::Step(CommitStep::Replace(sent, answer)))
    }

    pub(super) fn replaced(
        &mut self,
        mut sent: Sent,
        updated: Result<Updated, StoreError>,
    ) -> Result<Next, Error> {
        match updated {
            Ok(Updated::Done) => Ok(self.finish(sent)),
            Ok(Updated::Gone) => Err(Error::new(ErrorKind::Gone)),
            Ok(Updated::Conflict(Some(fresh))) => self.compare(sent, Some(fresh)),
            Ok(Updated::Conflict(None)) => {
                let fresh = self.context.store.load(&sent.next.handle);
                Ok(Next::Step(CommitStep::Look(sent, fresh)))
            }
            Err(error) if is_unknown(&error) && !sent.lost => {
                let event = Event::new(EventKind::StoreFailed).of(sent.next.handle);
                self.context.observe(event.because(&error));
                sent.lost = true;
                self.send(sent)
            }
            Err(error) => Err(sent.failed(error)),
        }
    }

    pub(super) fn looked(
        &mut self,
        sent: Sent,
        fresh: Result<Option<Loaded>, StoreError>,
    ) -> Result<Next, Error> {
        match fresh {
            Ok(fresh) => self.compare(sent, fresh),
            Err(error) => Err(sent.failed(error)),
        }
    }

    /// Compares what is in the store with what this commit wanted to be there.
    fn compare(&mut self, sent: Sent, fresh: Option<Loaded>) -> Result<Next, Error> {
        match fresh {
            Some(fresh) if fresh.record.version() == sent.replacing.version => {
                Ok(self.finish(sent))
            }
            // Another request has written since, on ours or instead of it: nobody knows.
            Some(_) if sent.lost => Err(Error::new(ErrorKind::OutcomeUnknown)),
            Some(fresh) if !self.is_binding() => self.replay(sent.replacing, fresh),
            // Nobody knows the handle of a record that is being bound, so what is not as it was created was evicted.
            Some(_) | None => Err(Error::new(ErrorKind::Gone)),
        }
    }

    /// Makes the changes again on a fresher record.
    fn replay(&mut self, mut replacing: Replacing, fresh: Loaded) -> Result<Next, Error> {
        self.context
            .observe(Event::new(EventKind::Conflict).of(replacing.live.handle));
        replacing.live = self.reconcile(&replacing.live, fresh)?;
        replacing.conflicts += 1;
        self.work
            .edits
            .replay(&replacing.live.record.shared_values())?;
        if self.patience.remaining().is_zero() {
            return Err(Error::new(ErrorKind::Contended));
        }
        if replacing.conflicts == CONFLICTS_BEFORE_QUEUE {
            let turn = self.context.queues.turn(replacing.live.handle);
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
    fn reconcile(&self, live: &Live, fresh: Loaded) -> Result<Live, Error> {
        let undecodable = |cause| Error::new(ErrorKind::UndecodableRecord).with_source(cause);
        let fresh = Live::of(live.handle, fresh, self.context.stopwatch()).map_err(undecodable)?;
        if !fresh.header.secret.matches(&live.header.secret) {
            return Err(Error::new(ErrorKind::Superseded));
        }
        let lifetime = fresh.header.lifetime.unwrap_or(self.context.lifetime);
        match lifetime.is_live(fresh.stamps(), fresh.seen.at()) {
            true => Ok(fresh),
            false => Err(Error::new(ErrorKind::Gone)),
        }
    }

    fn finish(&mut self, sent: Sent) -> Next {
        let next = sent.next;
        if let Some(kind) = self.work.pending.event() {
            let event = Event::new(kind).of(next.handle);
            self.context
                .observe(event.by(self.work.pending.login.as_ref()));
        }
        let resend = matches!(self.work.plan.then, Then::Update { resend: true, .. });
        let cookie = Cookie::after(sent.replacing.token, self.max_age(&next), resend);
        self.done(Some(next), cookie)
    }

    const fn is_binding(&self) -> bool {
        matches!(self.work.plan.then, Then::Create { .. })
    }
}

/// Two requests of one page get into each other's way now and then; more conflicts are a crowd.
const CONFLICTS_BEFORE_QUEUE: usize = 2;
