//! What happened to sessions, for logs and audits.
//!
//! The names are those of OWASP's Logging Vocabulary where it has one. No event carries a secret or a value.

mod guessing;

use std::{error, fmt, sync::Arc, time::Duration};

pub use guessing::PeerKey;
use guessing::{Guesses, Noticed};

use http::{Extensions, HeaderMap};

use crate::{
    clock::Stopwatch,
    guard::Distrust,
    id::Handle,
    meter,
    principal::{PrincipalId, Realm},
    sync::Mutex,
};

/// Something that happened to a session.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tenure::{Event, SessionLayer, store::MemoryStore};
///
/// let audit = Arc::new(Mutex::new(Vec::new()));
/// let seen = audit.clone();
/// let layer = SessionLayer::builder(MemoryStore::new())
///     .with_observer(move |event: &Event<'_>| seen.lock().unwrap().push(event.kind().name()))
///     .build()
///     .unwrap();
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// tenure::testing::signed_in(&layer, "42").await;
/// # });
/// assert_eq!(*audit.lock().unwrap(), ["session_created", "session_authenticated"]);
/// ```
#[derive(Clone, Copy)]
pub struct Event<'a> {
    kind: EventKind,
    layer: &'a str,
    handle: Option<Handle>,
    principal: Option<&'a PrincipalId>,
    peer: Option<PeerKey>,
    error: Option<&'a (dyn error::Error + 'static)>,
    suppressed: u64,
}

impl<'a> Event<'a> {
    pub(crate) const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            layer: "",
            handle: None,
            principal: None,
            peer: None,
            error: None,
            suppressed: 0,
        }
    }

    pub(crate) const fn of(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    pub(crate) const fn by(mut self, principal: Option<&'a PrincipalId>) -> Self {
        self.principal = principal;
        self
    }

    const fn brought_by(mut self, peer: PeerKey) -> Self {
        self.peer = Some(peer);
        self
    }

    pub(crate) const fn because(mut self, error: &'a (dyn error::Error + 'static)) -> Self {
        self.error = Some(error);
        self
    }

    /// Says what happened.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the name of the layer that it happened on, which is that of its cookie.
    ///
    /// ```
    /// use tenure::{Event, SessionLayer, store::MemoryStore};
    ///
    /// struct Admin;
    ///
    /// let audit = |event: &Event<'_>| match event.layer() {
    ///     "__Host-Http-admin" => eprintln!("an administrator: {}", event.kind().name()),
    ///     _ => {}
    /// };
    /// let admins = SessionLayer::builder(MemoryStore::new())
    ///     .with_marker::<Admin>()
    ///     .with_name("__Host-Http-admin")
    ///     .with_observer(audit);
    /// assert!(admins.build().is_ok());
    /// ```
    #[must_use]
    pub const fn layer(&self) -> &'a str {
        self.layer
    }

    /// Returns the session it happened to, where it is known.
    #[must_use]
    pub const fn handle(&self) -> Option<Handle> {
        self.handle
    }

    /// Returns who is signed in, where that is what the event is about: a login, or the end of somebody's session from
    /// elsewhere.
    #[must_use]
    pub const fn principal(&self) -> Option<&'a PrincipalId> {
        self.principal
    }

    /// Returns where it came from, if that is what the event is about; see [`with_peer`](crate::SessionLayerBuilder::with_peer).
    #[must_use]
    pub const fn peer(&self) -> Option<PeerKey> {
        self.peer
    }

    /// Returns what went wrong.
    #[must_use]
    pub const fn error(&self) -> Option<&'a (dyn error::Error + 'static)> {
        self.error
    }

    /// Returns how many events of this kind were left out before this one: a visitor can cause these at will, so at
    /// most ten a second are reported.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("layer", &self.layer)
            .field("handle", &self.handle)
            .field("principal", &self.principal)
            .field("peer", &self.peer)
            .field("suppressed", &self.suppressed)
            .finish_non_exhaustive()
    }
}

