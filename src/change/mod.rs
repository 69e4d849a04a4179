//! What a request wants to become of its session, and what that takes. Pure: no store, no HTTP, no clock.

mod plan;
mod reads;
mod values;

pub(crate) use plan::{Facts, Plan, Then};
pub(crate) use values::{
    Check, Look, Operation, Target, Update, ValueDraft, When, outcome, replay,
};

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Stopwatch, Timestamp},
    error::{Error, ErrorKind},
    id::Handle,
    lifetime::{Lifetime, Stamps},
    observe::EndReason,
    principal::PrincipalId,
    record::{Header, Undecodable, Value, Values, Version},
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
    pub(crate) version: Version,
    pub(crate) header: Header,
    pub(crate) created: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// The engine's clock when it answered, and how long ago that was.
    pub(crate) seen: Seen,
}

impl Live {
    /// Knows a record from the store's answer.
    pub(crate) fn of(
        handle: Handle,
        loaded: &Loaded,
        since: Option<Stopwatch>,
    ) -> Result<Self, Undecodable> {
        Ok(Self {
            handle,
            version: loaded.record.version(),
            header: Header::decode(loaded.record.header())?,
            created: loaded.created,
            last_seen: loaded.last_seen,
            seen: Seen {
                at: loaded.now,
                since,
            },
        })
    }

    /// Knows a record that was created just now.
    pub(crate) fn begun(handle: Handle, version: Version, header: Header, seen: Seen) -> Self {
        Self {
            handle,
            version,
            header,
            created: seen.at,
            last_seen: seen.at,
            seen,
        }
    }

    /// Begins the record that is to replace this one.
    pub(crate) fn succeeded_by(&self, version: Version, now: Timestamp) -> Self {
        Self {
            version,
            last_seen: now,
            ..self.clone()
        }
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.header.stamps(self.created, self.last_seen)
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
    live: Option<Arc<Live>>,
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
    pub(crate) live: Option<Arc<Live>>,
    /// What the operations make of the values that were loaded.
    pub(crate) values: Values,
    pub(crate) operations: Vec<Operation>,
    pub(crate) pending: Pending,
    origin: Origin,
    default_lifetime: Lifetime,
    /// The operations were made on other values, and nothing is decided before they are made again.
    is_stale: bool,
}

impl Work {
    /// Makes stale operations again. Their functions are the user's, so this is done outside of any lock.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        if self.is_stale {
            replay(&mut self.operations, &self.values)?;
            self.decide()?;
        }
        Ok(())
    }

    fn decide(&mut self) -> Result<(), Error> {
        let outcome = outcome(&self.values, &self.operations)?;
        self.plan = Plan::of(&Facts::new(
            self.origin,
            self.live.as_deref(),
            &self.pending,
            outcome.is_some(),
            self.default_lifetime,
        ));
        if let Some(values) = outcome {
            self.values = values;
        }
        Ok(())
    }
}

impl Pending {
    fn is_any(&self) -> bool {
        self.end.is_some() || self.login.is_some() || self.cycle || self.lifetime.is_some()
    }
}

impl Draft {
    /// Begins on a live record.
    pub(crate) fn live(live: Arc<Live>, values: Values) -> Self {
        Self::new(Origin::Live, Some(live), ValueDraft::new(values))
    }

    /// Begins without a record.
    pub(crate) fn without_record(origin: Origin) -> Self {
        Self::new(origin, None, ValueDraft::of_nobody())
    }

