//! How long a session lives: pure functions of a policy, a record's stamps and the engine's now.

use std::time::Duration;

use crate::clock::{Timestamp, whole_millis};

/// How long a session lives without being used, and at most.
///
/// Both limits are enforced by the server on every read. The defaults are what OWASP advises for low-risk
/// applications (30 minutes idle) and the cap that NIST SP 800-63B-4 sets for AAL3 (12 hours in all).
///
/// ```
/// use std::time::Duration;
/// use tenure::Lifetime;
///
/// let lifetime = Lifetime::new();
/// assert_eq!(lifetime.idle(), Duration::from_secs(30 * 60));
/// assert_eq!(lifetime.absolute(), Duration::from_secs(12 * 60 * 60));
/// assert_eq!(lifetime.touch_every(), Duration::from_secs(3 * 60));
/// assert!(!lifetime.is_persistent());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// In whole milliseconds, as it is stored and as stores are given it.
    idle: u64,
    absolute: u64,
    touch_every: Option<u64>,
    persistent: bool,
}

impl Lifetime {
    /// Returns the defaults: 30 minutes idle, 12 hours in all, forgotten when the browser is closed.
    ///
    /// ```
    /// use tenure::Lifetime;
    ///
    /// assert_eq!(Lifetime::new(), Lifetime::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            idle: 30 * MINUTE,
            absolute: 12 * HOUR,
            touch_every: None,
            persistent: false,
        }
    }

    /// Returns a lifetime that survives a restart of the browser ("remember me"): 14 days idle, 30 days in all.
    ///
    /// The cookie gets a `Max-Age` that runs to the absolute deadline (at most 400 days, where browsers cut it), so it
    /// is not sent again when the session is used. Thirty days is the most that NIST SP 800-63B-4 advises for AAL1.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// let lifetime = Lifetime::persistent();
    /// assert_eq!(lifetime.absolute(), Duration::from_secs(30 * 24 * 60 * 60));
    /// assert!(lifetime.is_persistent());
    /// ```
    #[must_use]
    pub const fn persistent() -> Self {
        Self {
            idle: 14 * DAY,
            absolute: 30 * DAY,
            touch_every: None,
            persistent: true,
        }
    }

    /// Returns the times of NIST SP 800-63B-4 for authentication assurance level 1: 30 days in all, however idle.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// const HOUR: Duration = Duration::from_secs(3_600);
    /// let times = |lifetime: Lifetime| (lifetime.idle(), lifetime.absolute());
    /// assert_eq!(times(Lifetime::aal1()), (HOUR * 24 * 30, HOUR * 24 * 30));
    /// assert_eq!(times(Lifetime::aal2()), (HOUR, HOUR * 24));
    /// assert_eq!(times(Lifetime::aal3()), (HOUR / 4, HOUR * 12));
    /// ```
    #[must_use]
    pub const fn aal1() -> Self {
        let month = Duration::from_secs(30 * 24 * 3_600);
        Self::new().with_idle(month).with_absolute(month)
    }

    /// Returns the times of NIST SP 800-63B-4 for authentication assurance level 2: 1 hour idle, 24 hours in all. The idle
    /// time is exact, as it is for level 3: each request that loads the session renews its stamp.
    ///
    /// See [`aal1`](Self::aal1).
    #[must_use]
    pub const fn aal2() -> Self {
        Self::exact(3_600, 24 * 3_600)
    }

    /// Returns the times of NIST SP 800-63B-4 for authentication assurance level 3: 15 minutes idle, 12 hours in all.
    ///
    /// See [`aal1`](Self::aal1).
    #[must_use]
    pub const fn aal3() -> Self {
        Self::exact(15 * 60, 12 * 3_600)
    }

    const fn exact(idle: u64, absolute: u64) -> Self {
        Self::new()
            .with_idle(Duration::from_secs(idle))
            .with_absolute(Duration::from_secs(absolute))
            .with_touch_every(Duration::ZERO)
    }

    /// Sets how long a session lives after the last request that used it. Default: 30 minutes.
    ///
    /// OWASP advises 2 to 5 minutes for high-value applications and 15 to 30 for others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// let bank = Lifetime::new().with_idle(Duration::from_secs(5 * 60));
    /// assert_eq!(bank.idle(), Duration::from_secs(5 * 60));
    /// ```
    #[must_use]
    pub const fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = whole_millis(idle);
        self
    }

    /// Sets how long a session lives at most, however busy. Default: 12 hours.
    ///
    /// It is counted from the authentication once there is one, and from the creation before.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// let office_day = Lifetime::new().with_absolute(Duration::from_secs(8 * 60 * 60));
    /// assert_eq!(office_day.absolute(), Duration::from_secs(8 * 60 * 60));
    /// ```
    #[must_use]
    pub const fn with_absolute(mut self, absolute: Duration) -> Self {
        self.absolute = whole_millis(absolute);
        self
    }

    /// Sets how stale the store's last-seen stamp may become before a read renews it.
    ///
    /// Default: a tenth of the idle time-out, at most 5 minutes. A session lives at least `idle` and at most
    /// `idle + touch_every` after the last request that loaded it; zero makes it exact and costs a write per read.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// let exact = Lifetime::new().with_touch_every(Duration::ZERO);
    /// assert_eq!(exact.touch_every(), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn with_touch_every(mut self, touch_every: Duration) -> Self {
        self.touch_every = Some(whole_millis(touch_every));
        self
    }

    /// Returns the idle time-out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// assert_eq!(Lifetime::persistent().idle(), Duration::from_secs(14 * 24 * 60 * 60));
    /// ```
    #[must_use]
    pub const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle)
    }

    /// Returns the absolute time-out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// assert_eq!(Lifetime::new().absolute(), Duration::from_secs(12 * 60 * 60));
    /// ```
    #[must_use]
    pub const fn absolute(&self) -> Duration {
        Duration::from_millis(self.absolute)
    }

    /// Returns how stale the last-seen stamp may become.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Lifetime;
    ///
    /// assert_eq!(Lifetime::new().touch_every(), Duration::from_secs(3 * 60));
    /// assert_eq!(Lifetime::persistent().touch_every(), Duration::from_secs(5 * 60));
    /// ```
    #[must_use]
    pub fn touch_every(&self) -> Duration {
        Duration::from_millis(self.touch_millis())
    }

    /// Tells whether the cookie survives a restart of the browser.
    ///
    /// ```
    /// use tenure::Lifetime;
    ///
    /// assert!(!Lifetime::new().is_persistent());
    /// ```
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// Returns the first rule that this lifetime breaks, as a sentence that names the mend.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.idle == 0 {
            return Err(
                "the idle time-out is shorter than a millisecond; give `with_idle` a longer one",
            );
        }
        if self.absolute == 0 {
            return Err(
                "the absolute time-out is shorter than a millisecond; give `with_absolute` a longer one",
            );
        }
        if self.touch_millis() > self.idle {
            return Err(
                "the last-seen stamp may become older than the idle time-out; give `with_touch_every` a shorter time",
            );
        }
        Ok(())
    }

    /// Tells when nobody's coming ends the session.
    pub(crate) fn idle_deadline(&self, stamps: Stamps) -> Timestamp {
        stamps.last_seen.after(self.idle_and_touch())
    }

    /// Tells when the session ends, however busy.
    pub(crate) fn absolute_deadline(&self, stamps: Stamps) -> Timestamp {
        let begun = stamps.authenticated.unwrap_or(stamps.created);
        begun.after(self.absolute)
    }

    /// Tells whether a session with these stamps lives; at its deadline it does not.
    pub(crate) fn is_live(&self, stamps: Stamps, now: Timestamp) -> bool {
        now < self.idle_deadline(stamps) && now < self.absolute_deadline(stamps)
    }

    /// Returns the duration that a store is given by a touch; `None` if the last-seen stamp is not stale yet.
    pub(crate) fn touch(&self, stamps: Stamps, now: Timestamp) -> Option<Duration> {
        let is_stale = now.millis_since(stamps.last_seen) >= self.touch_millis();
        is_stale.then(|| self.expires_in(stamps, now)).flatten()
    }

    /// Returns the duration that a store is given now; `None` if the absolute deadline has come.
    ///
    /// It is whole milliseconds and never zero, so no store can take it for "for ever".
    pub(crate) fn expires_in(&self, stamps: Stamps, now: Timestamp) -> Option<Duration> {
        let remaining = self.absolute_deadline(stamps).millis_since(now);
        let expires_in = remaining.min(self.idle_and_touch());
        (expires_in > 0).then(|| Duration::from_millis(expires_in))
    }

    /// Returns the duration that a store is given for a session that begins.
    pub(crate) fn first_expiry(&self) -> Duration {
        Duration::from_millis(self.absolute.min(self.idle_and_touch()))
    }

    /// Returns the `Max-Age` in seconds that a persistent cookie gets now.
    pub(crate) fn max_age(&self, stamps: Stamps, now: Timestamp) -> Option<u64> {
        let remaining = self.absolute_deadline(stamps).millis_since(now);
        // Up: at zero the browser would forget a session that still lives.
        let seconds = remaining.div_ceil(1_000);
        self.persistent.then_some(seconds.min(LONGEST_MAX_AGE))
    }

    fn touch_millis(&self) -> u64 {
        self.touch_every
            .unwrap_or_else(|| (self.idle / 10).min(LONGEST_TOUCH))
    }

    fn idle_and_touch(&self) -> u64 {
        self.idle.saturating_add(self.touch_millis())
    }

    /// The stored form: see `record::header`.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        // The highest number stands for none.
        let touch_every = self
            .touch_every
            .map_or(u64::MAX, |every| every.min(u64::MAX - 1));
        let mut bytes = [0; Self::BYTES];
        bytes[0] = u8::from(self.persistent);
        bytes[1..9].copy_from_slice(&self.idle.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.absolute.to_be_bytes());
        bytes[17..25].copy_from_slice(&touch_every.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let millis =
            |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let persistent = match bytes[0] {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self {
            idle: millis(1),
            absolute: millis(9),
            touch_every: Some(millis(17)).filter(|millis| *millis != u64::MAX),
            persistent,
        })
    }

    pub(crate) const BYTES: usize = 25;
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::new()
    }
}

