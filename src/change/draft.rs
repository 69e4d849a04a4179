//! The session as a request sees and changes it.

use super::{Live, LoginBegun, Look, Operation, Origin, Pending, Plan, Update, ValueDraft, Work};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind},
    id::Handle,
    label::Label,
    lifetime::Lifetime,
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId},
    record::{Value, Values},
    renewal::Upkeep,
};

/// The session as a request sees and changes it.
#[derive(Debug)]
pub(crate) struct Draft {
    origin: Origin,
    /// The record that was loaded, or that a commit of this request has left in the store.
    live: Option<Live>,
    values: ValueDraft,
    pending: Pending,
    upkeep: Upkeep,
    may_start_cross_site: bool,
    /// What is not trusted, and goes when the session is ended.
    remains: Option<Handle>,
    /// The generation that a live connection is bound to, if this is one's.
    detached: Option<u64>,
}

impl Draft {
    /// Begins on a live record.
    pub(crate) fn live(live: Live, upkeep: Upkeep) -> Self {
        let values = ValueDraft::new(live.values());
        Self {
            upkeep,
            ..Self::new(Origin::Live, Some(live), values)
        }
    }

    /// Begins on a record that a live connection is bound to.
    pub(crate) fn detached(live: Live) -> Self {
        let generation = live.header().generation;
        Self {
            detached: Some(generation),
            ..Self::live(live, Upkeep::NONE)
        }
    }

    /// Begins without a record.
    pub(crate) fn without_record(origin: Origin) -> Self {
        Self::new(origin, None, ValueDraft::of_nobody())
    }

    /// Begins on a record that is not trusted: it can be ended, and nothing else.
    pub(crate) fn of_remains(handle: Handle) -> Self {
        Self {
            remains: Some(handle),
            ..Self::without_record(Origin::Unknown)
        }
    }

