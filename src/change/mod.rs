//! What a request wants to become of its session, and what that takes. Pure: no store, no HTTP, no clock.

mod plan;
mod reads;
mod values;

pub(crate) use plan::{Facts, Plan, Then};
pub(crate) use values::{Edits, Look, Operation, Update, ValueDraft};

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Stopwatch, Timestamp},
    error::{Error, ErrorKind},
    id::{Handle, SecretHash},
    lifetime::{Lifetime, Stamps},
    observe::EndReason,
    principal::PrincipalId,
    record::{Header, Identity, Record, Value, Values, Version},
    store::Loaded,
};

/// What the request's cookie turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There was none, or nothing that has the shape of an id.
    #[default]
    Absent,
    /// The id of a live session.
    Live,
    /// An id that a privilege change replaced a moment ago: the browser holds its successor by now.
    Superseded,
    /// An id that is not live, or several of which not exactly one is.
    Unknown,
    /// There was none, and the browser may hold one that it did not send.
    Withheld,
}

/// A record that is in the store, as this request knows it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) handle: Handle,
    pub(crate) record: Record,
    pub(crate) created: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// The engine's clock when it answered, and how long ago that was.
    pub(crate) seen: Seen,
}

impl Live {
    /// Knows a record from the store's answer; its header has been decoded before.
    pub(crate) fn of(handle: Handle, loaded: Loaded, since: Option<Stopwatch>) -> Self {
        Self {
            handle,
            record: loaded.record,
            created: loaded.created,
            last_seen: loaded.last_seen,
            seen: Seen {
                at: loaded.now,
                since,
            },
        }
    }

    /// Knows a record that was created just now.
    pub(crate) const fn begun(handle: Handle, record: Record, seen: Seen) -> Self {
        Self {
            handle,
            record,
            created: seen.at,
            last_seen: seen.at,
            seen,
        }
    }

    /// Makes the record that replaces this one, with another header if there is one.
    pub(crate) fn successor(
        &self,
        version: Version,
        header: Option<Arc<[u8]>>,
        values: &Values,
    ) -> Record {
        match header {
            Some(header) => Record::of(version, header, values),
            None => self.record.with_values(version, values),
        }
    }

    /// Goes on as another record.
    pub(crate) fn succeed(&mut self, record: Record, now: Timestamp) {
        self.record = record;
        self.last_seen = now;
    }

    /// Reads the record's header.
    pub(crate) fn header(&self) -> Header<'_> {
        Header::decode(self.record.header()).expect("it was decoded when the record was loaded")
    }

    /// Knows that the last-seen stamp was renewed.
    pub(crate) const fn touched(&mut self) {
        self.last_seen = self.seen.at();
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.header().stamps(self.created, self.last_seen)
    }
}

/// What a commit does to a record's header, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) version: Version,
    pub(crate) now: Timestamp,
    /// The secret's, if there is a new one.
    pub(crate) secret: Option<SecretHash>,
    pub(crate) login: Option<&'a PrincipalId>,
    pub(crate) lifetime: Option<Lifetime>,
}

impl Step<'_> {
    /// Makes the header that follows another, unless it stays as it is.
    pub(crate) fn applied_to<'a>(&'a self, old: &Header<'a>) -> Option<Header<'a>> {
        let lifetime = self.lifetime.filter(|own| Some(*own) != old.lifetime);
        if self.secret.is_none() && self.login.is_none() && lifetime.is_none() {
            return None;
        }
        let login = self.login.map(|principal| Identity {
            principal: principal.as_str(),
            authenticated_at: self.now,
        });
        let mut next = *old;
        let rises = self.secret.is_some() || login.is_some();
        next.generation = old.generation.wrapping_add(u64::from(rises));
        next.lifetime = lifetime.or(old.lifetime);
        next.identity = login.or(old.identity);
        if let Some(secret) = self.secret {
            next.rotate(secret, self.now);
        }
        Some(next)
    }
}

/// A look at the engine's clock, and how long ago it was where that cannot be asked again without a round trip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) since: Option<Stopwatch>,
}

impl Seen {
    /// Tells what the engine's clock said.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Tells how long ago it was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since.map_or(Duration::ZERO, Stopwatch::elapsed)
    }
}

/// The session as a request sees and changes it.
#[derive(Debug)]
pub(crate) struct Draft {
    origin: Origin,
    /// The record that was loaded, or that a commit of this request has left in the store.
    live: Option<Live>,
    values: ValueDraft,
    pending: Pending,
    may_start_cross_site: bool,
}

/// What is to become of the session, apart from its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// The record is to be deleted, and everything else here is about a new one.
    pub(crate) end: Option<EndReason>,
    pub(crate) login: Option<PrincipalId>,
    pub(crate) cycle: bool,
    pub(crate) lifetime: Option<Lifetime>,
}

/// What a commit is to bring about.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    pub(crate) live: Option<Live>,
    pub(crate) edits: Edits,
    pub(crate) pending: Pending,
    origin: Origin,
    default_lifetime: Lifetime,
    /// More is pending than what was taken.
    is_partial: bool,
}

