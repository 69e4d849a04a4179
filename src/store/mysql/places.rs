//! As many connections as there are places, and turns at a session.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, MySqlConnection,
    mysql::MySqlConnectOptions, raw_sql,
};
use tokio::{
    runtime,
    sync::{Mutex as Queue, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{connection::Connection, failure};
use crate::{
    clock::Stopwatch,
    id::Handle,
    store::{StoreError, sql::SetupError},
    sync::Mutex,
};

/// The places, and the connections that nobody has.
///
/// A pool of sqlx asks each connection that comes back whether it is still there: twice the trips.
pub(super) struct Places {
    options: MySqlConnectOptions,
    free: Arc<Semaphore>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    /// The last that came back is the first to go, so the first has been idle for longest.
    idle: Vec<Idle>,
    /// How often all were given up: what was opened before comes back no more.
    generation: u64,
}

struct Idle {
    connection: MySqlConnection,
    since: Stopwatch,
}

impl Places {
    pub(super) fn new(options: MySqlConnectOptions, count: usize) -> Self {
        Self {
            options,
            free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            connections: Mutex::default(),
        }
    }

    /// Takes a connection; waits a moment for a free place.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Connection, StoreError> {
        let place = self.place().await?;
        self.connection(place).await
    }

    /// Takes a connection in a place.
    pub(super) async fn connection(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Connection, StoreError> {
        let (idle, generation) = self.pop();
        let place = Place {
            places: self.clone(),
            generation,
            _permit: permit,
        };
        match idle {
            Some(idle) if idle.since.elapsed() < TRUSTED => {
                Ok(Connection::new(idle.connection, true, place))
            }
            // In a box of its own, so that the usual way costs less memory than connecting does.
            idle => Box::pin(self.make_sure(idle, place)).await,
        }
    }

    /// Makes sure that a connection is still there, and connects if it is not or there is none.
    async fn make_sure(
        self: &Arc<Self>,
        idle: Option<Idle>,
        place: Place,
    ) -> Result<Connection, StoreError> {
        let Some(idle) = idle else {
            let connection = self.connect(CONNECTING).await;
            let connection = connection.map_err(StoreError::unavailable)?;
            return Ok(Connection::new(connection, false, place));
        };
        let mut connection = Connection::new(idle.connection, false, place);
        if connection.is_there().await {
            return Ok(connection);
        }
        // With it go the others, which have been idle for longer: the next one is new.
        drop(connection);
        drop(std::mem::take(&mut self.connections.lock().idle));
        self.take().await
    }

    /// Takes a place if one is free.
    pub(super) fn free(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// Takes a place; waits a moment for a free one.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Some(place) = self.free() {
            return Ok(place);
        }
        let place = timeout(PLACE_TIMEOUT, self.free.clone().acquire_owned()).await;
        place
            .map_err(StoreError::unavailable)?
            .map_err(StoreError::unavailable)
    }

    /// Opens a connection for a question outside of the verbs.
    pub(super) async fn client(&self) -> Result<MySqlConnection, SetupError> {
        self.connect(CONNECTING_AT_START).await
    }

    /// Opens a connection whose session does not depend on the server's settings.
    async fn connect(&self, most: Duration) -> Result<MySqlConnection, SetupError> {
        let connecting = async {
            let mut connection = self.options.connect().await?;
            connection.execute(raw_sql(SETTINGS)).await?;
            Ok(connection)
        };
        match timeout(most, connecting).await {
            Ok(connected) => connected.map_err(failure::setup),
            Err(elapsed) => Err(failure::silent(elapsed)),
        }
    }

    /// Keeps a connection for the next, unless all of its time were given up.
    pub(super) fn keep(&self, connection: MySqlConnection, generation: u64) {
        let since = Stopwatch::start();
        let mut connections = self.connections.lock();
        if generation == connections.generation {
            connections.idle.push(Idle { connection, since });
        }
    }

    /// Gives up all connections of a generation, also those that somebody has: one was lost, or its server is not the one
    /// to ask, and so it may be with them.
    fn forget(&self, generation: u64) {
        let mut connections = self.connections.lock();
        if generation == connections.generation {
            connections.generation += 1;
            let idle = std::mem::take(&mut connections.idle);
            drop(connections);
            drop(idle);
        }
    }

    fn pop(&self) -> (Option<Idle>, u64) {
        let mut connections = self.connections.lock();
        (connections.idle.pop(), connections.generation)
    }
}

/// A place that a connection is in; it is free when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    /// That of the connection.
    generation: u64,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Keeps the connection for the next who takes a place.
    pub(super) fn give_back(&self, connection: MySqlConnection) {
        self.places.keep(connection, self.generation);
    }

    /// Gives it up, and with it all of its time.
    pub(super) fn give_up(&self) {
        self.places.forget(self.generation);
    }
}

impl Drop for Places {
    /// Says goodbye to the server, which otherwise notes down each connection that just ends.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.connections.lock().idle);
        if let Ok(runtime) = runtime::Handle::try_current() {
            runtime.spawn(async move {
                for idle in idle {
                    let _ = timeout(CONNECTING, idle.connection.close()).await;
                }
            });
        }
    }
}

/// Lets those who change one session take turns. Who waits here holds no connection, so that a row that somebody has
/// locked holds up one of them and not all.
pub(super) struct Turns {
    queues: Box<[Arc<Queue<()>>]>,
    /// Nobody can tell who shares a queue with whom.
    key: RandomState,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            queues: (0..QUEUES).map(|_| Arc::default()).collect(),
            key: RandomState::new(),
        }
    }

    /// Waits for a handle's turn. Few share one.
    pub(super) async fn turn(&self, handle: Handle) -> Result<OwnedMutexGuard<()>, StoreError> {
        let number = self.key.hash_one(handle) as usize % QUEUES;
        let queue = &self.queues[number];
        if let Ok(turn) = queue.clone().try_lock_owned() {
            return Ok(turn);
        }
        let turn = timeout(TURN_TIMEOUT, queue.clone().lock_owned()).await;
        turn.map_err(StoreError::unavailable)
    }
}

/// * `completion_type`: a transaction ends with its commit.
/// * `time_zone`: the clock counts in UTC.
/// * `innodb_lock_wait_timeout`: less than half of a commit's time, so that it is an error of the server's.
/// * `sql_mode`: what does not fit is refused and not cut off, and assignments are made from left to right.
/// * `sql_safe_updates`, `sql_big_selects`: a sweep is a join, and names no key in a condition.
/// * A conditional update must see what was committed while it waited, and lock no row but its own.
const SETTINGS: &str = "SET SESSION autocommit = 1, completion_type = 0, time_zone = '+00:00', innodb_lock_wait_timeout = 2, \
     sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', sql_safe_updates = 0, sql_big_selects = 1; \
     SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// So many that of 64 changes at a time one in sixteen meets another one, and few enough that all take 80 KiB.
const QUEUES: usize = 1_024;
/// Half of what a load has by default.
const PLACE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than one change waits for a row's lock.
const TURN_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECTING: Duration = Duration::from_secs(2);
const CONNECTING_AT_START: Duration = Duration::from_secs(5);
/// For so long after its last answer a connection is taken to be there.
const TRUSTED: Duration = Duration::from_secs(1);