/// The kinds of [`Event`].
///
/// ```
/// use tenure::{EndReason, EventKind};
///
/// assert_eq!(EventKind::Created.name(), "session_created");
/// assert_eq!(EventKind::Destroyed(EndReason::Logout).name(), "session_logout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// Somebody signed in.
    Authenticated,
    /// Another request changed the session first, and the changes were made again on its outcome.
    Conflict,
    /// A session was created.
    Created,
    /// A session got a new id.
    Cycled,
    /// A session was ended by a request.
    Destroyed(EndReason),
    /// A request came with the id of a session that had expired.
    Expired,
    /// A change came too late: the session had ended meanwhile.
    Gone,
    /// Many different ids that opened nothing came from one [peer](Event::peer) within a minute, some forty; or, without
    /// a peer, one each from more peers than are remembered, some four thousand.
    Guessing,
    /// A login was refused at its commit: the credential that it checked had been changed meanwhile.
    LoginRefused,
    /// A login was refused at its commit: its principal has as many sessions as are allowed.
    TooManySessions,
    /// A request's cookie opened no session.
    Rejected(RejectReason),
    /// A session got a new id because the old one [had become old](crate::Renewal).
    Renewed,
    /// A session was to get a new id, which could not be stored; the old one goes on.
    RenewalFailed,
    /// A session got a new id [by the clock](crate::Renewal) though three and more that were sent before have not been shown: their
    /// answers were lost, or somebody with a copy of the id takes them.
    RenewalUnshown,
    /// The store failed or did not answer in time.
    StoreFailed,
    /// A request came with an id that was replaced a moment ago.
    Superseded,
    /// A live session was changed and dropped without a commit: what was changed is lost.
    Uncommitted,
    /// A stored session does not decode.
    Undecodable,
    /// A value of a session does not decode.
    UndecodableValue,
}

impl EventKind {
    /// Returns the name under which it is logged.
    ///
    /// ```
    /// use tenure::{EventKind, RejectReason};
    ///
    /// assert_eq!(EventKind::Rejected(RejectReason::Unknown).name(), "session_id_unknown");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authenticated => "session_authenticated",
            Self::Conflict => "session_conflict",
            Self::Created => "session_created",
            Self::Cycled => "session_cycled",
            Self::Destroyed(EndReason::Destroyed) => "session_destroyed",
            Self::Destroyed(EndReason::Evicted) => "session_evicted",
            Self::Destroyed(EndReason::Logout) => "session_logout",
            Self::Destroyed(EndReason::Replaced) => "session_replaced",
            Self::Destroyed(EndReason::Reused) => "session_ended_after_reuse",
            Self::Destroyed(EndReason::Revoked) => "session_revoked",
            Self::Expired => "session_use_after_expire",
            Self::Gone => "session_gone",
            Self::Guessing => "session_id_guessing",
            Self::LoginRefused => "authn_login_fail",
            Self::TooManySessions => "excess_sessions_exceeded",
            Self::Rejected(reason) => reason.name(),
            Self::Renewed => "session_renewed",
            Self::RenewalFailed => "session_renewal_failed",
            Self::RenewalUnshown => "session_renewal_unshown",
            Self::StoreFailed => "session_store_failed",
            Self::Superseded => "session_superseded",
            Self::Uncommitted => "session_uncommitted",
            Self::Undecodable => "session_undecodable",
            Self::UndecodableValue => "session_value_undecodable",
        }
    }

    /// Returns the place of its limit; `None` for what only a handler can cause, which an audit must have whole.
    const fn limit(self) -> Option<usize> {
        match self {
            Self::Authenticated
            | Self::Created
            | Self::Cycled
            | Self::Destroyed(_)
            | Self::LoginRefused
            | Self::Renewed
            | Self::TooManySessions => None,
            Self::Conflict => Some(0),
            Self::Expired => Some(1),
            Self::Gone => Some(2),
            Self::StoreFailed => Some(3),
            Self::Superseded => Some(4),
            Self::Undecodable => Some(5),
            Self::UndecodableValue => Some(6),
            Self::Guessing => Some(7),
            Self::RenewalFailed => Some(8),
            Self::Uncommitted => Some(9),
            Self::RenewalUnshown => Some(10),
            Self::Rejected(reason) => Some(11 + reason as usize),
        }
    }
}

/// Why a session was ended.
///
/// ```
/// use tenure::{EndReason, EventKind};
///
/// let reasons = [EndReason::Destroyed, EndReason::Logout, EndReason::Replaced];
/// let names = reasons.map(|reason| EventKind::Destroyed(reason).name());
/// assert_eq!(names, ["session_destroyed", "session_logout", "session_replaced"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// `destroy` was called.
    Destroyed,
    /// A login beyond the limit took its place.
    Evicted,
    /// `logout` was called.
    Logout,
    /// A login made a new session in its place.
    Replaced,
    /// An id that was [renewed](crate::Renewal) came again long after, so somebody has a copy of it.
    Reused,
    /// It was ended from another session, or by an operator.
    Revoked,
}

