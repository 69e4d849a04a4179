//! MariaDB, or MySQL if its server is named: a private server on a free port, in a folder of its own.

mod launch;

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, raw_sql};

use self::launch::Settings;
use super::{
    folder::Folder,
    process::{signal, stop},
};

/// The address of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_MYSQL";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct MariaDb {
    server: Child,
    port: u16,
    settings: Settings,
    folder: Folder,
}

impl MariaDb {
    /// Starts a server. A crash of it loses nothing, a crash of the machine may: it does not wait for the disk.
    pub fn start() -> Self {
        Self::start_with(NO_SYNC)
    }

    /// Starts a server with settings, each `name=value`.
    pub fn start_with(settings: &'static [&'static str]) -> Self {
        Self::launch(Settings {
            settings,
            file_limit: None,
            clock: false,
        })
    }

    /// Starts a server whose files cannot grow beyond so many KiB, as if its disk were full.
    pub fn start_limited(kib: u32) -> Self {
        Self::launch(Settings {
            settings: NO_SYNC,
            file_limit: Some(kib),
            clock: false,
        })
    }

    /// Starts a server whose clock [`set_clock`](Self::set_clock) moves.
    pub fn start_with_a_clock() -> Self {
        Self::launch(Settings {
            settings: NO_SYNC,
            file_limit: None,
            clock: true,
        })
    }

    fn launch(settings: Settings) -> Self {
        let folder = Folder::new("mariadb");
        let data = folder.path().join("data");
        launch::make(&data);
        let (server, port) = launch::serve(&data, settings);
        Self {
            server,
            port,
            settings,
            folder,
        }
    }

    /// Kills the server at once, as a machine does that goes down.
    pub fn kill(&mut self) {
        signal(self.server.id(), "KILL");
        self.server.wait().unwrap();
    }

    /// Starts the server again, with its data and its address; ends it first if it has not been killed.
    pub fn restart(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            signal(self.server.id(), "TERM");
            self.server.wait().unwrap();
        }
        let data = self.data();
        for _ in 0..100 {
            let mut server = launch::start(&data, self.port, self.settings);
            if launch::is_ready(&mut server, &data) {
                self.server = server;
                return;
            }
            // Its address is not free yet.
            thread::sleep(Duration::from_millis(50));
        }
        panic!("MariaDB does not start again:\n{}", launch::log(&data));
    }

    /// Stops the server, so that it answers nobody.
    pub fn pause(&self) {
        stop(self.server.id());
    }

    /// Lets the server go on.
    pub fn resume(&self) {
        signal(self.server.id(), "CONT");
    }

    /// Sets the clock of a server that has one of its own, so many minutes off the machine's.
    pub fn set_clock(&self, minutes: u32) {
        launch::set_clock(&self.data(), minutes);
    }

    /// Makes an empty database on this server.
    pub async fn database(&self) -> Database {
        Database::on(&self.address(), None).await
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.address())
    }

    /// The address of the server, for [`VARIABLE`].
    pub fn address(&self) -> String {
        format!("mysql://tenure@127.0.0.1:{}", self.port)
    }

    /// The id of the server's process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// The folder that the server's data are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            // Nobody wants what it would still write.
            signal(self.server.id(), "KILL");
            let _ = self.server.wait();
        }
        if self.settings.clock {
            launch::clear_away_the_clock_of(self.server.id());
        }
    }
}

/// A database of a test's own, on the server that all share or on one of its own.
#[derive(Debug)]
pub struct Database {
    url: String,
    _server: Option<MariaDb>,
}

impl Database {
    /// Makes an empty database.
    pub async fn new() -> Self {
        match env::var(VARIABLE) {
            Ok(address) => Self::on(&address, None).await,
            Err(_) => {
                let server = MariaDb::start();
                Self::on(&server.address(), Some(server)).await
            }
        }
    }

    async fn on(address: &str, server: Option<MariaDb>) -> Self {
        let name = format!("test_{:016x}", getrandom::u64().unwrap());
        let mut client = client(&as_root(&format!("{address}/mysql"))).await;
        run(&mut client, &format!("CREATE DATABASE {name}")).await;
        Self {
            url: format!("{address}/{name}"),
            _server: server,
        }
    }

    /// The address, for a user who may read and write and make tables, and has no say about the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// Returns where the server is.
    pub fn server(&self) -> SocketAddr {
        let place = self.url.split(['@', '/']).nth(3).unwrap();
        place.parse().unwrap()
    }

    /// Asks the server until a statement that begins so waits for a lock.
    pub async fn until_one_waits(&self, begins: &str) {
        let name = self.name();
        let text = match launch::mysqld() {
            // What InnoDB itself says of locks is refreshed only when nobody has asked for a while.
            None => format!(
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE db = '{name}' AND info LIKE '{begins}%' AND time_ms > 50"
            ),
            Some(_) => format!(
                "SELECT count(*) FROM performance_schema.threads \
                 WHERE processlist_db = '{name}' AND processlist_info LIKE '{begins}%' AND (\
                   thread_id IN (SELECT requesting_thread_id FROM performance_schema.data_lock_waits) OR \
                   thread_id IN (SELECT owner_thread_id FROM performance_schema.metadata_locks \
                     WHERE lock_status = 'PENDING'))"
            ),
        };
        let mut client = self.client().await;
        while number(&mut client, &text).await == 0 {}
    }

    /// Opens a connection for what a test does beside the store; it may do everything.
    pub async fn client(&self) -> MySqlConnection {
        client(&as_root(&self.url)).await
    }
}

fn as_root(url: &str) -> String {
    url.replace("tenure@", "root@")
}

/// Opens a connection.
pub async fn client(url: &str) -> MySqlConnection {
    let client = try_client(url).await;
    client.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Opens a connection, if the server has one left.
pub async fn try_client(url: &str) -> Result<MySqlConnection, sqlx::Error> {
    MySqlConnection::connect(url).await
}

/// Runs statements.
pub async fn run(client: &mut MySqlConnection, text: &str) {
    let done = client.execute(raw_sql(AssertSqlSafe(text))).await;
    done.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Ends a connection from the server's side, unless it has ended by itself.
pub async fn kill(client: &mut MySqlConnection, id: i64) {
    let killed = client
        .execute(raw_sql(AssertSqlSafe(format!("KILL {id}"))))
        .await;
    if let Err(error) = killed {
        let error = error.to_string();
        assert!(error.contains("Unknown thread id"), "{error}");
    }
}

/// Returns the number of the connection that a store has made last.
pub async fn newest_connection(client: &mut MySqlConnection) -> i64 {
    let text = match launch::mysqld() {
        None => {
            "SELECT CAST(max(id) AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND user = 'tenure'"
        }
        // Its own list of processes cannot be read while a statement has bytes that are no text.
        Some(_) => {
            "SELECT CAST(max(processlist_id) AS SIGNED) FROM performance_schema.threads \
             WHERE processlist_db = DATABASE() AND processlist_user = 'tenure'"
        }
    };
    number(client, text).await
}

/// Asks for a number.
pub async fn number(client: &mut MySqlConnection, text: &str) -> i64 {
    let number = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(client);
    number
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What is committed is written, but not waited for until it is on the disk.
const NO_SYNC: &[&str] = &["innodb-flush-log-at-trx-commit=2"];