/// The points in time that decide whether a session lives, all of the engine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamps {
    pub(crate) created: Timestamp,
    pub(crate) authenticated: Option<Timestamp>,
    pub(crate) last_seen: Timestamp,
}

const MINUTE: u64 = 60 * 1_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// What a store can be given at least.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_TOUCH: u64 = 5 * MINUTE;
/// RFC 6265bis section 5.5: browsers cut longer ones.
const LONGEST_MAX_AGE: u64 = 400 * DAY / 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// In seconds.
    const DAY: u64 = 24 * 60 * 60;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    const fn stamps(created: u64, authenticated: Option<u64>, last_seen: u64) -> Stamps {
        Stamps {
            created: at(created),
            authenticated: match authenticated {
                Some(seconds) => Some(at(seconds)),
                None => None,
            },
            last_seen: at(last_seen),
        }
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Idle 100 s, stamps at most 10 s stale, 1,000 s in all.
    const POLICY: Lifetime = Lifetime::new()
        .with_idle(secs(100))
        .with_absolute(secs(1_000));

    #[test]
    fn a_session_ends_at_its_idle_or_absolute_deadline_whichever_comes_first() {
        for (case, stamps, now, live) in [
            ("fresh", stamps(0, None, 0), at(0), true),
            (
                "a moment before idle and touch",
                stamps(0, None, 0),
                at(109),
                true,
            ),
            ("at idle and touch", stamps(0, None, 0), at(110), false),
            ("seen since", stamps(0, None, 50), at(159), true),
            (
                "busy until the absolute deadline",
                stamps(0, None, 999),
                at(999),
                true,
            ),
            (
                "at the absolute deadline",
                stamps(0, None, 999),
                at(1_000),
                false,
            ),
            (
                "counted from the authentication",
                stamps(0, Some(500), 1_400),
                at(1_499),
                true,
            ),
            (
                "which has its deadline too",
                stamps(0, Some(500), 1_499),
                at(1_500),
                false,
            ),
            (
                "a clock that went back ends nothing",
                stamps(100, None, 100),
                at(50),
                true,
            ),
        ] {
            assert_eq!(POLICY.is_live(stamps, now), live, "{case}");
        }
    }

    #[test]
    fn a_touch_is_due_once_the_stamp_is_stale() {
        let exact = POLICY.with_touch_every(Duration::ZERO);
        for (case, policy, now, due) in [
            ("fresh", POLICY, at(0), false),
            ("a moment before", POLICY, at(9), false),
            ("stale", POLICY, at(10), true),
            ("exact", exact, at(0), true),
        ] {
            let touch = policy.touch(stamps(0, None, 0), now);
            assert_eq!(touch, due.then(|| policy.first_expiry()), "{case}");
        }
    }

    #[test]
    fn the_store_is_given_the_nearer_deadline_and_never_zero() {
        for (case, now, expires_in) in [
            ("idle is nearer", at(0), Some(secs(110))),
            ("absolute is nearer", at(950), Some(secs(50))),
            (
                "the last millisecond",
                Timestamp::from_millis(999_999),
                Some(Duration::from_millis(1)),
            ),
            ("the deadline has come", at(1_000), None),
            ("the deadline is past", at(5_000), None),
        ] {
            assert_eq!(
                POLICY.expires_in(stamps(0, None, 0), now),
                expires_in,
                "{case}"
            );
        }
    }

    #[test]
    fn only_a_persistent_cookie_gets_a_max_age_and_at_most_400_days() {
        let born = stamps(0, None, 0);
        let decade = Lifetime::persistent().with_absolute(secs(3_650 * DAY));
        assert_eq!(POLICY.max_age(born, at(0)), None);
        assert_eq!(Lifetime::persistent().max_age(born, at(0)), Some(30 * DAY));
        assert_eq!(
            Lifetime::persistent().max_age(born, at(DAY)),
            Some(29 * DAY)
        );
        assert_eq!(decade.max_age(born, at(0)), Some(400 * DAY));
        let last = Timestamp::from_millis(30 * DAY * 1_000 - 1);
        assert_eq!(
            Lifetime::persistent().max_age(born, last),
            Some(1),
            "zero would remove it"
        );
    }

    #[test]
    fn the_touch_interval_is_a_tenth_of_idle_and_at_most_five_minutes() {
        assert_eq!(POLICY.touch_every(), secs(10));
        assert_eq!(Lifetime::persistent().touch_every(), secs(300));
        assert_eq!(POLICY.with_touch_every(secs(1)).touch_every(), secs(1));
    }

    #[test]
    fn a_lifetime_without_any_time_breaks_a_rule() {
        assert_eq!(Lifetime::new().check(), Ok(()));
        assert!(
            POLICY
                .with_idle(Duration::ZERO)
                .check()
                .unwrap_err()
                .contains("with_idle")
        );
        assert!(
            POLICY
                .with_absolute(Duration::from_micros(1))
                .check()
                .unwrap_err()
                .contains("with_absolute")
        );
        assert!(
            POLICY
                .with_touch_every(secs(101))
                .check()
                .unwrap_err()
                .contains("with_touch_every")
        );
    }

    #[test]
    fn the_stored_form_reads_back() {
        for lifetime in [
            Lifetime::new(),
            Lifetime::persistent(),
            POLICY.with_touch_every(secs(7)),
            POLICY.with_touch_every(Duration::from_millis(u64::MAX - 1)),
        ] {
            assert_eq!(Lifetime::from_bytes(&lifetime.to_bytes()), Some(lifetime));
        }
        assert_eq!(Lifetime::from_bytes(&[2; Lifetime::BYTES]), None);
    }

    #[test]
    fn the_longest_times_there_are_overflow_nothing() {
        let forever = Lifetime::new()
            .with_idle(Duration::MAX)
            .with_absolute(Duration::MAX);
        assert!(forever.is_live(stamps(0, None, 0), at(u64::MAX / 2_000)));
        assert!(forever.expires_in(stamps(0, None, 0), at(1)).is_some());
    }
}
