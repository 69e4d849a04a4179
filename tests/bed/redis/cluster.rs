//! A Cluster of three primaries, each with a replica.

use std::{collections::BTreeSet, env, fmt::Write as _};

use super::{
    Space,
    client::Reply,
    node::{Node, bus, folder_of, free_ports, own, until, write},
};
use crate::bed::folder::Folder;

/// The addresses of a Cluster that is there already; see [`Cluster::url`].
pub const VARIABLE: &str = "TENURE_TEST_REDIS_CLUSTER";

/// A Cluster that ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    ids: Vec<String>,
    _folder: Folder,
}

/// How soon nodes believe that another is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// A node may be busy for as long as it likes.
    Calm,
    /// A primary that does not answer for a moment is replaced.
    Nervous,
}

impl Cluster {
    /// Starts a Cluster, with settings of its nodes.
    pub fn start(watch: Watch, settings: &[&str]) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(watch, settings) {
                return started;
            }
        }
        panic!("the Cluster does not start");
    }

    /// Starts a Cluster; on other ports if somebody was faster.
    fn try_start(watch: Watch, settings: &[&str]) -> Option<Self> {
        let (folder, ports) = (Folder::new("cluster"), free_ports(NODES));
        own(folder.path());
        let ids: Vec<_> = ports.iter().map(|_| super::random_id()).collect();
        let node = |me: usize| {
            let file = folder_of(folder.path(), ports[me]).join("nodes.conf");
            write(&file, &known_nodes(me, &ids, &ports));
            let timeout = watch.timeout();
            let own = [
                "cluster-enabled yes",
                "cluster-announce-ip 127.0.0.1",
                &format!("cluster-node-timeout {timeout}"),
            ];
            Node::spawn(folder.path(), ports[me], &[&own, settings].concat())
        };
        let mut nodes: Vec<_> = (0..NODES).map(node).collect();
        let ready = nodes.iter_mut().all(Node::is_ready);
        let cluster = Self {
            nodes,
            ids,
            _folder: folder,
        };
        ready.then(|| cluster.until_it_is_whole())
    }

    fn until_it_is_whole(self) -> Self {
        self.until_all_serve();
        until("each primary has a replica", || {
            let nodes = self.nodes.iter();
            nodes.filter(|node| super::is_following(node)).count() == NODES - PRIMARIES
        });
        self
    }

    /// Waits until each node says that all slots are served.
    pub fn until_all_serve(&self) {
        until("the Cluster serves all slots", || {
            self.nodes.iter().all(serves)
        });
    }

    /// Returns the address for a store.
    pub fn url(&self) -> String {
        let places: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis-cluster://{}", places.join(","))
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns a node by its number: the first three are primaries at first, each followed by the one three later.
    pub fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number]
    }

    pub fn id(&self, number: usize) -> &str {
        &self.ids[number]
    }

    /// Returns the numbers of the primaries.
    pub fn primaries(&self) -> Vec<usize> {
        let is_primary = |number: &usize| super::is_primary(&self.nodes[*number]);
        (0..NODES).filter(is_primary).collect()
    }

    /// Waits until a node has become a primary.
    pub fn until_primary(&self, number: usize) {
        until("a replica becomes the primary", || {
            self.primaries().contains(&number)
        });
    }

    /// Returns the slots of a node that have keys in them.
    pub fn slots_with_keys(&self, number: usize) -> Vec<u16> {
        let node = &self.nodes[number];
        let keys = node.ask("KEYS *");
        // There may be a space in a key.
        let slot = |key: &Reply| {
            node.send(&["CLUSTER", "KEYSLOT", &key.to_string()])
                .number()
        };
        let slots: BTreeSet<i64> = keys.parts().iter().map(slot).collect();
        slots
            .into_iter()
            .map(|slot| slot.try_into().unwrap())
            .collect()
    }

    /// Begins to move a slot: what is not where it was is asked for where it is going.
    pub fn begin_to_move(&self, slot: u16, from: usize, to: usize) {
        self.nodes[to].ask(&format!(
            "CLUSTER SETSLOT {slot} IMPORTING {}",
            self.ids[from]
        ));
        self.nodes[from].ask(&format!(
            "CLUSTER SETSLOT {slot} MIGRATING {}",
            self.ids[to]
        ));
    }

    /// Moves the keys of a slot.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let (from, port) = (&self.nodes[from], self.nodes[to].port().to_string());
        for key in from
            .ask(&format!("CLUSTER GETKEYSINSLOT {slot} 1000"))
            .parts()
        {
            let key = key.to_string();
            from.send(&["MIGRATE", "127.0.0.1", &port, &key, "0", "10000"]);
        }
    }

    /// Tells all primaries where a slot is now, the one that it has come to first.
    pub fn end_moving(&self, slot: u16, to: usize) {
        let command = format!("CLUSTER SETSLOT {slot} NODE {}", self.ids[to]);
        self.nodes[to].ask(&command);
        for number in self.primaries() {
            self.nodes[number].ask(&command);
        }
    }

    /// Lets nothing more come from a primary to its replica, and pauses that: what is written there from now on is lost if
    /// the primary is killed.
    pub fn cut_replica_off(&self, number: usize) {
        self.nodes[number + PRIMARIES].pause();
        self.nodes[number].fill_the_ways_to_replicas();
    }

    /// Waits until everything that was written so far is on a replica.
    pub fn until_replicated(&self) {
        super::until_replicated(&self.nodes);
    }
}

/// Takes keys of a test's own in the Cluster that all share, or in one of its own.
pub fn space() -> Space {
    match env::var(VARIABLE) {
        Ok(url) => Space::on(url, None),
        Err(_) => {
            let own = Cluster::start(Watch::Calm, &[]);
            Space::on(own.url(), Some(Box::new(own)))
        }
    }
}

/// Returns what a node knows of all nodes when it starts, so that they need not get to know each other.
fn known_nodes(me: usize, ids: &[String], ports: &[u16]) -> String {
    let mut text = String::new();
    for (number, id) in ids.iter().enumerate() {
        let (port, bus) = (ports[number], bus(ports[number]));
        let myself = if number == me { "myself," } else { "" };
        let (role, primary, slots) = match number.checked_sub(PRIMARIES) {
            None => ("master", "-", SLOTS[number]),
            Some(primary) => ("slave", ids[primary].as_str(), ""),
        };
        let epoch = number % PRIMARIES + 1;
        writeln!(
            text,
            "{id} 127.0.0.1:{port}@{bus} {myself}{role} {primary} 0 0 {epoch} connected {slots}"
        )
        .unwrap();
    }
    text + "vars currentEpoch 3 lastVoteEpoch 0\n"
}

fn serves(node: &Node) -> bool {
    let info = node.try_ask("CLUSTER INFO").ok();
    info.is_some_and(|info| info.field("cluster_state").as_deref() == Some("ok"))
}

impl Watch {
    /// Returns milliseconds.
    const fn timeout(self) -> u32 {
        match self {
            Self::Calm => 60_000,
            Self::Nervous => 3_000,
        }
    }
}

const NODES: usize = 6;
const PRIMARIES: usize = 3;
const SLOTS: [&str; PRIMARIES] = ["0-5460", "5461-10922", "10923-16383"];
