//! The server's keys: one that is active, and a few that others are being replaced by or have replaced.
//!
//! What is made with a key says so by the key's id, so a key is found and never tried.

mod date;
mod derived;
mod error;
mod read;
mod server_key;

use std::{fmt, sync::Arc};

use date::Date;
pub(crate) use derived::Derived;
pub use error::KeyError;
pub use server_key::{KeyId, ServerKey};

use crate::{clock::Timestamp, id::KeyTag, lifetime::Lifetime, sync::Mutex};

/// The keys of a server: one that is active, and at most four others.
///
/// With [a keyring](crate::SessionLayerBuilder::with_keyring) a copy of the store does not even let anybody check a guess at a secret, and who
/// writes to the store can neither plant a session nor change one. Everything is made with the active key; what was made
/// with another one of the ring is still good, and what was made with a key that is not in it opens nothing.
///
/// Clones are the same ring, which can be [replaced](Self::replace) while the application runs. The guide on
/// [keys](crate::_guides::keys) says how to make, load and rotate them.
///
/// ```
/// use tenure::{Keyring, ServerKey, SessionLayer, store::MemoryStore};
///
/// let keyring = Keyring::new(ServerKey::generate()?);
/// let layer = SessionLayer::builder(MemoryStore::new()).with_keyring(keyring.clone()).build().unwrap();
///
/// // Later, in the running application: a key that all nodes know by now becomes the active one.
/// let next = ServerKey::generate()?;
/// let id = next.id();
/// keyring.replace(Keyring::new(next));
/// assert_eq!(keyring.active(), id);
/// # Ok::<_, tenure::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    ring: Arc<Mutex<Arc<Ring>>>,
}

/// The keys as they are at a time.
#[derive(Clone)]
pub(crate) struct Ring {
    active: ServerKey,
    others: Vec<Other>,
    unkeyed_until: Option<Timestamp>,
}

#[derive(Clone)]
struct Other {
    key: ServerKey,
    /// `None` if it is not known, or is to come.
    replaced_at: Option<Timestamp>,
}

impl Keyring {
    /// Makes a ring of one key.
    #[must_use]
    pub fn new(active: ServerKey) -> Self {
        Self::of(Ring {
            active,
            others: Vec::new(),
            unkeyed_until: None,
        })
    }

    fn of(ring: Ring) -> Self {
        Self {
            ring: Arc::new(Mutex::new(Arc::new(ring))),
        }
    }

    /// Makes a ring that knows a key besides, which was active until a time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Keyring, Lifetime, ServerKey, Timestamp};
    ///
    /// let replaced_at = Timestamp::from_millis(1_795_737_600_000); // 2026-11-27
    /// let keyring = Keyring::new(ServerKey::generate()?).with_previous(ServerKey::generate()?, replaced_at)?;
    /// let droppable_at = keyring.previous()[0].droppable_at(Lifetime::new());
    /// assert_eq!(droppable_at, Some(replaced_at + Duration::from_secs(12 * 60 * 60)));
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the ring has the key already, or four besides the active one.
    pub fn with_previous(self, key: ServerKey, replaced_at: Timestamp) -> Result<Self, KeyError> {
        self.with(key, Some(replaced_at))
    }

