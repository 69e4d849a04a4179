//! Replacing a record by its successor, on a fresher one for as long as it takes.

use std::time::Duration;

use super::{Attempt, Commit, Cookie, Next, Step, is_unknown, no_random, refused, unknown, unmade};
use crate::{
    change::{Live, Opener, Succession, Then},
    context::Turn,
    error::{Error, ErrorKind},
    guard::{self, DataKey, Unreadable},
    id::{Handle, Token},
    lifetime::SHORTEST,
    observe::{Event, EventKind},
    record::{Key, Version},
    renewal::Upkeep,
    store::{Loaded, StoreError, Updated},
};

/// What is to become of a record.
pub(super) struct Change {
    /// The id with the successor's secret, or with that of a record that is being bound.
    token: Option<Token>,
    /// The id with the secret of a renewal.
    renewal: Option<Token>,
    /// The version of the successor.
    version: Version,
    conflicts: usize,
    /// Held while this commit's turn lasts.
    turn: Option<Turn>,
}

impl Change {
    pub(super) const fn version(&self) -> Version {
        self.version
    }
}

/// A record that is being replaced.
pub(super) struct Replacing {
    change: Change,
    /// The version that the successor was made from.
    expected: Version,
    /// What the request's id has to open for the request to write.
    opener: Opener,
    /// What opens the values of a fresher record, if they are sealed: a successor may have another key.
    key: Option<DataKey>,
    expires_in: Duration,
    /// An answer was lost: what the store says of this update from now on may have two meanings.
    lost: bool,
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
    pub(super) fn update(&mut self, rotate: bool, renew: bool) -> Result<Next, Error> {
        let handle = self.live().handle;
        let draw = || Token::draw_for(handle, self.context.random).map_err(no_random);
        let token = rotate.then(draw).transpose()?;
        let renewal = renew.then(draw).transpose()?;
        let change = Change {
            renewal,
            ..self.change(token)?
        };
        self.admit(change)
    }

    /// Binds a record that was created just now to its principal.
    pub(super) fn bind(&mut self, live: Live, token: Token) -> Result<Next, Error> {
        self.work.live = Some(live);
        let change = self.change(Some(token))?;
        self.admit(change)
    }

    fn change(&self, token: Option<Token>) -> Result<Change, Error> {
        Ok(Change {
            token,
            renewal: None,
            version: self.draw_version()?,
            conflicts: 0,
            turn: None,
        })
    }

    /// Makes the successor of the record and sends it, unless the record is already what it would become.
    pub(super) fn replace(&mut self, change: Change) -> Result<Next, Error> {
        let secret = change.token.as_ref().filter(|_| !self.is_binding());
        let (now, opener) = (self.context.now(&self.live().seen), self.live().opener);
        let guard = &self.context.guard;
        let hash = |token: &Token| guard.hash(token);
        let step = Succession {
            version: change.version,
            now,
            grace: self.context.grace(),
            secret: secret.map(hash),
            shown: self.work.upkeep.confirm.then_some(opener.secret),
            renewed: change.renewal.as_ref().map(hash),
            notes_showing: self.context.store.index().is_some(),
            login: self.work.pending.login.as_ref(),
            begin: self.work.pending.begin.as_deref(),
            lifetime: self.work.pending.lifetime,
            label: self.work.pending.label.as_ref(),
        };
        let live = self.live();
        let (expected, old) = (live.record.version(), live.header());
        let next = step.applied_to(&old);
        if next.is_none() && !self.work.edits.differs {
            return Ok(Next::Done(Cookie::Keep));
        }
        let renewed = step.renewed.as_ref().zip(change.renewal.as_ref());
        let new = next.as_ref().unwrap_or(&old);
        let lifetime = new.lifetime.unwrap_or(self.context.lifetime);
        let left = lifetime.expires_in(new.stamps(live.created, now), now);
        // A session that is given less than its age ends with this.
        let expires_in = left.or_else(|| step.lifetime.map(|_| SHORTEST));
        let expires_in = expires_in.ok_or_else(|| Error::new(ErrorKind::Gone))?;
        let next = guard::Next {
            handle: live.handle,
            version: step.version,
            old: &live.record,
            opened: live.opened.as_ref(),
            header: next.ok_or(old),
            rotated: secret,
            renewed,
            values: &self.work.edits.values,
        };
        let made = guard.succeed(next, self.context.random).map_err(unmade)?;
        let secret = step.secret;
        let replacing = Replacing {
            expected,
            opener,
            key: live.data_key().cloned(),
            expires_in,
            lost: false,
            change,
        };
        self.live_mut().succeed(made, secret, now);
        Ok(self.send(replacing))
    }