    fn new(origin: Origin, live: Option<Arc<Live>>, values: ValueDraft) -> Self {
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
    pub(crate) fn write(&mut self, key: &str, after: Option<Value>) -> Result<(), Error> {
        self.may(if after.is_some() {
            Deed::Start
        } else {
            Deed::Change
        })?;
        self.values.write(key, after)
    }

    /// Looks at a key that is about to be removed.
    pub(crate) fn look_to_remove(&self, key: &str) -> Result<Look, Error> {
        self.may(Deed::Change)?;
        self.values.look(key)
    }

    /// Removes a key that was looked at; tells whether it was still the same.
    pub(crate) fn take(&mut self, key: &str, look: &Look) -> Result<bool, Error> {
        let same = self.values.is_as_seen(key, look)?;
        if same {
            self.values.take(key)?;
        }
        Ok(same)
    }

    /// Claims a key whose value was looked at and checked, and returns the operation's number, if it is still the same.
    pub(crate) fn claim(
        &mut self,
        key: &str,
        look: &Look,
        check: Check,
    ) -> Result<Option<u64>, Error> {
        if !self.values.is_as_seen(key, look)? {
            return Ok(None);
        }
        self.values.claim(key, check).map(Some)
    }

    /// Looks at a key that is about to be updated.
    pub(crate) fn look_to_update(&self, key: &str) -> Result<Look, Error> {
        self.may(Deed::Start)?;
        self.values.look(key)
    }

    /// Adds an update that was run on what was looked at and returns its number, or gives it back if that has changed
    /// since.
    pub(crate) fn update(
        &mut self,
        key: &str,
        look: &Look,
        after: Value,
        update: Update,
        when: When,
    ) -> Result<Result<u64, Update>, Error> {
        if !self.values.is_as_seen(key, look)? {
            return Ok(Err(update));
        }
        self.values.update(key, after, update, when).map(Ok)
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
        if self
            .principal()
            .is_some_and(|current| *current != principal)
        {
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

    pub(crate) fn allow_cross_site(&mut self) {
        self.may_start_cross_site = true;
    }

    /// Drops what a failed handler must not leave behind: everything but an end it asked for, or else what it has begun
    /// to commit.
    pub(crate) fn keep_only_the_end(&mut self) {
        let end = self.pending.end.filter(|end| end.is_explicit());
        match end {
            Some(_) => self.values.discard(),
            None => self.values.discard_pending(),
        }
        self.pending = Pending {
            end,
            ..Pending::default()
        };
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
        let stored = self.current().map_or(0, |live| live.header.generation);
        let rotates =
            self.pending.login.is_some() || (self.pending.cycle && self.current().is_some());
        stored.wrapping_add(u64::from(rotates))
    }

    /// Returns the record that the session goes on with, unless it is to be ended.
    pub(crate) fn current(&self) -> Option<&Live> {
        self.live.as_deref().filter(|_| self.pending.end.is_none())
    }

    pub(crate) fn principal(&self) -> Option<&PrincipalId> {
        let stored = || Some(&self.current()?.header.identity.as_ref()?.principal);
        self.pending.login.as_ref().or_else(stored)
    }

    /// Returns the lifetime that this session has apart from the layer's.
    pub(crate) fn own_lifetime(&self) -> Option<Lifetime> {
        self.pending
            .lifetime
            .or_else(|| self.current()?.header.lifetime)
    }

    /// Tells whether the request brought an id that is about to be worthless.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    // What a load and a commit do.

    /// Knows that the last-seen stamp was renewed.
    pub(crate) fn touched(&mut self) {
        if let Some(live) = self.live.as_mut().and_then(Arc::get_mut) {
            live.last_seen = live.seen.at();
        }
    }

    /// Takes what is pending as work for a commit: all of it, or what is on a target's key and not later.
    ///
    /// A key cannot be told from the rest once everything was dropped, so after `clear` or an end all is taken; and so it
    /// is where only a login may start a session.
    pub(crate) fn take_work(
        &mut self,
        only: Option<&Target>,
        default_lifetime: Lifetime,
    ) -> Result<Box<Work>, Error> {
        let until = only.map_or(u64::MAX, |target| target.number);
        let key = only
            .filter(|_| self.pending.end.is_none() && !self.values.is_cleared())
            .filter(|_| self.origin != Origin::Superseded)
            .map(|target| &*target.key);
        let (operations, is_stale) = self.values.take_operations(key, until);
        let pending = match key {
            Some(_) => Pending::default(),
            None => std::mem::take(&mut self.pending),
        };
        let mut work = Box::new(Work {
            plan: Plan::NOTHING,
            live: self.live.clone(),
            values: match pending.end {
                Some(_) => Values::empty(),
                None => self.values.base().clone(),
            },
            operations,
            pending,
            origin: self.origin,
            default_lifetime,
            is_stale,
        });
        if !is_stale {
            work.decide()?;
            if work.plan.is_nothing() && key.is_none() {
                self.pending = work.pending.clone();
            }
        }
        Ok(work)
    }

    /// Tells whether a commit may have something to do.
    pub(crate) fn is_changed(&self) -> bool {
        self.values.is_changed() || self.pending.is_any()
    }

    /// Goes on from what a commit has left in the store.
    pub(crate) fn rebase(&mut self, live: Option<Arc<Live>>, values: Values) {
        self.origin = match live {
            Some(_) => Origin::Live,
            None => Origin::Absent,
        };
        self.live = live;
        self.values.rebase(values);
    }

    /// Keeps what the last commit has left in the store, for those who still read it.
    pub(crate) fn close(&mut self, live: Option<Arc<Live>>, values: Values) {
        *self = Self::new(self.origin, live, ValueDraft::new(values));
    }

    fn replace(&mut self) {
        let explicit = self.pending.end.filter(|end| end.is_explicit());
        self.begin_anew(explicit.unwrap_or(EndReason::Replaced));
    }

    fn begin_anew(&mut self, reason: EndReason) {
        self.values.discard();
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
enum Deed {
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
