//! Redis: private servers on free ports, in folders of their own.

pub mod client;
pub mod cluster;
pub mod node;
pub mod sentinel;

use std::env;

use self::node::{Node, free_ports, until};
use super::folder::Folder;

/// The address of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_REDIS";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    node: Node,
    _folder: Folder,
}

impl Redis {
    /// Starts a server that keeps nothing over a restart.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with settings, each a word `--name` and the words of its value.
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

    /// Returns the address for a store.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.node.port())
    }
}

impl std::ops::Deref for Redis {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl std::ops::DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// A server that tests share and do not hurt, or one of a test's own.
#[derive(Debug)]
pub struct Shared {
    url: String,
    _own: Option<Redis>,
}

impl Shared {
    /// Finds it, or starts one.
    pub fn find() -> Self {
        match env::var(VARIABLE) {
            Ok(url) => Self { url, _own: None },
            Err(_) => {
                let own = Redis::start();
                Self {
                    url: own.url(),
                    _own: Some(own),
                }
            }
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Waits until what each primary of these has written so far is on all of its replicas.
pub fn until_replicated(nodes: &[Node]) {
    let primaries = nodes.iter().filter(|node| is_primary(node));
    for primary in primaries {
        let written = offset(primary, "master_repl_offset");
        let port = primary.port().to_string();
        let replicas = nodes
            .iter()
            .filter(|node| node.info("master_port") == Some(port.clone()));
        for replica in replicas {
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
