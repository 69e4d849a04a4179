//! Redis or Valkey: a private server on a free port, in a folder of its own.

mod launch;

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use ::redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use tenure::store::{RedisStore, RedisStoreBuilder};

use super::folder::Folder;

/// The URL of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_REDIS";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    server: Child,
    port: u16,
    settings: Vec<String>,
    folder: Folder,
}

impl Redis {
    /// Starts a server that keeps everything in memory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with settings, each as a line of its configuration file: `appendonly yes`.
    pub fn start_with(settings: &[&str]) -> Self {
        let folder = Folder::new("redis");
        let settings: Vec<_> = settings.iter().map(|line| (*line).to_owned()).collect();
        let (server, port) = launch::serve(folder.path(), &settings);
        Self {
            server,
            port,
            settings,
            folder,
        }
    }

    /// Kills the server, as a machine does that goes down.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Starts the server again, with its folder and its address; ends it first if it has not been killed.
    pub fn restart(&mut self) {
        if let Ok(None) = self.server.try_wait() {
            signal(self.server.id(), "TERM");
            self.server.wait().unwrap();
        }
        let folder = self.folder.path();
        self.server = launch::start(folder, self.port, &self.settings);
        let is_ready = launch::is_ready(&mut self.server, self.port);
        assert!(
            is_ready,
            "it does not start again:\n{}",
            launch::log(folder)
        );
    }

    /// Stops the server, so that it answers nobody.
    pub fn pause(&self) {
        signal(self.server.id(), "STOP");
    }

    /// Lets the server go on.
    pub fn resume(&self) {
        signal(self.server.id(), "CONT");
    }

    /// The URL of the server, for [`VARIABLE`].
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the server's process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// The folder that the server's data are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Takes keys of a test's own on this server.
    pub fn space(&self) -> Space {
        Space::on(self.url(), None)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A process that is stopped is killed as well.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Sends a signal to one process.
fn signal(id: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Keys of a test's own, on the server that all share or on one of its own.
#[derive(Debug)]
pub struct Space {
    url: String,
    prefix: String,
    _server: Option<Redis>,
}

impl Space {
    pub fn new() -> Self {
        match env::var(VARIABLE) {
            Ok(url) => Self::on(url, None),
            Err(_) => {
                let server = Redis::start();
                Self::on(server.url(), Some(server))
            }
        }
    }

    fn on(url: String, server: Option<Redis>) -> Self {
        Self {
            url,
            prefix: format!("test_{:016x}:", getrandom::u64().unwrap()),
            _server: server,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Begins a store that keeps its sessions under these keys.
    pub fn builder(&self) -> RedisStoreBuilder {
        let builder = RedisStore::builder(&self.url).unwrap();
        builder.with_prefix(&self.prefix).unwrap()
    }

    /// Opens a store as a process does that starts.
    pub async fn open(&self) -> RedisStore {
        self.builder().connect().await.unwrap()
    }

    /// Opens a connection for what a test does beside the store.
    pub async fn console(&self) -> Console {
        Console::open(&self.url).await
    }
}

/// A connection for what a test does beside a store.
#[derive(Clone, Debug)]
pub struct Console(MultiplexedConnection);

impl Console {
    pub async fn open(url: &str) -> Self {
        let client = Client::open(url).unwrap();
        // A busy machine takes its time.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let opened = client.get_multiplexed_async_connection_with_config(&config);
        Self(
            opened
                .await
                .unwrap_or_else(|error| panic!("{url}: {error}")),
        )
    }

    /// Carries a command out, its words set apart by spaces.
    pub async fn run<T: FromRedisValue>(&self, line: &str) -> T {
        self.try_run(line)
            .await
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    pub async fn try_run<T: FromRedisValue>(&self, line: &str) -> redis::RedisResult<T> {
        let mut command = Cmd::new();
        line.split(' ').for_each(|word| {
            command.arg(word);
        });
        command.query_async(&mut self.0.clone()).await
    }
}
