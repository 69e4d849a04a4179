//! Sessions in MariaDB or MySQL: many machines, one truth.

mod builder;
mod connection;
mod failure;
mod finish;
mod index;
mod loading;
mod places;
mod ready;
mod schema;
mod statements;
mod sweeping;
mod whole;

use std::{fmt, future::Future, sync::Arc, time::Duration};

pub use builder::MySqlStoreBuilder;

use self::{
    connection::Connection,
    finish::Finished,
    loading::Loads,
    places::{Places, Turns},
    statements::Statements,
};
use super::{
    Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, StoreError, Sweep, Updated,
    Version,
    sql::{SetupError, Table, Ttl},
};
use crate::id::Handle;

/// Keeps sessions in a table of MariaDB 10.6 or MySQL 8.0, or later.
///
/// [`connect`](Self::connect) opens connections of the store's own; [`builder`](Self::builder) sets more.
/// [`migrate`](Self::migrate) makes the tables. A clone is the same store; when the last one is dropped the connections
/// are closed.
///
/// # What it guarantees
///
/// A verb is one prepared statement, one round trip and a transaction of its own; an update that meets another version
/// asks once more, for the fresh record, and loads that wait for a connection share a statement. The isolation level is
/// *read committed*, whatever the server's default is. An answer is given when the server has committed, as durably as
/// `innodb_flush_log_at_trx_commit` says. The clock is the server's: a node whose clock is wrong changes nothing, and
/// neither does a time zone.
///
/// Of the [index of principals](PrincipalIndex) a login is a short transaction, which waits until earlier logins of the
/// same principal are committed, and a statement that finds them. Entries go with their record, in the statement that
/// deletes it, or in the sweep's transaction.
///
/// # Connections
///
/// A connection carries one statement at a time, so there may be as many statements at once as there are connections;
/// other verbs wait. Changes of one session take turns within a process: they are carried out in the order they were
/// asked for, and a row that somebody has locked holds up one connection. A connection that was idle is asked whether it
/// is still there before it is trusted, so one that the server has closed overnight costs nobody an error.
///
/// TLS is a feature of sqlx, such as `sqlx/tls-rustls`, and `?ssl-mode=VERIFY_IDENTITY` in the URL.
///
/// ```no_run
/// use tenure::{SessionLayer, store::MySqlStore};
///
/// # async fn example() -> Result<(), tenure::store::SetupError> {
/// let store = MySqlStore::connect("mysql://app:secret@localhost/shop").await?;
/// store.migrate().await?;
/// let layer = SessionLayer::new(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MySqlStore(Arc<Shared>);

struct Shared {
    table: Table,
    statements: Statements,
    places: Arc<Places>,
    loads: Loads,
    turns: Turns,
}

impl MySqlStore {
    /// Connects to `mysql://user@host/database`, and keeps sessions in the table `tenure_sessions`.
    ///
    /// # Errors
    ///
    /// If the URL is none, the server does not answer or refuses, or it is older than MariaDB 10.6 and MySQL 8.0.
    pub async fn connect(url: &str) -> Result<Self, SetupError> {
        Self::builder(url)?.connect().await
    }

    /// Begins with a URL, to set more than that.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn builder(url: &str) -> Result<MySqlStoreBuilder, SetupError> {
        MySqlStoreBuilder::parse(url)
    }

    /// Takes a connection, and carries a verb out on it: one that is dropped is carried out whole all the same, and leaves
    /// its connection to the next.
    fn ask<T, F>(&self, verb: impl FnOnce(Self, Connection) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let store = self.clone();
        Answer::later(async move {
            let connection = store.0.places.take().await?;
            Finished::new(verb(store, connection)).await
        })
    }

    /// Reads so, and once more if the connection was lost before it was asked: the server has restarted, say.
    fn read<T, F>(&self, verb: impl Fn(Self, Connection) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = (Result<T, StoreError>, Connection)> + Send + 'static,
    {
        self.ask(|store, connection| store.read_on(connection, verb))
    }

    /// Reads on a connection, and once more on another if it was lost before it was asked.
    async fn read_on<T, F>(
        self,
        connection: Connection,
        verb: impl Fn(Self, Connection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = (Result<T, StoreError>, Connection)>,
    {
        let (answer, connection) = verb(self.clone(), connection).await;
        if !connection.was_lost_while_idle() {
            return answer;
        }
        drop(connection);
        let again = async move {
            let another = self.0.places.take().await?;
            verb(self, another).await.0
        };
        // In a box of its own, so that what hardly ever happens costs no memory.
        Box::pin(again).await
    }

    /// Carries a verb out when it is a handle's turn.
    fn change<T, F>(
        &self,
        handle: Handle,
        verb: impl FnOnce(Self, Connection) -> F + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + Unpin + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let store = self.clone();
        Answer::later(async move {
            let turn = store.0.turns.turn(handle).await?;
            let mut connection = store.0.places.take().await?;
            connection.keep(turn);
            Finished::new(verb(store, connection)).await
        })
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore")
            .field("table", &self.0.table)
            .finish_non_exhaustive()
    }
}

// Each puts its statement together when it has a connection, so that who waits for one keeps no copy of a record.
impl SessionStore for MySqlStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let (handle, record, ttl) = (*handle, record.clone(), Ttl::new(expires_in));
        self.change(handle, move |store, mut connection| {
            let create = store.0.statements.create(handle, &record, ttl);
            async move { connection.create(&store.0, create?).await }
        })
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        Answer::later(self.clone().load_one(*handle))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let (handle, record, ttl) = (*handle, record.clone(), Ttl::new(expires_in));
        self.change(handle, move |store, mut connection| {
            let update = store.0.statements.update(handle, expected, &record, ttl);
            async move {
                let updated = connection.update(&store.0, update?, handle, expected);
                updated.await
            }
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let (handle, ttl) = (*handle, Ttl::new(expires_in));
        self.change(handle, move |store, mut connection| {
            let touch = store.0.statements.touch(handle, expected, ttl);
            async move { connection.was_found(&store.0, touch?).await }
        })
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let handle = *handle;
        self.change(handle, move |store, mut connection| {
            let delete = store.0.statements.delete(handle);
            async move { connection.was_found(&store.0, delete?).await }
        })
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl Sweep for MySqlStore {
    fn sweep(&self, most: usize) -> Answer<usize> {
        self.ask(move |store, mut connection| async move { connection.sweep(&store.0, most).await })
    }
}