impl EndReason {
    /// Tells whether the handler asked for the end, so that it comes whatever the handler answers.
    pub(crate) const fn is_explicit(self) -> bool {
        match self {
            Self::Destroyed | Self::Logout => true,
            Self::Evicted | Self::Replaced | Self::Reused | Self::Revoked => false,
        }
    }
}

/// Why a request's cookie opened no session.
///
/// ```
/// use tenure::{EventKind, RejectReason};
///
/// let is_suspicious = |kind| matches!(kind, EventKind::Rejected(RejectReason::WrongSecret | RejectReason::Ambiguous));
/// assert!(is_suspicious(EventKind::Rejected(RejectReason::WrongSecret)));
/// assert!(!is_suspicious(EventKind::Expired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// Several different ids, of which not exactly one was live.
    Ambiguous,
    /// A cross-site request without its cookie tried to start a session.
    CrossSite,
    /// With a keyring: the stored session is not what a holder of the keys has written under this handle. Somebody has
    /// changed or planted it.
    Forged,
    /// The value does not have the shape of an id.
    Malformed,
    /// An id that was [renewed](crate::Renewal), long after its browser has shown the next.
    Reused,
    /// More different ids than are looked up.
    TooMany,
    /// With a keyring: the session was stored without one, and the time is over in which such are accepted.
    Unauthenticated,
    /// No session has this handle.
    Unknown,
    /// The session was stored with a key that is not in the keyring, or no longer.
    UnknownKey,
    /// The handle of a live session with a secret that is not its own.
    WrongSecret,
}

impl From<Distrust> for RejectReason {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::Forged => Self::Forged,
            Distrust::Unauthenticated => Self::Unauthenticated,
            Distrust::UnknownKey => Self::UnknownKey,
        }
    }
}

impl RejectReason {
    const COUNT: usize = 10;

    const fn name(self) -> &'static str {
        match self {
            Self::Ambiguous => "session_id_ambiguous",
            Self::CrossSite => "session_cross_site",
            Self::Forged => "session_forged",
            Self::Malformed => "session_id_malformed",
            Self::Reused => "session_id_reused",
            Self::TooMany => "session_ids_too_many",
            Self::Unauthenticated => "session_unauthenticated",
            Self::Unknown => "session_id_unknown",
            Self::UnknownKey => "session_key_unknown",
            Self::WrongSecret => "session_id_wrong_secret",
        }
    }
}

/// Sends events to `tracing` and to the application's hook.
pub(crate) struct Observer {
    layer: Arc<str>,
    hook: Option<Hook>,
    limits: Limits,
    guesses: Guesses,
}

/// Where the application says a request comes from.
pub(crate) type PeerOf = Arc<dyn Fn(&HeaderMap, &Extensions) -> Option<PeerKey> + Send + Sync>;

/// What the application wants to be told.
pub(crate) type Hook = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

impl Observer {
    pub(crate) fn new(layer: &str, hook: Option<Hook>) -> Self {
        Self {
            layer: layer.into(),
            hook,
            limits: Limits::default(),
            guesses: Guesses::default(),
        }
    }

    /// Counts an id that has opened nothing, and tells of whoever brings many.
    pub(crate) fn count_guess(&self, peer: PeerKey, id: &[u8]) {
        let event = Event::new(EventKind::Guessing);
        match self.guesses.count(peer, id, Stopwatch::start()) {
            Some(Noticed::Guessing) => self.observe(event.brought_by(peer)),
            Some(Noticed::Crowd) => self.observe(event),
            None => {}
        }
    }

