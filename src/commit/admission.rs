//! Letting a login in: the index is told of it before its record is.

use std::sync::Arc;

use super::{Change, Commit, Next, Step, refused};
use crate::{
    context::{Boxed, Context, sleep, within},
    error::{Error, ErrorKind},
    id::Handle,
    limit::{Admission, Counted, SessionLimit},
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId},
    revocation::{self, Standing},
    store::{Entered, Entry, PrincipalIndex, StoreError, StoreErrorKind, Version},
};

/// A login that asks to be let in.
struct Login {
    principal: PrincipalId,
    entry: Entry,
    stamp: Option<CredentialStamp>,
    /// The session is this principal's already.
    is_renewed: bool,
}

/// What becomes of a login.
pub(super) enum Verdict {
    Admitted,
    AnotherStamp,
    TooMany,
}

pub(super) type Admitting = Boxed<Result<Verdict, StoreError>>;

impl Commit {
    /// Has a login let in before its record is written; other changes go on at once.
    pub(super) fn admit(&mut self, change: Change) -> Result<Next, Error> {
        let Some(login) = self.login(&change) else {
            return self.replace(change);
        };
        self.entered = (!login.is_renewed).then_some(login.entry);
        let admitting: Admitting = Box::pin(admit(self.context.clone(), login));
        Ok(Next::Step(Step::Admit(change, admitting)))
    }

    pub(super) fn admitted(
        &mut self,
        change: Change,
        verdict: Result<Verdict, StoreError>,
    ) -> Result<Next, Error> {
        match verdict {
            Ok(Verdict::Admitted) => self.replace(change),
            Ok(Verdict::AnotherStamp) => Err(Error::new(ErrorKind::CredentialsChanged)),
            Ok(Verdict::TooMany) => Err(Error::new(ErrorKind::TooManySessions)),
            Err(error) => Err(refused(error)),
        }
    }

    fn login(&self, change: &Change) -> Option<Login> {
        let pending = &self.work.pending;
        let principal = pending.login.clone()?;
        self.context.store.index()?;
        let live = self.work.live.as_ref()?;
        let is_renewed = live.record.principal() == Some(principal.as_str());
        let login = if is_renewed {
            RENEWED
        } else {
            change.version()
        };
        Some(Login {
            entry: Entry::new(live.handle, login),
            stamp: pending.stamp.as_deref().copied(),
            is_renewed,
            principal,
        })
    }

    /// Takes back what the index was told of a login that was certainly not written.
    pub(super) fn withdraw_a_failed_login(&mut self, error: &Error) {
        let entered = self.entered.take();
        let certain = error.kind() != ErrorKind::OutcomeUnknown;
        if let (Some(entry), Some(principal), true) = (entered, &self.work.pending.login, certain) {
            let leaving = leave(self.context.clone(), principal.clone(), vec![entry]);
            self.context.background.finish(None, Box::pin(leaving));
        }
    }
}

async fn admit(context: Arc<Context>, login: Login) -> Result<Verdict, StoreError> {
    let index = context
        .store
        .index()
        .expect("a login is let in where there is one");
    let limit = context.limit.as_ref().filter(|_| !login.is_renewed);
    // What a limit counts is all there is; else a few are looked at, however many there are.
    let most = limit.map_or(TIDIED, |_| usize::MAX);
    let enter = || index.enter(&login.principal, login.entry, login.stamp.as_ref(), most);
    let entered = match enter().await {
        // To enter again changes nothing.
        Err(error) if error.kind() == StoreErrorKind::Unknown => enter().await,
        answered => answered,
    };
    let Entered::After(earlier) = entered? else {
        return Ok(Verdict::AnotherStamp);
    };
    let is_admitted = match limit {
        Some(limit) => has_room(&context, index, limit, &login, &earlier).await?,
        None => {
            tidy(&context, index, &login, &earlier).await?;
            true
        }
    };
    Ok(match is_admitted {
        true => Verdict::Admitted,
        false => Verdict::TooMany,
    })
}

/// Counts the sessions that came before a login, and ends some in its place if that is what the limit says. Tells whether
/// there is room for it.
async fn has_room(
    context: &Context,
    index: &dyn PrincipalIndex,
    limit: &SessionLimit,
    login: &Login,
    earlier: &[Entry],
) -> Result<bool, StoreError> {
    let most = limit.most(&login.principal);
    let mut others = revocation::distinct(earlier);
    others.retain(|handle| *handle != login.entry.handle);
    if others.len() < most {
        return Ok(true);
    }
    let standings = revocation::standings(context, index, &login.principal, &others).await?;
    let mut gone = gone(&standings);
    let counted = standings
        .iter()
        .filter_map(|(handle, standing)| match standing {
            Standing::Bound(loaded) => Some(Counted {
                handle: *handle,
                was_shown: revocation::was_shown(loaded),
            }),
            Standing::Pending => Some(Counted {
                handle: *handle,
                was_shown: false,
            }),
            Standing::Expired | Standing::Foreign | Standing::Gone | Standing::Unreadable => None,
        });
    let admission = limit.decide(most, &counted.collect::<Vec<_>>());
    if let Admission::Admitted(evicted) = &admission {
        for handle in evicted {
            revocation::end(context, *handle, Some(&login.principal), EndReason::Evicted).await?;
            gone.push(*handle);
        }
    }
    revocation::forget(context, index, &login.principal, earlier, &gone).await;
    Ok(matches!(admission, Admission::Admitted(_)))
}

/// Looks at some of many entries, so that those of sessions that have long expired do not pile up.
async fn tidy(
    context: &Context,
    index: &dyn PrincipalIndex,
    login: &Login,
    earlier: &[Entry],
) -> Result<(), StoreError> {
    if earlier.len() < TIDIED {
        return Ok(());
    }
    let looked_at = revocation::distinct(earlier);
    let standings = revocation::standings(context, index, &login.principal, &looked_at).await?;
    revocation::forget(context, index, &login.principal, earlier, &gone(&standings)).await;
    Ok(())
}

fn gone(standings: &[(Handle, Standing)]) -> Vec<Handle> {
    let gone = standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Gone | Standing::Foreign));
    gone.map(|(handle, _)| *handle).collect()
}

/// Takes entries out, and tries again if it fails: they keep a place among those that a limit counts.
async fn leave(context: Arc<Context>, principal: PrincipalId, entries: Vec<Entry>) {
    let Some(index) = context.store.index() else {
        return;
    };
    for pause in revocation::pauses() {
        sleep(pause).await;
        let left = index.leave(&principal, &entries);
        if within(context.commit_timeout, left).await.is_ok() {
            return;
        }
    }
}

/// Stands for all later logins of a session that is the principal's already. Its first one is entered and stays; this one
/// has its stamp compared, and needs nothing taken back.
const RENEWED: Version = Version::from_u64(0);

/// Who has fewer sessions has none looked at.
const TIDIED: usize = 8;
