//! Redis: private servers on free ports, in folders of their own.

pub mod client;
pub mod cluster;
pub mod node;
pub mod sentinel;

use self::node::{Node, until};

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