    /// Makes a ring that knows a key besides, which is to become active.
    ///
    /// Every node must know a key before any of them makes something with it.
    ///
    /// ```
    /// use tenure::{Keyring, Lifetime, ServerKey};
    ///
    /// let keyring = Keyring::new(ServerKey::generate()?).with_next(ServerKey::generate()?)?;
    /// assert_eq!(keyring.previous()[0].droppable_at(Lifetime::new()), None);
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`with_previous`](Self::with_previous).
    pub fn with_next(self, key: ServerKey) -> Result<Self, KeyError> {
        self.with(key, None)
    }

    fn with(self, key: ServerKey, replaced_at: Option<Timestamp>) -> Result<Self, KeyError> {
        let mut ring = Ring::clone(&self.ring());
        if let Some(known) = ring.find(key.derived().tag()) {
            return Err(KeyError::repeated(known.is_same_as(key.derived())));
        }
        if ring.others.len() == MOST_OTHERS {
            return Err(KeyError::too_many());
        }
        ring.others.push(Other { key, replaced_at });
        Ok(Self::of(ring))
    }

    /// Makes a ring with which records are accepted until a time that were stored without a keyring. Default: never.
    ///
    /// They open and are authenticated when they are written next. Until then who writes to the store can plant such a
    /// record, so let the time be no more than the [absolute lifetime](Lifetime::absolute) away: by then they have ended.
    /// It is the store's clock that decides.
    #[must_use]
    pub fn with_unkeyed_until(self, until: Timestamp) -> Self {
        let mut ring = Ring::clone(&self.ring());
        ring.unkeyed_until = Some(until);
        Self::of(ring)
    }

    /// Puts the keys of another ring in the place of these, for all clones and so for the layers that have them.
    ///
    /// It takes effect at once: what was made with a key that is gone opens nothing from now on.
    ///
    /// ```
    /// use tenure::{Keyring, ServerKey};
    ///
    /// let keyring = Keyring::new(ServerKey::generate()?);
    /// let layers = keyring.clone();
    /// keyring.replace(Keyring::new(ServerKey::generate()?));
    /// assert_eq!(layers.active(), keyring.active());
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "it is used up")]
    pub fn replace(&self, keys: Self) {
        let ring = keys.ring();
        // The old one is dropped once nobody holds the lock.
        let _old = std::mem::replace(&mut *self.ring.lock(), ring);
    }

    /// Returns the id of the active key.
    #[must_use]
    pub fn active(&self) -> KeyId {
        self.ring().active.id()
    }

    /// Returns what is known of the keys besides the active one, in the order in which they were added.
    #[must_use]
    pub fn previous(&self) -> Vec<PreviousKey> {
        let ring = self.ring();
        let previous = ring.others.iter().map(|other| PreviousKey {
            id: other.key.id(),
            replaced_at: other.replaced_at,
        });
        previous.collect()
    }

    /// Says in the log when each key that was replaced can go.
    pub(crate) fn log(&self, longest: Lifetime) {
        for key in self.previous() {
            let droppable_on = key.droppable_at(longest).map(Date::of);
            let droppable_on = droppable_on.map(tracing::field::display);
            tracing::info!(target: "tenure", key = %key.id, droppable_on, "session_key_kept");
        }
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.lock().clone()
    }
}

impl Ring {
    pub(crate) fn active(&self) -> &Derived {
        self.active.derived()
    }

    /// Returns the key of a name; there is no other way to one.
    pub(crate) fn find(&self, tag: KeyTag) -> Option<&Derived> {
        let others = self.others.iter().map(|other| other.key.derived());
        let mut all = std::iter::once(self.active()).chain(others);
        all.find(|key| key.tag() == tag)
    }

    /// Tells whether records are accepted that were stored without a keyring.
    pub(crate) fn accepts_unkeyed(&self, now: Timestamp) -> bool {
        self.unkeyed_until.is_some_and(|until| now < until)
    }
}

impl fmt::Debug for Keyring {
    /// Shows ids only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("active", &self.active())
            .field("previous", &self.previous())
            .finish_non_exhaustive()
    }
}

/// A key of a [`Keyring`] besides the active one.
///
/// ```
/// use tenure::{Keyring, Lifetime, ServerKey, Timestamp};
///
/// let replaced_at = Timestamp::from_millis(1_795_737_600_000);
/// let keyring = Keyring::new(ServerKey::generate()?).with_previous(ServerKey::generate()?, replaced_at)?;
/// let key = keyring.previous()[0];
/// assert_eq!(key.to_string(), format!("key {}, replaced on 2026-11-27", key.id()));
/// # Ok::<_, tenure::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousKey {
    id: KeyId,
    replaced_at: Option<Timestamp>,
}

impl PreviousKey {
    /// Returns the key's id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns when another key became active in its place; `None` if that is not known, or if it is to become active itself.
    #[must_use]
    pub const fn replaced_at(&self) -> Option<Timestamp> {
        self.replaced_at
    }

