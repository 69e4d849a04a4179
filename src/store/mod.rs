//! The contract between the layer and whatever keeps the sessions.
//!
//! A store is five verbs on one key. Four promises make the difference to "get and set": a write never creates, an
//! update succeeds only on the version it was made from, an expired record is absent for every verb, and the store's
//! own clock stamps and expires. Each sentence below is a test of the conformance suite (feature `conformance`).

mod backoff;
#[cfg(feature = "conformance")]
pub mod conformance;
mod index;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod link;
#[cfg(feature = "metrics")]
mod measured;
mod memory;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
mod setup;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sweep;

use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

#[cfg(feature = "redis")]
pub use self::redis::{RedisStore, RedisStoreBuilder};
pub(crate) use backoff::jittered;
pub use index::{Cursor, Entered, Entry, PrincipalIndex, Walked};
#[cfg(feature = "metrics")]
pub(crate) use measured::Measured;
pub use memory::MemoryStore;
#[cfg(feature = "mysql")]
pub use mysql::{MySqlStore, MySqlStoreBuilder};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresStore, PostgresStoreBuilder};
#[cfg(any(
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
pub use setup::{SetupError, SetupErrorKind};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use sweep::{Sweep, Sweeper, Sweeping};

pub use crate::record::{Record, Version};
use crate::{clock::Timestamp, id::Handle};

/// Keeps records under handles.
///
/// The verbs return an [`Answer`], a future that borrows nothing: a store that answers at once allocates nothing, and
/// one that talks to an engine wraps an `async` block. So the trait is object-safe, and `Arc<dyn SessionStore>` chosen
/// at run time is a store like any other.
///
/// # The contract
///
/// For every verb:
///
/// * An expired record is absent, whether or not anything has swept it.
/// * Handles are compared byte for byte.
/// * The store's own clock decides: `expires_in` is a duration from the moment the verb is carried out, and a whole
///   number of milliseconds that is never zero and never "for ever".
/// * An answer is given when the change is as durable as the store makes it, not before.
/// * A verb whose future is dropped is carried out whole or not at all.
/// * An error is [unavailable](StoreError::unavailable) only if the verb was certainly not carried out; otherwise it is
///   [unknown](StoreError::unknown).
///
/// See `examples/custom_store.rs` for a whole store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session store",
    note = "`MemoryStore` is one; `examples/custom_store.rs` in the repository shows how to write one"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a record under a handle that is not taken.
    ///
    /// * A created record loads back as it was, with `created` and `last_seen` of the moment it was created.
    /// * A handle that a live record has is [`Created::Taken`], and that record is not changed.
    /// * A store that cannot take more answers [`Created::Full`] and keeps what it has.
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created>;

    /// Reads a record.
    ///
    /// * An unknown handle is `None`, not an error.
    /// * Loading changes nothing: neither the expiry nor `last_seen`.
    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>>;

    /// Replaces a record if its version is the expected one.
    ///
    /// * `created` stays, `last_seen` is the moment of the update, and the expiry counts from it.
    /// * Another version is [`Updated::Conflict`], with the fresh record where the engine gives it in the same trip,
    ///   and changes nothing.
    /// * An absent record is [`Updated::Gone`]: an update never creates.
    /// * Of two updates that expect the same version one succeeds.
    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated>;

    /// Moves the expiry and `last_seen`, and answers whether it did.
    ///
    /// * The version and the record stay as they are, so a reader never makes a writer conflict.
    /// * Another version, or an absent record, is `false` and changes nothing: a touch never creates.
    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool>;

    /// Removes a record whatever its version, and answers whether there was one.
    ///
    /// * Nothing that was on its way brings a deleted record back.
    /// * To delete what is absent is `false`, not an error.
    fn delete(&self, handle: &Handle) -> Answer<bool>;

    /// Says what the engine's clock says, if that is known without a round trip.
    ///
    /// Default: `None`; the time that has passed since an answer is then measured. A store answers it always or never.
    fn now(&self) -> Option<Timestamp> {
        None
    }

    /// Says how many records there are, if that is known without a round trip; expired ones may be among them.
    ///
    /// Default: `None`. It is for metrics alone. A store answers it always or never.
    fn len_at_hand(&self) -> Option<usize> {
        None
    }

    /// Returns the index of principals that the store keeps, if it keeps one.
    ///
    /// Default: `None`. Then a login binds a session as always, and nobody can list or limit a principal's sessions.
    fn index(&self) -> Option<&dyn PrincipalIndex> {
        None
    }
}