impl Work {
    /// Makes what has to be made on this base first, and decides anew. A user's code may run, so no lock may be held.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        if self.edits.is_stale() {
            self.edits.settle()?;
            self.plan = self.decide();
        }
        Ok(())
    }

    fn decide(&self) -> Plan {
        Plan::of(&Facts::new(
            self.origin,
            self.live.as_ref(),
            &self.pending,
            self.edits.differs,
            self.default_lifetime,
        ))
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        self.end.is_some() || self.login.is_some() || self.cycle || self.lifetime.is_some()
    }
}

impl Draft {
    /// Begins on a live record.
    pub(crate) fn live(live: Live) -> Self {
        let values = ValueDraft::new(live.record.shared_values());
        Self::new(Origin::Live, Some(live), values)
    }

    /// Begins without a record.
    pub(crate) fn without_record(origin: Origin) -> Self {
        Self::new(origin, None, ValueDraft::of_nobody())
    }

    fn new(origin: Origin, live: Option<Live>, values: ValueDraft) -> Self {
        Self {
            origin,
            live,
            values,
            pending: Pending::default(),
            may_start_cross_site: false,
        }
    }

    // What a handler does.

    /// Writes a key, or removes it.
    pub(crate) fn write(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), Error> {
        self.may(if value.is_some() {
            Deed::Start
        } else {
            Deed::Change
        })?;
        self.values.write(key, value)
    }

    /// Looks at a key on behalf of what is done once a user's code has seen it, outside the lock.
    pub(crate) fn look(&self, key: &str, deed: Deed) -> Result<Look, Error> {
        self.may(deed)?;
        self.values.look(key)
    }

    /// Removes a key if it still has the value that was looked at; tells whether it had.
    pub(crate) fn take(&mut self, key: &str, look: &Look) -> Result<bool, Error> {
        self.may(Deed::Change)?;
        let is_same = self.values.is_as_seen(key, look)?;
        if is_same {
            self.values.take(key)?;
        }
        Ok(is_same)
    }

