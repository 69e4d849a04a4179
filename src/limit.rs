//! How many live sessions a principal may have.

use std::{fmt, sync::Arc};

use crate::{
    id::Handle,
    principal::{PrincipalId, Realm},
};

/// How many sessions of one principal may be live at once, and what becomes of a login beyond that.
///
/// It holds exactly, however many logins there are at once and on however many nodes. A session counts from the moment
/// its login is being committed until it has ended or expired. Whether it evicts or rejects holds for all principals of a
/// layer. Default: no limit.
///
/// ```
/// use tenure::{SessionLayer, SessionLimit, store::MemoryStore};
///
/// let limit = SessionLimit::evict_oldest(5).with_most_for(|principal| (principal == "kiosk").then_some(1));
/// let layer = SessionLayer::builder(MemoryStore::new()).with_session_limit(limit).build().unwrap();
/// ```
#[derive(Clone)]
pub struct SessionLimit {
    most: usize,
    policy: Policy,
    most_for: Option<MostFor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    EvictOldest,
    Reject,
}

type MostFor = Arc<dyn Fn(&PrincipalId) -> Option<usize> + Send + Sync>;

impl SessionLimit {
    /// Lets a login in and ends the oldest ones in its place: first those whose cookie was never shown.
    ///
    /// Whoever has the password can so end all other sessions of its owner, by signing in often enough. He could do as much
    /// by a button, and he is not locked out as [`reject`](Self::reject) would do to the owner; but do not count on the limit to
    /// keep him away.
    #[must_use]
    pub const fn evict_oldest(most: usize) -> Self {
        Self::new(most, Policy::EvictOldest)
    }

    /// Refuses a login beyond the number, so that whoever came first stays: the commit fails with [`TooManySessions`](crate::ErrorKind::TooManySessions), 403 by default.
    #[must_use]
    pub const fn reject(most: usize) -> Self {
        Self::new(most, Policy::Reject)
    }

    /// Sets another number for some principals; for those of whom the function says `None` the usual one holds. Default: it
    /// holds for all.
    ///
    /// Zero lets nobody in.
    #[must_use]
    pub fn with_most_for(
        mut self,
        most: impl Fn(&PrincipalId) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        self.most_for = Some(Arc::new(most));
        self
    }

    const fn new(most: usize, policy: Policy) -> Self {
        Self {
            most,
            policy,
            most_for: None,
        }
    }

    /// Returns how many sessions a principal may have.
    pub(crate) fn most(&self, principal: &PrincipalId) -> usize {
        let own = |most: &MostFor| most(&Realm::leave(principal.clone()));
        let own = self.most_for.as_ref().and_then(own);
        own.unwrap_or(self.most)
    }

    /// Decides on a login that comes after others that count, in the order in which they came.
    pub(crate) fn decide(&self, most: usize, earlier: &[Counted]) -> Admission {
        let excess = (earlier.len() + 1).saturating_sub(most);
        match self.policy {
            _ if excess == 0 => Admission::Admitted(Vec::new()),
            Policy::EvictOldest if most > 0 => {
                let mut order: Vec<_> = earlier.iter().collect();
                // The order in which they came stays among equals.
                order.sort_by_key(|counted| counted.was_shown);
                let evicted = order.iter().take(excess);
                Admission::Admitted(evicted.map(|counted| counted.handle).collect())
            }
            Policy::EvictOldest | Policy::Reject => Admission::TooMany,
        }
    }
}

impl fmt::Debug for SessionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLimit")
            .field("most", &self.most)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A session that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) handle: Handle,
    /// A request has come with its cookie.
    pub(crate) was_shown: bool,
}

/// What becomes of a login.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// These end first.
    Admitted(Vec<Handle>),
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{Admitted, TooMany};

    const fn handle(number: u8) -> Handle {
        Handle::from_bytes([number; 16])
    }

    fn earlier(shown: &[bool]) -> Vec<Counted> {
        let numbered = (0..).zip(shown);
        let counted = numbered.map(|(number, was_shown)| Counted {
            handle: handle(number),
            was_shown: *was_shown,
        });
        counted.collect()
    }

    #[test]
    fn every_case_has_its_admission() {
        let admitted = |evicted: &[u8]| Admitted(evicted.iter().copied().map(handle).collect());
        let (reject, evict) = (SessionLimit::reject, SessionLimit::evict_oldest);
        for (case, limit, shown, admission) in [
            ("the first", reject(1), &[][..], admitted(&[])),
            ("the last that fits", reject(3), &[true; 2], admitted(&[])),
            ("one too many", reject(3), &[true; 3], TooMany),
            ("nobody may", reject(0), &[], TooMany),
            ("nobody may, nobody to evict", evict(0), &[], TooMany),
            ("room", evict(3), &[true; 2], admitted(&[])),
            ("the oldest goes", evict(3), &[true; 3], admitted(&[0])),
            ("so do several", evict(2), &[true; 4], admitted(&[0, 1, 2])),
            (
                "never shown goes first",
                evict(3),
                &[true, false, true],
                admitted(&[1]),
            ),
            (
                "then the oldest",
                evict(2),
                &[true, true, false],
                admitted(&[2, 0]),
            ),
        ] {
            assert_eq!(
                limit.decide(limit.most, &earlier(shown)),
                admission,
                "{case}"
            );
        }
    }

    #[test]
    fn some_principals_have_a_number_of_their_own() {
        let limit = SessionLimit::reject(5).with_most_for(|who| (who == "kiosk").then_some(1));
        assert_eq!(
            [limit.most(&"kiosk".into()), limit.most(&"ada".into())],
            [1, 5]
        );
    }
}
