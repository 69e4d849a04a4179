//! What a commit is given to do.

use super::{Edits, Facts, Live, Origin, Plan};
use crate::{
    clock::Timestamp,
    error::Error,
    id::Handle,
    label::Label,
    lifetime::Lifetime,
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId},
    record::Begun,
    renewal::Upkeep,
};

/// What is to become of the session, apart from its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// The record is to be deleted, and everything else here is about a new one.
    pub(crate) end: Option<EndReason>,
    pub(crate) login: Option<PrincipalId>,
    /// Of the credential that the login has checked.
    pub(crate) stamp: Option<Box<CredentialStamp>>,
    /// A login that still waits for its second factor.
    pub(crate) begin: Option<Box<LoginBegun>>,
    pub(crate) cycle: bool,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) label: Option<Label>,
}

/// What a commit is to bring about.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    pub(crate) live: Option<Live>,
    /// What is deleted if there is no record that is trusted.
    pub(crate) remains: Option<Handle>,
    pub(crate) edits: Edits,
    pub(crate) pending: Pending,
    pub(crate) upkeep: Upkeep,
    /// Which generation may be written to, where that and not a secret is what counts.
    pub(crate) generation: Option<u64>,
    pub(super) origin: Origin,
    pub(super) default_lifetime: Lifetime,
    /// More is pending than what was taken.
    pub(super) is_partial: bool,
}

/// A login whose first factor was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginBegun {
    pub(crate) principal: PrincipalId,
    pub(crate) stamp: Option<CredentialStamp>,
}

impl LoginBegun {
    /// Returns what a header keeps of it.
    pub(crate) fn at(&self, now: Timestamp) -> Begun<'_> {
        Begun {
            principal: self.principal.as_str(),
            at: now,
            stamp: self.stamp,
        }
    }
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

    /// Tells whether nothing would be missed if it were not done.
    pub(crate) fn is_upkeep_alone(&self) -> bool {
        self.upkeep.is_any() && !self.edits.differs && !self.pending.is_any()
    }

    pub(super) fn decide(&self) -> Plan {
        Plan::of(&Facts::new(
            self.origin,
            self.live.as_ref(),
            self.remains.is_some(),
            &self.pending,
            self.edits.differs,
            self.upkeep,
            self.default_lifetime,
        ))
    }
}

impl Pending {
    pub(super) fn is_any(&self) -> bool {
        self.end.is_some()
            || self.login.is_some()
            || self.begin.is_some()
            || self.cycle
            || self.lifetime.is_some()
            || self.label.is_some()
    }
}