    /// Adds an update that was run on what was looked at, or gives it back if that has changed since.
    pub(crate) fn update(
        &mut self,
        key: &str,
        look: &Look,
        after: &[u8],
        update: Update,
    ) -> Result<Option<Update>, Error> {
        if !self.values.is_as_seen(key, look)? {
            return Ok(Some(update));
        }
        self.values.update(key, after, update)?;
        Ok(None)
    }

    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        self.may(Deed::Change)?;
        self.values.clear();
        Ok(())
    }

    pub(crate) fn cycle_id(&mut self) -> Result<(), Error> {
        self.may(Deed::Change)?;
        self.pending.cycle = true;
        Ok(())
    }

    pub(crate) fn set_lifetime(&mut self, lifetime: Lifetime) -> Result<(), Error> {
        self.may(Deed::Change)?;
        lifetime
            .check()
            .map_err(|rule| Error::new(ErrorKind::InvalidLifetime).with_source(rule))?;
        self.pending.lifetime = Some(lifetime.as_stored());
        Ok(())
    }

    /// Attaches an identity; values survive unless they are somebody else's.
    pub(crate) fn login(&mut self, principal: PrincipalId) -> Result<(), Error> {
        self.may(Deed::Login)?;
        check_principal(&principal)?;
        if self.principal().is_some_and(|current| current != principal) {
            self.replace();
        }
        self.pending.login = Some(principal);
        Ok(())
    }

    /// Attaches an identity to a new session that has nothing of the old.
    pub(crate) fn login_fresh(&mut self, principal: PrincipalId) -> Result<(), Error> {
        self.may(Deed::Login)?;
        check_principal(&principal)?;
        self.replace();
        self.pending.login = Some(principal);
        Ok(())
    }

    pub(crate) fn end(&mut self, reason: EndReason) -> Result<(), Error> {
        self.may(Deed::Change)?;
        self.begin_anew(reason);
        Ok(())
    }

    pub(crate) fn discard(&mut self) {
        self.values.discard();
        self.pending = Pending::default();
    }

    /// Takes what was forgotten, for whoever can drop it without a lock.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Operation> {
        self.values.take_forgotten()
    }

    pub(crate) fn allow_cross_site(&mut self) {
        self.may_start_cross_site = true;
    }

    /// Drops what a failed handler must not leave behind: everything but an end it asked for.
    pub(crate) fn keep_only_the_end(&mut self) {
        match self.pending.end.filter(|end| end.is_explicit()) {
            Some(end) => self.begin_anew(end),
            None => self.discard(),
        }
    }

    // What a handler asks.

    pub(crate) fn read(&mut self, key: &str) -> Result<Option<Value>, Error> {
        self.values.read(key)
    }

    pub(crate) fn keys(&mut self) -> Result<Vec<String>, Error> {
        self.values.keys()
    }

    /// Returns the generation that the session has once this is committed.
    pub(crate) fn generation(&self) -> u64 {
        let stored = self.current().map_or(0, |live| live.header().generation);
        let rotates =
            self.pending.login.is_some() || (self.pending.cycle && self.current().is_some());
        stored.wrapping_add(u64::from(rotates))
    }

    /// Returns the record that the session goes on with, unless it is to be ended.
    pub(crate) fn current(&self) -> Option<&Live> {
        self.live.as_ref().filter(|_| self.pending.end.is_none())
    }

    pub(crate) fn principal(&self) -> Option<PrincipalId> {
        let stored = || Some(self.current()?.record.principal()?.into());
        self.pending.login.clone().or_else(stored)
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        let stored = || self.current()?.record.principal();
        self.pending.login.is_some() || stored().is_some()
    }

    /// Returns the lifetime that this session has apart from the layer's.
    pub(crate) fn own_lifetime(&self) -> Option<Lifetime> {
        self.pending
            .lifetime
            .or_else(|| self.current()?.header().lifetime)
    }

    /// Tells whether the request brought an id that is about to be worthless.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    // What a load and a commit do.

    /// Takes what is pending as work for a commit: all of it, or with an operation that is to be committed at once only
    /// what concerns its key.
    ///
    /// A key cannot be told from the rest once everything was dropped, so after `clear` or an end all is taken; and so it
    /// is where only a login may start a session.
    pub(crate) fn take_work(
        &mut self,
        now: Option<Operation>,
        default_lifetime: Lifetime,
    ) -> Result<Work, Error> {
        let takes_all = self.pending.end.is_some()
            || self.values.is_cleared()
            || self.origin == Origin::Superseded;
        let only = now.as_ref().and_then(Operation::key).map(Box::from);
        let only: Option<Box<str>> = only.filter(|_| !takes_all);
        let base = match self.pending.end {
            Some(_) => Values::empty(),
            None => self.values.base().clone(),
        };
        let edits = self.values.take_edits(only.as_deref(), now, &base)?;
        let pending = match only {
            Some(_) => Pending::default(),
            None => std::mem::take(&mut self.pending),
        };
        let mut work = Work {
            plan: Plan::NOTHING,
            live: self.live.clone(),
            edits,
            pending,
            origin: self.origin,
            default_lifetime,
            is_partial: only.is_some(),
        };
        work.plan = work.decide();
        Ok(work)
    }

    /// Takes back what a commit has nothing to do for, such as a lifetime for a session that does not exist yet.
    pub(crate) fn take_back(&mut self, work: &mut Work) {
        if !work.is_partial && !self.pending.is_any() {
            self.pending = std::mem::take(&mut work.pending);
        }
    }

    /// Takes back the end that a commit has not begun to carry out, because what was to follow it failed.
    pub(crate) fn take_back_the_end(&mut self, work: &Work) {
        if let Some(end) = work.pending.end.filter(|end| end.is_explicit()) {
            self.begin_anew(end);
        }
    }

    /// Tells whether a commit may have something to do.
    pub(crate) fn is_changed(&self) -> bool {
        self.values.is_changed() || self.pending.is_any()
    }

    /// Goes on from what a commit has left in the store.
    pub(crate) fn rebase(&mut self, live: Option<Live>) {
        let values = live.as_ref().map(|live| live.record.shared_values());
        self.values.rebase(values.unwrap_or_else(Values::empty));
        self.origin = match live {
            Some(_) => Origin::Live,
            None => Origin::Absent,
        };
        self.live = live;
    }

    /// Keeps what the last commit has left in the store, for those who still read it.
    pub(crate) fn close(&mut self, live: Option<Live>) {
        self.values
            .close(live.as_ref().map(|live| live.record.shared_values()));
        self.live = live;
    }

    fn replace(&mut self) {
        let explicit = self.pending.end.filter(|end| end.is_explicit());
        self.begin_anew(explicit.unwrap_or(EndReason::Replaced));
    }

    fn begin_anew(&mut self, reason: EndReason) {
        self.values.clear();
        self.pending = Pending {
            end: Some(reason),
            ..Pending::default()
        };
    }

    /// Tells whether a request with this cookie may do this.
    fn may(&self, deed: Deed) -> Result<(), Error> {
        let starts = matches!(deed, Deed::Start | Deed::Login);
        match self.origin {
            Origin::Superseded if deed != Deed::Login && self.pending.login.is_none() => {
                Err(Error::new(ErrorKind::Superseded))
            }
            Origin::Withheld if starts && !self.may_start_cross_site => {
                Err(Error::new(ErrorKind::CrossSite))
            }
            Origin::Absent
            | Origin::Live
            | Origin::Superseded
            | Origin::Unknown
            | Origin::Withheld => Ok(()),
        }
    }
}

/// What kind of change a method asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It changes what there is, and starts no session.
    Change,
    Login,
    /// It starts a session where there is none.
    Start,
}

fn check_principal(principal: &PrincipalId) -> Result<(), Error> {
    let valid = principal.is_valid();
    valid
        .then_some(())
        .ok_or_else(|| Error::new(ErrorKind::InvalidPrincipal))
}
