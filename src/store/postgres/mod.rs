//! Sessions in PostgreSQL: many machines, one truth.

mod builder;
mod connection;
mod failure;
mod index;
mod links;
mod schema;
mod statements;
mod writing;

use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

pub use builder::PostgresStoreBuilder;

use self::{
    connection::Connection,
    links::{Connect, Links, Way},
    writing::{Change, Writes},
};
use super::{
    Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, StoreError, Sweep, Updated,
    Version,
    sql::{SetupError, Table, Ttl},
};
use crate::id::Handle;

/// Keeps sessions in a table of PostgreSQL 13 or later.
///
/// [`connect`](Self::connect) opens a few connections of the store's own; [`builder`](Self::builder) sets more, such as
/// TLS. [`migrate`](Self::migrate) makes the tables. A clone is the same store; when the last one is dropped the
/// connections are closed.
///
/// # What it guarantees
///
/// A verb is one prepared statement, one round trip and a transaction of its own, at the isolation level *read
/// committed* whatever the role's default is. Updates and touches that wait while two others are under way share a
/// statement, and so one wait for the disk (64 at most; one that is refused does not keep the others from being made, and
/// one that was not made asks once more, for the reason). An answer is given when the server has committed, as durably as
/// `synchronous_commit` says. The clock is the server's: a node whose clock is wrong changes nothing.
///
/// Of the [index of principals](PrincipalIndex) a login is two statements: one that waits until earlier logins of the same
/// principal are committed, and one that finds them. Entries go with their record, in the statement that deletes it.
///
/// # Connections
///
/// Statements of all requests are pipelined over a few connections: nobody waits for a free one. A load, an update or a
/// touch takes a connection that nobody waits on, if there is one, and of a session one change is under way at a time: a
/// lock on its row holds up one connection, and what shares the statement. Anything else takes the freer one of two,
/// always the same for a handle. A lost connection is made again, with back-off; meanwhile verbs fail at once. A connection
/// that does not answer for five seconds is given up for another.
///
/// ```no_run
/// use tenure::{SessionLayer, store::PostgresStore};
///
/// # async fn example() -> Result<(), tenure::store::SetupError> {
/// let store = PostgresStore::connect("postgres://app@localhost/shop").await?;
/// store.migrate().await?;
/// let layer = SessionLayer::new(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Shared>);

struct Shared {
    table: Table,
    links: Links,
    writes: Writes,
    connect: Connect,
}

impl PostgresStore {
    /// Connects to `postgres://user@host/database` without TLS, and keeps sessions in the table `tenure_sessions`.
    ///
    /// # Errors
    ///
    /// If the URL is none, the server does not answer or refuses, or it is older than PostgreSQL 13.
    pub async fn connect(url: &str) -> Result<Self, SetupError> {
        Self::builder(url)?.connect().await
    }

    /// Begins with a URL, to set more than that.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn builder(url: &str) -> Result<PostgresStoreBuilder, SetupError> {
        PostgresStoreBuilder::parse(url)
    }

    /// Returns a connection of a handle, and a place among the statements that wait on it.
    async fn connection(
        &self,
        way: Way,
        handle: Handle,
    ) -> Result<(Arc<Connection>, OwnedSemaphorePermit), StoreError> {
        let connection = self.0.links.link(way, handle).connection().await?;
        let place = connection.place().await?;
        Ok((connection, place))
    }

    /// Asks over a connection of a handle. What was sent is carried out and its answer read, whether or not anybody
    /// waits: an answer that nobody reads would keep those behind it from being read.
    fn ask<T, F>(
        &self,
        way: Way,
        handle: Handle,
        verb: impl FnOnce(Arc<Connection>) -> F + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let store = self.clone();
        Answer::later(async move {
            let (connection, place) = store.connection(way, handle).await?;
            let task = tokio::spawn(async move {
                let verb = pin!(verb(connection.clone()));
                let answer = connection.in_time(verb).await;
                drop(place);
                answer
            });
            task.await.map_err(StoreError::unknown)?
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &self.0.table)
            .finish_non_exhaustive()
    }
}

impl SessionStore for PostgresStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let (handle, record, ttl) = (*handle, record.clone(), Ttl::new(expires_in));
        self.ask(Way::Writing, handle, move |connection| async move {
            connection.create(handle, &record, ttl).await
        })
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let handle = *handle;
        self.ask(Way::Reading, handle, move |connection| async move {
            connection.load(handle).await
        })
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let change = Change {
            handle: *handle,
            expected,
            record: Some(record.clone()),
            ttl: Ttl::new(expires_in),
        };
        let store = self.clone();
        Answer::later(async move { store.write(change).await })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let change = Change {
            handle: *handle,
            expected,
            record: None,
            ttl: Ttl::new(expires_in),
        };
        let store = self.clone();
        Answer::later(async move { Ok(store.write(change).await? == Updated::Done) })
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let handle = *handle;
        self.ask(Way::Writing, handle, move |connection| async move {
            connection.delete(handle).await
        })
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl Sweep for PostgresStore {
    fn sweep(&self, most: usize) -> Answer<usize> {
        // Any connection for writes will do.
        let any = Handle::from_bytes([0; Handle::LEN]);
        self.ask(Way::Writing, any, move |connection| async move {
            connection.sweep(most).await
        })
    }
}
