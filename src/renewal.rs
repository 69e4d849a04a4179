//! Renewing the id by the clock.

use std::time::Duration;

use crate::clock::Timestamp;

/// How often a session gets a new id though nothing has happened, and what becomes of the old one.
///
/// An id that was stolen is worth something for as long as it opens the session. With a renewal that is until its owner
/// comes again and the [grace](Self::with_grace) is over, and its use after that is noticed. OWASP calls it the renewal
/// time-out.
///
/// The old id opens the session until the browser has shown the new one, so a response that is lost logs nobody out, and
/// for the grace after that, so neither do requests that were on their way. A new id that is not shown is followed by
/// another after a minute at the earliest, and opens the session beside it. A response of 5xx brings none, and one that
/// cannot be stored is an event ([`RenewalFailed`](crate::EventKind::RenewalFailed)) and nothing else. The
/// [generation](crate::Session::generation) stays as it is.
///
/// Somebody with a copy may ask more often than the owner, and so take the new ids that were meant for him and show none. Nobody
/// can tell that from answers that are lost, so it ends nothing. But after three that were not shown there is one in the time of a
/// renewal, and each is an event ([`RenewalUnshown`](crate::EventKind::RenewalUnshown)). Six at most open the session: the newest
/// gives way to the next, and counts as [reused](OnReuse) if it comes later.
///
/// A [live session](crate::LiveSession) that was opened with a copy outlives the copy, for it is bound to the generation: see the
/// guide on [sockets](crate::_guides::live).
///
/// ```
/// use std::time::Duration;
/// use tenure::{OnReuse, Renewal, SessionLayer, store::MemoryStore};
///
/// let hourly = Renewal::every(Duration::from_secs(60 * 60)).with_on_reuse(OnReuse::End);
/// let layer = SessionLayer::builder(MemoryStore::new()).with_renewal(hourly).build().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    every: Duration,
    grace: Duration,
    on_reuse: OnReuse,
}

impl Renewal {
    /// Renews an id that is this old, when a request comes with it.
    #[must_use]
    pub const fn every(every: Duration) -> Self {
        Self {
            every,
            grace: DEFAULT_GRACE,
            on_reuse: OnReuse::Report,
        }
    }

    /// Sets for how long an id opens the session after its successor was shown. Default: 30 seconds, which is longer than
    /// a browser's requests are on their way. At most a minute: as long is an id known that a privilege change replaced.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets what becomes of a session whose old id is used after its grace. Default: [`OnReuse::Report`].
    #[must_use]
    pub const fn with_on_reuse(mut self, on_reuse: OnReuse) -> Self {
        self.on_reuse = on_reuse;
        self
    }

    /// Returns the rule that this breaks, as a sentence that names the mend.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self.grace <= MOST_GRACE {
            true => Ok(()),
            false => Err(
                "an id would open its session for more than a minute after the next one was shown; give `with_grace` less",
            ),
        }
    }

    pub(crate) const fn grace(&self) -> Duration {
        self.grace
    }

    pub(crate) const fn ends_on_reuse(&self) -> bool {
        matches!(self.on_reuse, OnReuse::End)
    }

    /// Tells whether an id that was drawn at a time gets a successor now, of which some may have been sent and not shown.
    pub(crate) fn is_due(&self, drawn: Timestamp, unshown: Unshown, now: Timestamp) -> bool {
        let wait = match unshown.count < FEW_UNSHOWN {
            true => UNTIL_ANOTHER,
            false => self.every.max(UNTIL_ANOTHER),
        };
        let newest = unshown.newest;
        now.since(drawn) >= self.every && newest.is_none_or(|sent| now.since(sent) >= wait)
    }
}

/// What becomes of a session whose old id comes again after its [grace](Renewal::with_grace): somebody has a copy, and
/// nobody knows who of the two it is.
///
/// Only ids that were [renewed](Renewal) count, and only until the next privilege change. Of many the first and the last six are
/// remembered: where a thief has shown six that followed the owner's, and the owner's was not the first of all, it opens nothing
/// when it comes, but nobody knows it for what it is.
///
/// ```
/// use tenure::OnReuse;
///
/// assert_eq!(OnReuse::default(), OnReuse::Report);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnReuse {
    /// It ends, for both of them.
    End,
    /// The request has no session, and an event says why: [`RejectReason::Reused`](crate::RejectReason::Reused). The
    /// default, because a restored browser profile does the same.
    #[default]
    Report,
}

/// The successors of an id that were sent and not shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unshown {
    pub(crate) count: usize,
    /// When the newest was sent.
    pub(crate) newest: Option<Timestamp>,
}

/// What a session needs besides what its request does to it. It is done if nothing comes between, and fails no request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upkeep {
    /// The id that came was not known to have been received.
    pub(crate) confirm: bool,
    /// It is old enough for another.
    pub(crate) renew: bool,
}

impl Upkeep {
    pub(crate) const NONE: Self = Self {
        confirm: false,
        renew: false,
    };

    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            confirm: self.confirm && other.confirm,
            renew: self.renew && other.renew,
        }
    }

    pub(crate) const fn is_any(self) -> bool {
        self.confirm || self.renew
    }
}

pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(30);

const MOST_GRACE: Duration = Duration::from_secs(60);

/// How many successors are sent one a minute; as many answers in a row are lost now and then.
pub(crate) const FEW_UNSHOWN: usize = 3;

/// A response takes a while to come, and so does the request after it.
const UNTIL_ANOTHER: Duration = Duration::from_secs(60);
