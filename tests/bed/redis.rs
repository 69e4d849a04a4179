//! Redis or Valkey: private servers on free ports, in folders of their own.

pub mod client;
pub mod cluster;
pub mod node;
pub mod sentinel;

use std::{env, fmt::Debug, ops::Deref};

use ::redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, aio::MultiplexedConnection};
use tenure::store::{RedisStore, RedisStoreBuilder};

use self::node::{Node, free_ports, until};
use super::folder::Folder;

/// The URL of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_REDIS";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    node: Node,
    _folder: Folder,
}

impl Redis {
    /// Starts a server that keeps everything in memory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with settings, each as a line of its configuration file: `appendonly yes`.
    pub fn start_with(settings: &[&str]) -> Self {
        for _ in 0..5 {
            let folder = Folder::new("redis");
            node::own(folder.path());
            let mut node = Node::spawn(folder.path(), free_ports(1)[0], settings);
            // Somebody else may have been faster.
            if node.is_ready() {
                return Self {
                    node,
                    _folder: folder,
                };
            }
        }
        panic!("Redis does not start");
    }

    /// Kills the server, as a machine does that goes down.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Starts the server again, with its folder and its address; kills it first if it has not been.
    pub fn restart(&mut self) {
        self.node.restart();
    }

    /// Where the server has its files.
    pub fn folder(&self) -> &std::path::Path {
        self._folder.path()
    }

    /// The URL of the server, for [`VARIABLE`].
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Takes keys of a test's own on this server.
    pub fn space(&self) -> Space {
        Space::on(self.url(), None)
    }
}

impl Deref for Redis {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// Keys of a test's own, on the server that all share or on one of its own.
#[derive(Debug)]
pub struct Space {
    url: String,
    prefix: String,
    _server: Option<Box<dyn Debug + Send + Sync>>,
}

impl Space {
    pub fn new() -> Self {
        match env::var(VARIABLE) {
            Ok(url) => Self::on(url, None),
            Err(_) => {
                let server = Redis::start();
                Self::on(server.url(), Some(Box::new(server)))
            }
        }
    }

    fn on(url: String, server: Option<Box<dyn Debug + Send + Sync>>) -> Self {
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

    /// Returns the keys that are there, wherever they are.
    pub fn keys(&self) -> Vec<String> {
        let pattern = format!("KEYS {}*", self.prefix);
        let keys = |port| client::connected(port).ask(&pattern).unwrap();
        let keys = self.primaries().into_iter().map(keys);
        let keys = keys.flat_map(|keys| keys.parts().to_vec());
        keys.map(|key| key.to_string()).collect()
    }

    /// Returns the ports of the servers that take writes.
    pub fn primaries(&self) -> Vec<u16> {
        let places = self.url.split("127.0.0.1:").skip(1);
        let ports = places.map(|place| {
            let end = place.find(|character: char| !character.is_ascii_digit());
            place[..end.unwrap_or(place.len())].parse().unwrap()
        });
        let is_primary = |port: &u16| {
            let role = client::connected(*port).ask("ROLE").unwrap();
            role.parts()[0].to_string() == "master"
        };
        match self.url.starts_with("redis-sentinel") {
            true => ports.take(1).map(sentinel::primary_of).collect(),
            false => ports.filter(is_primary).collect(),
        }
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

/// Waits until what each primary of these has written so far is on all of its replicas.
pub fn until_replicated(nodes: &[Node]) {
    let primaries = nodes.iter().filter(|node| is_primary(node));
    for primary in primaries {
        let written = offset(primary, "master_repl_offset");
        let port = primary.port().to_string();
        let is_its = |node: &&Node| node.info("master_port").as_ref() == Some(&port);
        for replica in nodes.iter().filter(is_its) {
            until("a replica has it", || {
                offset(replica, "slave_repl_offset") >= written
            });
        }
    }
}

fn offset(node: &Node, field: &str) -> u64 {
    node.info(field).map_or(0, |offset| offset.parse().unwrap())
}

/// Tells whether a server is up and takes writes.
pub fn is_primary(node: &Node) -> bool {
    node.info("role").as_deref() == Some("master")
}

/// Tells whether a server is up and is a replica that is connected to its primary.
pub fn is_following(node: &Node) -> bool {
    node.info("master_link_status").as_deref() == Some("up")
}

/// Returns what servers call each other.
fn random_id() -> String {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