    pub(crate) fn observe(&self, event: Event<'_>) {
        meter::event(event.kind.name(), &self.layer);
        let principal = event.principal.cloned().map(Realm::leave);
        let mut event = Event {
            layer: &self.layer,
            principal: principal.as_ref(),
            ..event
        };
        if let Some(place) = event.kind.limit() {
            match self.limits.admit(place) {
                Some(suppressed) => event.suppressed = suppressed,
                None => return,
            }
        }
        log(&event);
        if let Some(hook) = &self.hook {
            hook(&event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

fn log(event: &Event<'_>) {
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                target: "tenure",
                layer = event.layer,
                handle = event.handle.map(tracing::field::display),
                principal = event.principal.map(tracing::field::display),
                peer = event.peer.map(tracing::field::display),
                error = event.error,
                suppressed = event.suppressed,
                "{}",
                event.kind.name(),
            )
        };
    }
    match event.kind {
        EventKind::StoreFailed
        | EventKind::Uncommitted
        | EventKind::Undecodable
        | EventKind::UndecodableValue => at!(error),
        EventKind::Rejected(_)
        | EventKind::Guessing
        | EventKind::Superseded
        | EventKind::Gone
        | EventKind::LoginRefused
        | EventKind::RenewalFailed
        | EventKind::RenewalUnshown
        | EventKind::TooManySessions => at!(warn),
        EventKind::Authenticated
        | EventKind::Created
        | EventKind::Cycled
        | EventKind::Destroyed(_) => at!(info),
        EventKind::Conflict | EventKind::Expired | EventKind::Renewed => at!(debug),
    }
}

/// A limit for each kind that a visitor can cause.
#[derive(Default)]
struct Limits([Mutex<Limit>; 11 + RejectReason::COUNT]);

impl Limits {
    fn admit(&self, place: usize) -> Option<u64> {
        self.0[place].lock().admit(Stopwatch::start())
    }
}

/// At most ten events in a second, and a count of the others.
#[derive(Default)]
struct Limit {
    window: Option<Stopwatch>,
    admitted: u32,
    suppressed: u64,
}

impl Limit {
    const PER_WINDOW: u32 = 10;
    const WINDOW: Duration = Duration::from_secs(1);

    /// Returns how many were left out before this one; `None` if it is to be left out too.
    fn admit(&mut self, now: Stopwatch) -> Option<u64> {
        if self
            .window
            .is_none_or(|start| now.since(start) >= Self::WINDOW)
        {
            self.window = Some(now);
            self.admitted = 0;
        }
        if self.admitted == Self::PER_WINDOW {
            self.suppressed += 1;
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_events_a_second_are_reported_and_the_others_counted() {
        let mut limit = Limit::default();
        let start = Stopwatch::start();
        let admitted =
            |limit: &mut Limit, at| (0..25).filter_map(|_| limit.admit(at)).collect::<Vec<_>>();
        assert_eq!(admitted(&mut limit, start), [0; 10]);
        let next = admitted(&mut limit, start.later(Limit::WINDOW));
        assert_eq!((next.len(), next[0], next[1]), (10, 15, 0));
    }

    #[test]
    fn what_an_audit_must_have_is_never_left_out() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let count = Arc::new(AtomicUsize::new(0));
        let seen = count.clone();
        let observer = Observer::new(
            "id",
            Some(Arc::new(move |_: &Event<'_>| {
                seen.fetch_add(1, Ordering::SeqCst);
            })),
        );
        (0..50).for_each(|_| observer.observe(Event::new(EventKind::Destroyed(EndReason::Logout))));
        assert_eq!(count.swap(0, Ordering::SeqCst), 50);
        (0..50)
            .for_each(|_| observer.observe(Event::new(EventKind::Rejected(RejectReason::Unknown))));
        assert!(count.load(Ordering::SeqCst) < 50);
    }

    #[test]
    fn every_limited_kind_has_a_limit_of_its_own() {
        use RejectReason::{
            Ambiguous, CrossSite, Forged, Malformed, Reused, TooMany, Unauthenticated, Unknown,
            UnknownKey, WrongSecret,
        };
        let rejected = [
            Ambiguous,
            CrossSite,
            Forged,
            Malformed,
            Reused,
            TooMany,
            Unauthenticated,
            Unknown,
            UnknownKey,
            WrongSecret,
        ]
        .map(EventKind::Rejected);
        let others = [
            EventKind::Conflict,
            EventKind::Expired,
            EventKind::Gone,
            EventKind::Guessing,
            EventKind::RenewalFailed,
            EventKind::RenewalUnshown,
            EventKind::StoreFailed,
            EventKind::Superseded,
            EventKind::Uncommitted,
            EventKind::Undecodable,
            EventKind::UndecodableValue,
        ];
        let mut places: Vec<_> = rejected
            .into_iter()
            .chain(others)
            .filter_map(EventKind::limit)
            .collect();
        places.sort_unstable();
        assert_eq!(places, (0..11 + RejectReason::COUNT).collect::<Vec<_>>());
    }
}
