//! Sessions in an SQLite file: one machine, no server, kept over a restart.

mod failure;
mod index;
mod lists;
mod schema;
mod statements;
mod writing;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Row as _, Sqlite, SqlitePool,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};
use tokio::time::{sleep, timeout};

use self::{statements::Statements, writing::Writes};
use super::{
    Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, StoreError, Sweep, Updated,
    Version,
    sql::{self, Row, SetupError, Table, Text, Ttl, half_done, missed, signed, timestamp},
};
use crate::id::Handle;

/// Keeps sessions in an SQLite database, with or without other tables of the application in it.
///
/// [`connect`](Self::connect) opens a file with settings that suit sessions; [`new`](Self::new) takes a pool that the
/// application has. [`migrate`](Self::migrate) makes the tables. A clone is the same store.
///
/// # What it guarantees
///
/// A verb is one statement; one of the [index of principals](PrincipalIndex) is a read more where it answers with entries.
/// Expired rows open nothing, and stay until a [`Sweeper`](super::Sweeper) removes them: start one.
/// Entries go with their record, by a trigger. An answer is given when SQLite has committed; whether that is on the disk is the setting
/// `synchronous`, see [`connect`](Self::connect). The clock is this machine's.
///
/// Writes of a store queue up in this process, first come, first served, so that they do not meet the lock of
/// the file; those that wait share one transaction, and so one wait for the disk (64 at most; if one of them fails, each
/// is carried out by itself). Other processes that write to the file are waited for as long as the connection's
/// `busy_timeout`.
///
/// ```
/// use tenure::{SessionLayer, store::SqliteStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = SqliteStore::connect("sqlite::memory:").await?.with_table("sessions")?;
/// store.migrate().await?;
/// let layer = SessionLayer::new(store.clone());
///
/// // In a pool that the application has, beside other tables, and made by its own migrations:
/// let own = SqliteStore::new(store.pool().clone()).with_table("shop_sessions")?;
/// assert!(own.check().await.unwrap_err().to_string().contains("shop_sessions"), "it is not made yet");
/// sqlx::raw_sql(sqlx::AssertSqlSafe(own.ddl())).execute(own.pool()).await.unwrap();
/// own.check().await?;
/// # Ok::<_, tenure::store::SetupError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    shared: Arc<Shared>,
}

struct Shared {
    table: Table,
    statements: Statements,
    writes: Writes,
}

impl SqliteStore {
    /// Keeps sessions in the table `tenure_sessions` of a pool's database.
    ///
    /// The pool's settings are the application's. Writes are fast with `journal_mode = WAL`; a pool with
    /// `test_before_acquire(false)` saves a step in each verb. A pool of `sqlite::memory:` must have one connection:
    /// each has a database of its own.
    #[must_use]
    pub fn new(pool: SqlitePool) -> Self {
        Self::of(pool, Table::default())
    }

    /// Opens a file such as `sqlite:sessions.db`, and makes it if it is missing.
    ///
    /// * `journal_mode = WAL`: readers do not wait for the writer.
    /// * `synchronous = FULL`: a commit is on the disk before it is answered. With less a logout could be undone by a
    ///   power cut, and somebody be signed in again.
    /// * `busy_timeout` of two seconds: less than half of a commit's time, so that it is an error of this store.
    /// * Eight connections; one for a database in memory, which lives as long as the connection.
    ///
    /// # Errors
    ///
    /// If the URL is none, or the file cannot be opened.
    pub async fn connect(url: &str) -> Result<Self, SetupError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| SetupError::url("sqlite:sessions.db", error))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = timeout(OPENING, open(url, options)).await;
        let pool = pool.map_err(failure::locked)?;
        pool.map(Self::new).map_err(failure::setup)
    }

    /// Takes another table: `sessions`, or `app.sessions` in an attached database. Default: `tenure_sessions`.
    ///
    /// # Errors
    ///
    /// If this is no name for a table.
    pub fn with_table(self, name: &str) -> Result<Self, SetupError> {
        Table::parse(name).map(|table| Self::of(self.pool, table))
    }

    /// Returns the pool, for the application's own tables in the same database.
    #[must_use]
    pub const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    fn of(pool: SqlitePool, table: Table) -> Self {
        let shared = Shared {
            statements: Statements::new(&table),
            table,
            writes: Writes::new(),
        };
        let shared = Arc::new(shared);
        Self { pool, shared }
    }

    async fn find(&self, handle: Handle) -> Result<Option<Loaded>, StoreError> {
        let query = statement(&self.verbs().load).bind(handle.as_bytes().to_vec());
        let rows = self.read(query).await?;
        rows.first().map(loaded).transpose()
    }

    async fn read(&self, query: Statement) -> Result<Vec<SqliteRow>, StoreError> {
        // Without a connection nothing was sent, whatever the reason.
        let connection = self.pool.acquire().await;
        let mut connection = connection.map_err(StoreError::unavailable)?;
        let rows = query.fetch_all(&mut *connection).await;
        rows.map_err(|error| failure::verb(error, &self.shared.table))
    }

    fn verbs(&self) -> &sql::Statements {
        &self.shared.statements.verbs
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("table", &self.shared.table)
            .finish_non_exhaustive()
    }
}

