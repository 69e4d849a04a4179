//! The only reader of the time.
//!
//! Everything that decides takes a [`Timestamp`] as an argument; the engine that keeps a session says what time it is.

#![expect(
    clippy::disallowed_methods,
    reason = "here, and nowhere else, the time is read"
)]

use std::{
    fmt,
    ops::Add,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// A point in time: whole milliseconds since the Unix epoch.
///
/// Stores keep this integer as it is, so that no date library is forced on anyone. It converts into [`SystemTime`],
/// which every date library takes.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tenure::Timestamp;
///
/// let start = Timestamp::from_millis(1_000);
/// assert_eq!(start + Duration::from_secs(2), Timestamp::from_millis(3_000));
/// assert_eq!((start + Duration::from_secs(2)).since(start), Duration::from_secs(2));
/// assert_eq!(SystemTime::from(start), SystemTime::UNIX_EPOCH + Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes a timestamp of milliseconds since the Unix epoch.
    ///
    /// ```
    /// use tenure::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_millis(1_000).as_millis(), 1_000);
    /// ```
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    ///
    /// ```
    /// use tenure::Timestamp;
    ///
    /// assert!(Timestamp::from_millis(1_000) < Timestamp::from_millis(1_001));
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time that has passed since `earlier`, zero if `earlier` is later.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Timestamp;
    ///
    /// let (start, end) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_000));
    /// assert_eq!(end.since(start), Duration::from_secs(2));
    /// assert_eq!(start.since(end), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis_since(earlier))
    }

    pub(crate) const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the timestamp so many milliseconds later, the last one rather than an overflow.
    pub(crate) const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Adds a duration, cut to whole milliseconds; the far future is the last timestamp, never an overflow.
    fn add(self, duration: Duration) -> Self {
        self.after(whole_millis(duration))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(timestamp.0)
    }
}

/// The clock of a store that has no engine of its own.
///
/// The default is the system's clock; a manual one stands still until it is moved, so that tests never sleep.
///
/// ```
/// use std::time::Duration;
/// use tenure::Clock;
///
/// let clock = Clock::manual();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// Returns the system's clock.
    ///
    /// ```
    /// use tenure::{Clock, Timestamp};
    ///
    /// assert!(Clock::system().now() > Timestamp::from_millis(1_767_225_600_000)); // 2026
    /// ```
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// Returns a clock that stands still until [`advance`](Self::advance) moves it. Clones share the hands.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Clock, store::MemoryStore};
    ///
    /// let clock = Clock::manual();
    /// let store = MemoryStore::new().with_clock(clock.clone());
    /// let before = clock.now();
    /// assert_eq!(clock.now(), before);
    /// ```
    #[must_use]
    pub fn manual() -> Self {
        Self(Some(Arc::new(AtomicU64::new(MANUAL_START))))
    }

    /// Moves a manual clock forward.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Clock;
    ///
    /// let clock = Clock::manual();
    /// let (clone, before) = (clock.clone(), clock.now());
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(clone.now().since(before), Duration::from_secs(60));
    /// ```
    ///
    /// # Panics
    ///
    /// On the system's clock, which nobody moves.
    pub fn advance(&self, duration: Duration) {
        let hands = self.0.as_ref().expect("only a manual clock can be moved");
        hands.fetch_add(whole_millis(duration), Ordering::SeqCst);
    }

    /// Says what time it is.
    ///
    /// ```
    /// use tenure::Clock;
    ///
    /// let clock = Clock::system();
    /// assert!(clock.now() <= clock.now());
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(hands) => Timestamp(hands.load(Ordering::SeqCst)),
            None => Timestamp(whole_millis(
                SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default(),
            )),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Clock::manual",
            None => "Clock::system",
        })
    }
}

/// Measures time that passes in this process, whatever the wall clock does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    #[cfg(test)]
    pub(crate) fn later(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

/// Tells one moment of this machine from another, and nothing else.
pub(crate) fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 counts backwards, and each moment is still another one.
    let since = since.unwrap_or_else(|before| before.duration());
    since
        .as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u64::from(since.subsec_nanos()))
}

/// Returns the whole milliseconds of a duration; more than half a billion years is the longest there is.
pub(crate) const fn whole_millis(duration: Duration) -> u64 {
    let millis = duration.as_secs().saturating_mul(1_000);
    millis.saturating_add(duration.subsec_millis() as u64)
}

/// 2026-01-01T00:00:00Z, so that what a test prints looks like a date.
const MANUAL_START: u64 = 1_767_225_600_000;