    fn new(origin: Origin, live: Option<Live>, values: ValueDraft) -> Self {
        Self {
            origin,
            live,
            values,
            pending: Pending::default(),
            upkeep: Upkeep::NONE,
            may_start_cross_site: false,
            remains: None,
            detached: None,
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
        self.may(Deed::Cycle)?;
        self.pending.cycle = true;
        Ok(())
    }

    pub(crate) fn set_lifetime(&mut self, lifetime: Lifetime) -> Result<(), Error> {
        self.may(Deed::Change)?;
        lifetime
            .check()
            .map_err(|rule| Error::new(ErrorKind::InvalidLifetime).with_source(rule))?;
        self.pending.lifetime = Some(lifetime);
        Ok(())
    }

    pub(crate) fn set_label(&mut self, label: Label) -> Result<(), Error> {
        self.may(Deed::Change)?;
        self.pending.label = Some(label);
        Ok(())
    }

    /// Labels a login, unless this request has labelled its session, or somebody who was signed in has.
    pub(crate) fn label_login(&mut self, label: Option<Label>) {
        let is_labelled = self.label().is_some();
        let is_anonymous = || {
            self.current()
                .is_none_or(|live| live.record.principal().is_none())
        };
        if !is_labelled || (self.pending.label.is_none() && is_anonymous()) {
            self.pending.label = label.or(self.pending.label.take());
        }
    }

    /// Notes a login whose second factor is missing. Nobody is signed in by it, and who is stays so.
    pub(crate) fn begin_login(
        &mut self,
        principal: PrincipalId,
        stamp: Option<CredentialStamp>,
    ) -> Result<(), Error> {
        self.may(Deed::Login)?;
        check_principal(&principal)?;
        if self.principal().is_some_and(|current| current != principal) {
            self.replace();
        }
        self.pending.begin = Some(Box::new(LoginBegun { principal, stamp }));
        Ok(())
    }

    /// Signs in whose login was begun.
    pub(crate) fn finish_login(&mut self, now: Option<Timestamp>) -> Result<PrincipalId, Error> {
        let begun = self.begun(now);
        let begun = begun.ok_or_else(|| Error::new(ErrorKind::NotSignedIn))?;
        self.login(begun.principal.clone())?;
        self.pending.stamp = begun.stamp.map(Box::new);
        Ok(begun.principal)
    }

    /// Returns the login that was begun and can be finished.
    pub(crate) fn begun(&self, now: Option<Timestamp>) -> Option<LoginBegun> {
        if let Some(begun) = &self.pending.begin {
            return Some(LoginBegun::clone(begun));
        }
        let header = self.current()?.header();
        let begun = header
            .begun()
            .filter(|begun| begun.is_open(now.unwrap_or(begun.at)))?;
        Some(LoginBegun {
            principal: begun.principal.into(),
            stamp: begun.stamp,
        })
    }

    /// Signs somebody in with a new handle, and keeps some of the values.
    pub(crate) fn login_keeping(
        &mut self,
        principal: PrincipalId,
        keys: &[&str],
    ) -> Result<(), Error> {
        let mut kept = Vec::new();
        for key in keys {
            kept.extend(self.read(key)?.map(|value| (*key, value.to_vec())));
        }
        self.login_fresh(principal)?;
        for (key, value) in kept {
            self.values.write(key, Some(value))?;
        }
        Ok(())
    }

    pub(crate) fn login_with(
        &mut self,
        principal: PrincipalId,
        stamp: CredentialStamp,
    ) -> Result<(), Error> {
        self.login(principal)?;
        self.pending.stamp = Some(Box::new(stamp));
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
        self.pending.begin = None;
        self.pending.stamp = None;
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
        let rotates = self.pending.login.is_some()
            || self.pending.begin.is_some()
            || (self.pending.cycle && self.current().is_some());
        stored.wrapping_add(u64::from(rotates))
    }

    /// Returns the record that the session goes on with, unless it is to be ended.
    pub(crate) fn current(&self) -> Option<&Live> {
        self.live.as_ref().filter(|_| self.pending.end.is_none())
    }

    /// Returns the record that a live connection can be bound to.
    pub(crate) fn detachable(&self) -> Result<&Live, Error> {
        self.may(Deed::Change)?;
        let pending = &self.pending;
        let is_settled = pending.login.is_none() && pending.begin.is_none() && !pending.cycle;
        let live = self.current().filter(|_| is_settled);
        live.ok_or_else(|| Error::new(ErrorKind::Uncommitted))
    }

    pub(crate) fn principal(&self) -> Option<PrincipalId> {
        let stored = || Some(self.current()?.record.principal()?.into());
        self.pending.login.clone().or_else(stored)
    }

    /// Tells whether this request has signed somebody in.
    pub(crate) const fn is_signing_in(&self) -> bool {
        self.pending.login.is_some()
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

    /// Returns what lists call the session once this is committed.
    pub(crate) fn label(&self) -> Option<&str> {
        let label = match &self.pending.label {
            Some(label) => Some(label.as_str()),
            None => self.current()?.header().label(),
        };
        label.filter(|label| !label.is_empty())
    }

    /// Tells whether the request brought an id that is about to be worthless.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    // What a load and a commit do.

    /// Knows that the last-seen stamp was renewed.
    pub(crate) fn touched(&mut self) {
        self.live.iter_mut().for_each(Live::touched);
    }

    /// Takes what is pending as work for a commit: all of it, or with an operation that is to be committed at once only
    /// what concerns its key.
    ///
    /// A key cannot be told from the rest once everything was dropped, so after `clear` or an end all is taken; and so it
    /// is where only a login may start a session. What is taken is boxed, because it is large and goes from hand to hand.
    pub(crate) fn take_work(
        &mut self,
        now: Option<Operation>,
        default_lifetime: Lifetime,
    ) -> Result<Box<Work>, Error> {
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
        let mut work = Box::new(Work {
            plan: Plan::NOTHING,
            live: self.live.clone(),
            remains: self.remains,
            edits,
            pending,
            upkeep: Upkeep::NONE,
            generation: self.detached,
            origin: self.origin,
            default_lifetime,
            is_partial: only.is_some(),
        });
        work.plan = work.decide();
        Ok(work)
    }

    /// Takes what is pending as the work of the last commit, with what the session needs besides: what it needed when it
    /// was loaded, if it still does by what commits of this request have left.
    pub(crate) fn take_last_work(
        &mut self,
        default_lifetime: Lifetime,
        needs: impl FnOnce(&Live) -> Upkeep,
    ) -> Result<Box<Work>, Error> {
        let mut work = self.take_work(None, default_lifetime)?;
        let needed = std::mem::take(&mut self.upkeep);
        if let Some(live) = work.live.as_ref().filter(|_| needed.is_any()) {
            work.upkeep = needed.and(needs(live));
            work.plan = work.decide();
        }
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

    /// Does without another id, which a failed response must not bring.
    pub(crate) const fn do_without_another_id(&mut self) {
        self.upkeep.renew = false;
    }

    pub(crate) const fn do_without_upkeep(&mut self) {
        self.upkeep = Upkeep::NONE;
    }

    /// Tells whether the last commit may have something to do.
    pub(crate) fn is_changed_or_due(&self) -> bool {
        self.is_changed() || self.upkeep.is_any()
    }

    /// Tells whether a commit may have something to do.
    pub(crate) fn is_changed(&self) -> bool {
        self.values.is_changed() || self.pending.is_any()
    }

    /// Goes on from what a commit has left in the store.
    pub(crate) fn rebase(&mut self, live: Option<Live>) {
        let values = live.as_ref().map(Live::values);
        self.values.rebase(values.unwrap_or_else(Values::empty));
        self.origin = match live {
            Some(_) => Origin::Live,
            None => Origin::Absent,
        };
        self.remains = None;
        self.live = live;
    }

    /// Keeps what the last commit has left in the store, for those who still read it.
    pub(crate) fn close(&mut self, live: Option<Live>) {
        self.values.close(live.as_ref().map(Live::values));
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

    /// Tells whether a live connection may do this: no browser would learn a new id.
    fn may_detached(&self, deed: Deed) -> Result<(), Error> {
        match deed {
            Deed::Cycle | Deed::Login => Err(Error::new(ErrorKind::Detached)),
            Deed::Start if self.current().is_none() => Err(Error::new(ErrorKind::Gone)),
            Deed::Change | Deed::Start => Ok(()),
        }
    }

    /// Tells whether a request with this cookie may do this.
    fn may(&self, deed: Deed) -> Result<(), Error> {
        let starts = matches!(deed, Deed::Start | Deed::Login);
        if self.detached.is_some() {
            return self.may_detached(deed);
        }
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
    /// It gives the session a new id.
    Cycle,
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
