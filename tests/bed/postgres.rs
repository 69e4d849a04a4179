//! PostgreSQL: a private server on a free port, in a folder of its own.

mod launch;

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use tokio_postgres::{Client, NoTls};

use self::launch::Settings;
use super::{folder::Folder, process::signal};

/// The address of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_POSTGRES";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    port: u16,
    settings: Settings,
    folder: Folder,
}

impl Postgres {
    /// Starts a server. A crash of it loses nothing, a crash of the machine may: it does not wait for the disk.
    pub fn start() -> Self {
        Self::start_with(NO_SYNC)
    }

    /// Starts a server with settings, each `name=value`.
    pub fn start_with(settings: &'static [&'static str]) -> Self {
        Self::launch(Settings {
            settings,
            file_limit: None,
        })
    }

    /// Starts a server whose files cannot grow beyond so many KiB, as if its disk were full.
    pub fn start_limited(kib: u32) -> Self {
        Self::launch(Settings {
            settings: NO_SYNC,
            file_limit: Some(kib),
        })
    }

    fn launch(settings: Settings) -> Self {
        let folder = Folder::new("postgres");
        let data = folder.path().join("data");
        launch::make(&data, settings);
        let (server, port) = launch::serve(&data, settings);
        Self {
            server,
            port,
            settings,
            folder,
        }
    }

    /// Kills the server and all of its processes at once, as a machine does that goes down.
    pub fn kill(&mut self) {
        // Stopped first, it starts no more.
        signal(self.server.id(), "STOP");
        let children = self.children();
        signal(self.server.id(), "KILL");
        self.server.wait().unwrap();
        for child in children {
            signal(child, "KILL");
        }
    }

    /// Starts the server again, with its data and its address; ends it first if it has not been killed.
    pub fn restart(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            signal(self.server.id(), "INT");
            self.server.wait().unwrap();
        }
        let data = self.data();
        for _ in 0..100 {
            let mut server = launch::start(&data, self.port, self.settings);
            if launch::is_ready(&mut server, &data) {
                self.server = server;
                return;
            }
            // Its processes that were killed have not ended yet.
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not start again:\n{}", launch::log(&data));
    }

    /// Stops all of its processes, so that the server answers nobody.
    pub fn pause(&self) {
        signal(self.server.id(), "STOP");
        for child in self.children() {
            signal(child, "STOP");
        }
    }

    /// Lets the server go on.
    pub fn resume(&self) {
        for child in self.children() {
            signal(child, "CONT");
        }
        signal(self.server.id(), "CONT");
    }

    /// Makes an empty database on this server.
    pub async fn database(&self) -> Database {
        Database::on(&self.address(), None).await
    }

    fn children(&self) -> Vec<u32> {
        let listed = Command::new("ps")
            .args(["-A", "-o", "pid=", "-o", "ppid="])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let child = |line: &str| {
            let mut ids = line.split_whitespace().map(|id| id.parse::<u32>().unwrap());
            let (id, parent) = (ids.next()?, ids.next()?);
            (parent == self.server.id()).then_some(id)
        };
        listed.lines().filter_map(child).collect()
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
        format!("postgres://tenure@127.0.0.1:{}", self.port)
    }

    /// The id of the server's first process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// The folder that the server's data are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            self.resume();
            // The server ends its own processes; killed, it could not.
            signal(self.server.id(), "QUIT");
            let _ = self.server.wait();
        }
    }
}

/// A database of a test's own, on the server that all share or on one of its own.
#[derive(Debug)]
pub struct Database {
    url: String,
    _server: Option<Postgres>,
}

impl Database {
    /// Makes an empty database.
    pub async fn new() -> Self {
        match env::var(VARIABLE) {
            Ok(address) => Self::on(&address, None).await,
            Err(_) => {
                let server = Postgres::start();
                Self::on(&server.address(), Some(server)).await
            }
        }
    }

    async fn on(address: &str, server: Option<Postgres>) -> Self {
        let name = format!("test_{:016x}", getrandom::u64().unwrap());
        let client = client(&format!("{address}/postgres")).await;
        let create = format!("CREATE DATABASE {name}");
        client.batch_execute(&create).await.unwrap();
        Self {
            url: format!("{address}/{name}"),
            _server: server,
        }
    }

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

    /// Opens a connection for what a test does beside the store.
    pub async fn client(&self) -> Client {
        client(&self.url).await
    }
}

/// Opens a connection.
pub async fn client(url: &str) -> Client {
    let client = try_client(url).await;
    client.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Opens a connection, if the server has one left.
pub async fn try_client(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

const NO_SYNC: &[&str] = &["fsync=off"];
