//! What a commit is given to do.

use super::{Edits, Facts, Live, Origin, Plan};
use crate::{
    error::Error, lifetime::Lifetime, observe::EndReason, principal::PrincipalId,
    store::CredentialStamp,
};

/// What is to become of the session, apart from its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// The record is to be deleted, and everything else here is about a new one.
    pub(crate) end: Option<EndReason>,
    pub(crate) login: Option<PrincipalId>,
    /// Of the credential that the login has checked.
    pub(crate) stamp: Option<Box<CredentialStamp>>,
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
    pub(super) origin: Origin,
    pub(super) default_lifetime: Lifetime,
    /// More is pending than what was taken.
    pub(super) is_partial: bool,
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

    pub(super) fn decide(&self) -> Plan {
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
    pub(super) fn is_any(&self) -> bool {
        self.end.is_some() || self.login.is_some() || self.cycle || self.lifetime.is_some()
    }
}