/// The answer to [`SessionStore::create`].
///
/// ```
/// use tenure::{Handle, store::{Created, MemoryStore, Record, SessionStore, Version}};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (store, handle) = (MemoryStore::new(), Handle::from_bytes([1; 16]));
/// let record = Record::new(Version::from_u64(1), Vec::new(), Vec::new());
/// let hour = Duration::from_secs(3600);
/// assert!(matches!(store.create(&handle, &record, hour).await, Ok(Created::Done(_))));
/// assert!(matches!(store.create(&handle, &record, hour).await, Ok(Created::Taken)));
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Created {
    /// The record is kept; this is the engine's now.
    Done(Timestamp),
    /// The store holds as much as it may.
    Full,
    /// A live record has this handle.
    Taken,
}

/// The answer to [`SessionStore::update`].
///
/// ```
/// use tenure::{Handle, store::{MemoryStore, Record, SessionStore, Updated, Version}};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (store, handle) = (MemoryStore::new(), Handle::from_bytes([1; 16]));
/// let (first, second) = (Version::from_u64(1), Version::from_u64(2));
/// let record = |version| Record::new(version, Vec::new(), Vec::new());
/// let hour = Duration::from_secs(3600);
/// assert_eq!(store.update(&handle, first, &record(second), hour).await.unwrap(), Updated::Gone);
///
/// store.create(&handle, &record(first), hour).await.unwrap();
/// assert_eq!(store.update(&handle, first, &record(second), hour).await.unwrap(), Updated::Done);
/// assert!(matches!(store.update(&handle, first, &record(second), hour).await, Ok(Updated::Conflict(_))));
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Updated {
    /// The record has another version: this one, or one that must be loaded.
    Conflict(Option<Loaded>),
    /// The record is replaced.
    Done,
    /// There is no such record, or no longer.
    Gone,
}

/// A record, and what the engine's clock says about it.
///
/// ```
/// use tenure::{Handle, store::{MemoryStore, Record, SessionStore, Version}};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (store, handle) = (MemoryStore::new(), Handle::from_bytes([1; 16]));
/// let record = Record::new(Version::from_u64(1), Vec::new(), Vec::new());
/// store.create(&handle, &record, Duration::from_secs(3600)).await.unwrap();
/// let loaded = store.load(&handle).await.unwrap().unwrap();
/// assert_eq!(loaded.record, record);
/// assert!(loaded.created == loaded.last_seen && loaded.last_seen <= loaded.now);
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// The record as it was written.
    pub record: Record,
    /// When it was created.
    pub created: Timestamp,
    /// When it was created, updated or touched last.
    pub last_seen: Timestamp,
    /// What time it is.
    pub now: Timestamp,
}

impl Loaded {
    /// Makes an answer of its parts.
    #[must_use]
    pub const fn new(
        record: Record,
        created: Timestamp,
        last_seen: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            record,
            created,
            last_seen,
            now,
        }
    }
}

/// What a store answers: at once, or later.
///
/// It is a future that borrows nothing. One that is dropped may or may not be carried out, whole.
///
/// ```
/// use tenure::store::Answer;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert!(Answer::ready(Ok(true)).await.unwrap());
/// assert!(Answer::later(async { Ok(true) }).await.unwrap());
/// # });
/// ```
#[must_use = "an answer does nothing until it is awaited"]
pub struct Answer<T>(State<T>);

enum State<T> {
    Ready(Option<Result<T, StoreError>>),
    Later(Later<T>),
}

