//! Letting a login in: the index is told of it before its record is.

use std::{sync::Arc, time::Duration};

use super::{Change, Commit, Next, Step, refused};
use crate::{
    context::{Boxed, Context, sleep, within},
    error::{Error, ErrorKind},
    id::Handle,
    limit::{Admission, Counted},
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId},
    revocation::{self, Standing},
    store::{Entered, Entry, PrincipalIndex, StoreError, StoreErrorKind},
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
    /// With the earlier logins of the same session.
    Admitted(Vec<Entry>),
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
        self.entered = Some(login.entry);
        self.outdated.clear();
        let admitting: Admitting = Box::pin(admit(self.context.clone(), login));
        Ok(Next::Step(Step::Admit(change, admitting)))
    }

    pub(super) fn admitted(
        &mut self,
        change: Change,
        verdict: Result<Verdict, StoreError>,
    ) -> Result<Next, Error> {
        match verdict {
            Ok(Verdict::Admitted(outdated)) => {
                self.outdated = outdated;
                self.replace(change)
            }
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
        Some(Login {
            entry: Entry::new(live.handle, change.version()),
            stamp: pending.stamp.as_deref().copied(),
            is_renewed: live.record.principal() == Some(principal.as_str()),
            principal,
        })
    }

    /// Takes out of the index what it was told of earlier logins of a session: the latest stands for them all.
    pub(super) fn forget_outdated_logins(&mut self) {
        let outdated = std::mem::take(&mut self.outdated);
        if let (false, Some(principal)) = (outdated.is_empty(), &self.work.pending.login) {
            let leaving = leave(self.context.clone(), principal.clone(), outdated);
            self.context.background.finish(None, Box::pin(leaving));
        }
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
    let enter = || index.enter(&login.principal, login.entry, login.stamp.as_ref());
    let entered = match enter().await {
        // To enter again changes nothing.
        Err(error) if error.kind() == StoreErrorKind::Unknown => enter().await,
        answered => answered,
    };
    let Entered::After(earlier) = entered? else {
        return Ok(Verdict::AnotherStamp);
    };
    let others = revocation::distinct(&earlier);
    let others: Vec<_> = others
        .into_iter()
        .filter(|handle| *handle != login.entry.handle)
        .collect();
    let is_admitted = match &context.limit {
        Some(_) if !login.is_renewed => limit(&context, index, &login, &earlier, &others).await?,
        _ => {
            tidy(&context, index, &login, &earlier, &others).await?;
            true
        }
    };
    let mut own = earlier;
    own.retain(|entry| entry.handle == login.entry.handle);
    Ok(match is_admitted {
        true => Verdict::Admitted(own),
        false => Verdict::TooMany,
    })
}

/// Counts the sessions that came before a login, and ends some in its place if that is what the limit says. Tells whether
/// there is room for it.
async fn limit(
    context: &Context,
    index: &dyn PrincipalIndex,
    login: &Login,
    earlier: &[Entry],
    others: &[Handle],
) -> Result<bool, StoreError> {
    let limit = context.limit.as_ref().expect("it was looked at before");
    let most = limit.most(&login.principal);
    if others.len() < most {
        return Ok(true);
    }
    let standings = revocation::standings(context, index, &login.principal, others).await?;
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
            revocation::end(context, *handle, EndReason::Evicted).await?;
            gone.push(*handle);
        }
    }
    revocation::forget(context, index, &login.principal, earlier, &gone).await;
    Ok(matches!(admission, Admission::Admitted(_)))
}

/// Looks at the oldest of many entries, so that those of sessions that have long expired do not pile up.
async fn tidy(
    context: &Context,
    index: &dyn PrincipalIndex,
    login: &Login,
    earlier: &[Entry],
    others: &[Handle],
) -> Result<(), StoreError> {
    let Some(oldest) = others.get(..TIDIED) else {
        return Ok(());
    };
    let standings = revocation::standings(context, index, &login.principal, oldest).await?;
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
    let mut pause = FIRST_PAUSE;
    for _ in 0..MOST_TRIES {
        let left = index.leave(&principal, &entries);
        if within(context.commit_timeout, left).await.is_ok() {
            return;
        }
        sleep(pause).await;
        pause *= 2;
    }
}

/// Half a second, doubled each time: it is tried for about a minute, as an end is.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MOST_TRIES: usize = 8;

/// Who has fewer sessions has none looked at.
const TIDIED: usize = 8;