impl SessionStore for SqliteStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let query = statement(&self.verbs().create).bind(handle.as_bytes().to_vec());
        let query = with_ttl(with_record(query, record), expires_in);
        let store = self.clone();
        Answer::later(async move {
            let written = store.write(&store.verbs().create, query).await?;
            match &written.first {
                Some(row) => Ok(Created::Done(timestamp(number(row, 0)?)?)),
                None => Ok(Created::Taken),
            }
        })
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let (store, handle) = (self.clone(), *handle);
        Answer::later(async move { store.find(handle).await })
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let query = conditional(&self.verbs().update, handle, expected);
        let query = with_ttl(with_record(query, record), expires_in);
        let (store, handle) = (self.clone(), *handle);
        Answer::later(async move {
            let written = store.write(&store.verbs().update, query).await?;
            match written.rows {
                0 => Ok(missed(store.find(handle).await?, expected)),
                _ => Ok(Updated::Done),
            }
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let query = conditional(&self.verbs().touch, handle, expected);
        let (store, query) = (self.clone(), with_ttl(query, expires_in));
        Answer::later(async move {
            let written = store.write(&store.verbs().touch, query).await?;
            Ok(written.rows > 0)
        })
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let query = statement(&self.verbs().delete).bind(handle.as_bytes().to_vec());
        let store = self.clone();
        Answer::later(async move {
            let written = store.write(&store.verbs().delete, query).await?;
            Ok(written.rows > 0)
        })
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

impl Sweep for SqliteStore {
    fn sweep(&self, most: usize) -> Answer<usize> {
        let store = self.clone();
        Answer::later(async move {
            let statements = &store.shared.statements;
            let records = store.write_some(&statements.sweep, most).await?;
            if records == most {
                return Ok(records);
            }
            let principals = store.sweep_principals(most - records).await;
            Ok(records + principals.map_err(half_done)?)
        })
    }
}

type Statement = Query<'static, Sqlite, SqliteArguments>;

fn statement(text: &Text) -> Statement {
    sqlx::query(AssertSqlSafe(text.clone()))
}

fn conditional(text: &Text, handle: &Handle, expected: Version) -> Statement {
    statement(text)
        .bind(handle.as_bytes().to_vec())
        .bind(signed(expected))
}

fn with_record(query: Statement, record: &Record) -> Statement {
    query
        .bind(signed(record.version()))
        .bind(record.header().to_vec())
        .bind(record.values().to_vec())
        .bind(record.principal().map(str::to_owned))
}

fn with_ttl(query: Statement, expires_in: Duration) -> Statement {
    let ttl = Ttl::new(expires_in);
    query.bind(ttl.expires_in).bind(ttl.slack)
}

fn loaded(row: &SqliteRow) -> Result<Loaded, StoreError> {
    let bytes = |column| row.try_get(column).map_err(StoreError::corrupt);
    let row = Row {
        version: number(row, 0)?,
        header: bytes(1)?,
        payload: bytes(2)?,
        created: number(row, 3)?,
        last_seen: number(row, 4)?,
        now: number(row, 5)?,
    };
    row.loaded()
}

fn number(row: &SqliteRow, column: usize) -> Result<i64, StoreError> {
    row.try_get(column).map_err(StoreError::corrupt)
}

/// Opens a pool. A new file becomes WAL under a lock that SQLite does not wait for, while others may be opening it too.
async fn open(url: &str, options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    loop {
        match pool_options(url).connect_with(options.clone()).await {
            Err(error) if failure::is_busy(&error) => sleep(OPENING_PAUSE).await,
            // A store that starts waits longer than a request does.
            Err(sqlx::Error::PoolTimedOut) => {}
            pool => return pool,
        }
    }
}

fn pool_options(url: &str) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new()
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false);
    match url.contains(":memory:") || url.contains("mode=memory") {
        true => options
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None),
        false => options.max_connections(CONNECTIONS),
    }
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECTIONS: u32 = 8;
const OPENING: Duration = Duration::from_secs(5);
const OPENING_PAUSE: Duration = Duration::from_millis(20);