    /// Returns when the key can go without ending a session: all that was made with it has ended by then.
    ///
    /// Take the longest lifetime that your application gives, with [`set_lifetime`](crate::Session::set_lifetime) too.
    #[must_use]
    pub fn droppable_at(&self, longest: Lifetime) -> Option<Timestamp> {
        self.replaced_at
            .map(|replaced_at| replaced_at + longest.absolute())
    }
}

impl fmt::Display for PreviousKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.id)?;
        match self.replaced_at {
            Some(at) => write!(f, ", replaced on {}", Date::of(at)),
            None => f.write_str(", not known to be replaced"),
        }
    }
}

const MOST_OTHERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> ServerKey {
        ServerKey::for_test(fill)
    }

    const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);

    #[test]
    fn a_key_is_found_by_its_own_id_and_no_other() {
        let ring = Keyring::new(key(1)).with_previous(key(2), NOON).unwrap();
        let ring = ring.ring();
        for known in [key(1), key(2)] {
            let tag = known.derived().tag();
            assert_eq!(ring.find(tag).unwrap().tag(), tag);
        }
        assert!(ring.find(key(3).derived().tag()).is_none());
    }

    #[test]
    fn a_ring_has_each_key_once_and_at_most_four_besides_the_active_one() {
        let ring = Keyring::new(key(1));
        let error = ring.clone().with_next(key(1)).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
        let full = (2..=5).try_fold(ring, |ring, fill| ring.with_next(key(fill)));
        let error = full.unwrap().with_next(key(6)).unwrap_err();
        assert!(error.to_string().contains("at most four"), "{error}");
    }

    #[test]
    fn two_keys_of_one_id_are_refused() {
        let ring = Keyring::new(key(1));
        let other = key(2).with_tag(key(1).derived().tag());
        let error = ring.with_next(other).unwrap_err();
        assert!(error.to_string().contains("same id"), "{error}");
    }

    #[test]
    fn a_ring_is_replaced_for_all_who_have_it_and_one_that_is_made_of_it_is_another() {
        let ring = Keyring::new(key(1));
        let (shared, made) = (ring.clone(), ring.clone().with_next(key(2)).unwrap());
        assert_eq!((ring.previous().len(), made.previous().len()), (0, 1));
        ring.replace(Keyring::new(key(3)));
        assert_eq!(shared.active(), key(3).id());
        assert_eq!(made.active(), key(1).id());
    }

    #[test]
    fn a_previous_key_can_go_when_the_last_session_that_it_made_has_ended() {
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        let longest = Lifetime::new().with_absolute(day);
        let ring = Keyring::new(key(1)).with_previous(key(2), NOON).unwrap();
        let ring = ring.with_next(key(3)).unwrap();
        let dates: Vec<_> = ring
            .previous()
            .iter()
            .map(|key| key.droppable_at(longest))
            .collect();
        assert_eq!(dates, [Some(NOON + day), None]);
    }

    #[test]
    fn the_log_says_on_which_day_a_previous_key_can_go() {
        #[derive(Clone, Default)]
        struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

        impl std::io::Write for Log {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        let ring = Keyring::new(key(1)).with_previous(key(2), NOON).unwrap();
        tracing::subscriber::with_default(subscriber, || ring.log(Lifetime::persistent()));
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line = format!(
            "session_key_kept key={} droppable_on=2026-12-27",
            key(2).id()
        );
        assert!(text.contains(&line), "{text}");
    }

    #[test]
    fn records_without_a_keyring_are_accepted_until_the_time_that_was_set() {
        let never = Keyring::new(key(1));
        assert!(!never.ring().accepts_unkeyed(Timestamp::from_millis(0)));
        let ring = never.with_unkeyed_until(NOON).ring();
        assert!(ring.accepts_unkeyed(Timestamp::from_millis(NOON.as_millis() - 1)));
        assert!(!ring.accepts_unkeyed(NOON));
    }
}