/// An answer that takes time.
pub(crate) type Later<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl<T> Answer<T> {
    /// Answers at once.
    pub const fn ready(result: Result<T, StoreError>) -> Self {
        Self(State::Ready(Some(result)))
    }

    /// Answers when a future does.
    pub fn later(future: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(future)))
    }

    /// Returns the answer if it was given at once.
    pub(crate) const fn at_hand(&self) -> Option<&Result<T, StoreError>> {
        match &self.0 {
            State::Ready(result) => result.as_ref(),
            State::Later(_) => None,
        }
    }

    /// Takes the answer apart, so that one given at once needs no future.
    pub(crate) fn split(self) -> Result<Result<T, StoreError>, Later<T>> {
        match self.0 {
            State::Ready(result) => Ok(result.expect("an answer is taken once")),
            State::Later(future) => Err(future),
        }
    }
}

impl<T: Unpin> Future for Answer<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().expect("an answer is polled once")),
            State::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Answer::ready",
            State::Later(_) => "Answer::later",
        })
    }
}

/// A store could not carry out a verb. The cause is its source.
///
/// ```
/// use tenure::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::unavailable("connection refused");
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
/// ```
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    /// Shared by all verbs that one failure meets.
    source: Arc<dyn error::Error + Send + Sync>,
}

impl StoreError {
    /// What the store holds under this handle is not a record.
    pub fn corrupt(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Corrupt, source)
    }

    /// The store cannot take more; nothing was changed.
    pub fn full(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Full, source)
    }

    /// The verb was certainly not carried out: no connection, no permission, a refusal.
    pub fn unavailable(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Unavailable, source)
    }

    /// The verb may have been carried out: a connection lost after sending, a time-out.
    pub fn unknown(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Unknown, source)
    }

    fn new(kind: StoreErrorKind, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into().into(),
        }
    }

    /// Says the same to another verb that has waited for the same answer.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    fn again(&self) -> Self {
        Self {
            kind: self.kind,
            source: self.source.clone(),
        }
    }

    /// Says what is known about the verb.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Corrupt => {
                "the store holds something else than a session under this handle"
            }
            StoreErrorKind::Full => "the store is full",
            StoreErrorKind::Unavailable => "the store did not carry out the operation",
            StoreErrorKind::Unknown => "the store may or may not have carried out the operation",
        })
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// What is known about a verb that failed.
///
/// ```
/// use tenure::store::{StoreError, StoreErrorKind};
///
/// let lost = StoreError::unknown("connection reset");
/// assert_eq!(lost.kind(), StoreErrorKind::Unknown);
/// assert_eq!(lost.to_string(), "the store may or may not have carried out the operation");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// What is stored is not a record; it was left alone.
    Corrupt,
    /// The store cannot take more; nothing was changed.
    Full,
    /// The verb was certainly not carried out.
    Unavailable,
    /// The verb may have been carried out.
    Unknown,
}

macro_rules! forward_to_the_inner_store {
    ($($pointer:ident)*) => {$(
        impl<S: SessionStore + ?Sized> SessionStore for $pointer<S> {
            fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
                (**self).create(handle, record, expires_in)
            }

            fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
                (**self).load(handle)
            }

            fn update(
                &self,
                handle: &Handle,
                expected: Version,
                record: &Record,
                expires_in: Duration,
            ) -> Answer<Updated> {
                (**self).update(handle, expected, record, expires_in)
            }

            fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
                (**self).touch(handle, expected, expires_in)
            }

            fn delete(&self, handle: &Handle) -> Answer<bool> {
                (**self).delete(handle)
            }

            fn now(&self) -> Option<Timestamp> {
                (**self).now()
            }

            fn len_at_hand(&self) -> Option<usize> {
                (**self).len_at_hand()
            }

            fn index(&self) -> Option<&dyn PrincipalIndex> {
                (**self).index()
            }
        }
    )*};
}

forward_to_the_inner_store! { Arc Box }