    fn send(&self, replacing: Replacing) -> Next {
        let (next, expected) = (self.live(), replacing.expected);
        let answer =
            self.context
                .store
                .update(&next.handle, expected, &next.record, replacing.expires_in);
        match answer.at_hand() {
            Some(Ok(Updated::Done)) => self.finish(replacing),
            _ => Next::Step(Step::Replace(replacing, answer)),
        }
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
                Ok(Next::Step(Step::Look(replacing, fresh)))
            }
            Err(error) if is_unknown(&error) && !replacing.lost => {
                let event = Event::new(EventKind::StoreFailed).of(self.live().handle);
                self.context.observe(event.because(&error));
                replacing.lost = true;
                Ok(self.send(replacing))
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
            Some(fresh) if fresh.record.version() == replacing.change.version => {
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
    fn replay(&mut self, replacing: Replacing, fresh: Loaded) -> Result<Next, Error> {
        // What changed nothing on the record that was loaded is not done to another.
        if self.work.is_upkeep_alone() {
            return Ok(Next::Done(Cookie::Keep));
        }
        let handle = self.live().handle;
        self.context
            .observe(Event::new(EventKind::Conflict).of(handle));
        let (opener, key) = (replacing.opener, replacing.key.as_ref());
        let fresh = self.reconcile(handle, (opener, key), fresh)?;
        self.work.edits.replay(&fresh.values())?;
        let mut change = replacing.change;
        change.conflicts += 1;
        // The other may have been told of one: what was due is due again with the next request.
        self.work.upkeep = Upkeep::NONE;
        if !matches!(self.work.plan.then, Then::Update { resend: true, .. }) {
            change.renewal = None;
        }
        self.work.live = Some(fresh);
        if self.would_take_a_later_id() && change.renewal.is_none() {
            let token = Token::draw_for(handle, self.context.random);
            change.renewal = Some(token.map_err(no_random)?);
        }
        if self.patience.is_over() {
            return Err(Error::new(ErrorKind::Contended));
        }
        if change.conflicts == CONFLICTS_BEFORE_QUEUE {
            let turn = self.context.queues.turn(handle);
            let turn = Box::pin(async { Ok(turn.await) });
            return Ok(Next::Step(Step::Queue(change, turn)));
        }
        self.replace(change)
    }

    /// Tells whether the id that came would be sent again though the browser holds a later one.
    fn would_take_a_later_id(&self) -> bool {
        let then = self.work.plan.then;
        let resends = matches!(
            then,
            Then::Update {
                rotate: false,
                resend: true,
                ..
            }
        );
        resends && self.live().opener.is_previous()
    }

    pub(super) fn have_turn(
        &mut self,
        mut change: Change,
        turn: Result<Turn, StoreError>,
    ) -> Result<Next, Error> {
        let contended = |_| Error::new(ErrorKind::Contended);
        change.turn = Some(turn.map_err(contended)?);
        self.replace(change)
    }

    /// Goes on with a fresher record, if the request's id is still the one that opens it.
    fn reconcile(
        &self,
        handle: Handle,
        (opener, key): (Opener, Option<&DataKey>),
        fresh: Loaded,
    ) -> Result<Live, Error> {
        let header = self
            .context
            .read(handle, &fresh)
            .map_err(|cause| match cause {
                Unreadable::Untrusted(_) => Error::new(ErrorKind::Gone),
                cause @ Unreadable::Undecodable(_) => {
                    Error::new(ErrorKind::UndecodableRecord).with_source(cause)
                }
            })?;
        let opener = match self.work.generation {
            Some(generation) => Some(opener).filter(|_| header.generation == generation),
            None => {
                // It opened the session when the request came, however long that was ago.
                let key = match header.key(&opener.secret, fresh.now, self.context.grace()) {
                    Key::Reused => Key::Previous,
                    key => key,
                };
                Opener::with(opener.secret, key)
            }
        };
        let Some(opener) = opener else {
            return Err(Error::new(ErrorKind::Superseded));
        };
        let lifetime = header.lifetime.unwrap_or(self.context.lifetime);
        let stamps = header.stamps(fresh.created, fresh.last_seen);
        if !lifetime.is_live(stamps, fresh.now) {
            return Err(Error::new(ErrorKind::Gone));
        }
        let opened = self.context.reopen(handle, &header, &fresh.record, key);
        let opened = opened.map_err(|_| Error::new(ErrorKind::Gone))?;
        let since = self.context.stopwatch();
        Ok(Live::of(handle, fresh, opener, opened, since))
    }

    fn finish(&self, replacing: Replacing) -> Next {
        let next = self.live();
        if let Some(kind) = self.work.pending.event() {
            let generation = next.header().generation;
            self.context
                .watchers
                .has_generation(next.handle, generation);
            let event = Event::new(kind).of(next.handle);
            self.context
                .observe(event.by(self.work.pending.login.as_ref()));
        }
        if replacing.change.renewal.is_some() {
            let is_alarming = next.header().has_many_unshown();
            let alarm = is_alarming.then_some(EventKind::RenewalUnshown);
            for kind in [EventKind::Renewed].into_iter().chain(alarm) {
                self.context.observe(Event::new(kind).of(next.handle));
            }
        }
        let token = replacing.change.token.or(replacing.change.renewal);
        let cookie = match (token, self.work.plan.then) {
            (Some(token), _) => Cookie::Set {
                token,
                max_age: self.max_age(next),
            },
            (None, Then::Update { resend: true, .. }) => Cookie::Resend {
                max_age: self.max_age(next),
            },
            (None, _) => Cookie::Keep,
        };
        Next::Done(cookie)
    }

    /// Returns the record that was loaded or created, or the successor that is on its way.
    fn live(&self) -> &Live {
        let live = self.work.live.as_ref();
        live.expect("there is a record to replace")
    }

    fn live_mut(&mut self) -> &mut Live {
        let live = self.work.live.as_mut();
        live.expect("there is a record to replace")
    }

    const fn is_binding(&self) -> bool {
        matches!(self.work.plan.then, Then::Create { .. })
    }
}

/// Two requests of one page get into each other's way now and then; more conflicts are a crowd.
const CONFLICTS_BEFORE_QUEUE: usize = 2;
