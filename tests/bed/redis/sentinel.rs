//! A primary with two replicas, and three sentinels that watch it.

use std::{env, path::Path};

use super::{
    Space,
    client::{self, Reply},
    node::{Node, free_ports, until},
};
use crate::bed::folder::Folder;

/// The addresses of sentinels that are there already; see [`Sentinels::url`].
pub const VARIABLE: &str = "TENURE_TEST_REDIS_SENTINEL";

/// What the sentinels call the servers.
pub const NAME: &str = "tenure";

/// Servers and sentinels that end when this is dropped.
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Node>,
    sentinels: Vec<Node>,
    _folder: Folder,
}

/// How soon sentinels believe that a server is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// A server may be busy for as long as it likes.
    Calm,
    /// A server that does not answer for a moment is replaced.
    Nervous,
}

impl Sentinels {
    /// Starts them, with settings of the servers.
    pub fn start(watch: Watch, settings: &[&str]) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(watch, settings) {
                return started;
            }
        }
        panic!("the sentinels do not start");
    }

    /// Starts them; on other ports if somebody was faster.
    fn try_start(watch: Watch, settings: &[&str]) -> Option<Self> {
        let (folder, ports) = (Folder::new("sentinel"), free_ports(6));
        super::node::own(folder.path());
        let (servers, sentinels) = ports.split_at(3);
        let mut started = Self {
            servers: servers_on(servers, folder.path(), settings),
            sentinels: sentinels_on(sentinels, servers, folder.path(), watch),
            _folder: folder,
        };
        let mut nodes = started.servers.iter_mut().chain(&mut started.sentinels);
        let ready = nodes.all(Node::is_ready);
        if watch == Watch::Nervous {
            started.hurry();
        }
        ready.then(|| started.until_it_is_whole())
    }

    /// Lets sentinels look around more often, where they know how to.
    fn hurry(&self) {
        let hurry = "SENTINEL DEBUG INFO-PERIOD 500 PUBLISH-PERIOD 500 ASK-PERIOD 300";
        for sentinel in &self.sentinels {
            let _ = sentinel.try_ask(hurry);
        }
    }

    fn until_it_is_whole(self) -> Self {
        self.until_all_follow();
        self
    }

    /// Kills the primary, and returns its port.
    pub fn kill_primary(&mut self) -> u16 {
        let port = self.primary().port();
        self.server_mut(port).kill();
        port
    }

    /// Starts a server that was killed. If it was the primary and is no longer, it does not know of it until the sentinels
    /// tell it, some ten seconds later.
    pub fn restart(&mut self, port: u16) {
        self.server_mut(port).restart();
    }

    /// Starts a server that was killed, and makes it a replica of the primary that there is now.
    pub fn restart_as_replica(&mut self, port: u16) {
        let command = format!("REPLICAOF 127.0.0.1 {}", self.primary().port());
        self.restart(port);
        self.server(port).ask(&command);
    }

    pub fn kill_sentinels(&mut self) {
        self.sentinels.iter_mut().for_each(Node::kill);
    }

    /// Asks for another primary, although nothing is wrong.
    pub fn fail_over(&self) {
        // A fail-over of which not all have been told yet is in its way.
        let command = format!("SENTINEL FAILOVER {NAME}");
        until("a fail-over begins", || {
            self.sentinels[0].try_ask(&command).is_ok()
        });
    }

    /// Waits until all sentinels name another primary than this one, and it takes writes.
    pub fn until_another_than(&self, port: u16) {
        until("another primary", || {
            let primary = primary_of(self.sentinels[0].port());
            let agreed = self
                .sentinels
                .iter()
                .all(|sentinel| primary_of(sentinel.port()) == primary);
            agreed && primary != port && super::is_primary(self.primary())
        });
    }

    /// Waits until two servers follow the primary, and the sentinels know of it.
    pub fn until_all_follow(&self) {
        until("two servers follow", || {
            let servers = self.servers.iter();
            let followers = servers.filter(|server| super::is_following(server));
            followers.count() == 2
        });
        until("the sentinels agree", || self.sentinels.iter().all(watches));
    }

    /// Lets nothing more come to the replicas, and pauses them: what is written from now on is lost if the primary is killed.
    pub fn cut_replicas_off(&self) {
        let primary = self.primary();
        self.replicas().for_each(Node::pause);
        primary.fill_the_ways_to_replicas();
    }

    pub fn resume_replicas(&self, of: u16) {
        self.servers
            .iter()
            .filter(|server| server.port() != of)
            .for_each(Node::resume);
    }

    fn replicas(&self) -> impl Iterator<Item = &Node> {
        let primary = self.primary().port();
        self.servers
            .iter()
            .filter(move |server| server.port() != primary)
    }

    /// Waits until everything that was written so far is on both replicas.
    pub fn until_replicated(&self) {
        super::until_replicated(&self.servers);
    }

    /// Returns the server that the first sentinel says is the primary.
    pub fn primary(&self) -> &Node {
        let port = primary_of(self.sentinels[0].port());
        self.server(port)
    }

    pub fn servers(&self) -> &[Node] {
        &self.servers
    }

    pub fn server(&self, port: u16) -> &Node {
        let server = self.servers.iter().find(|server| server.port() == port);
        server.expect("a server of these")
    }

    fn server_mut(&mut self, port: u16) -> &mut Node {
        let mut servers = self.servers.iter_mut();
        let server = servers.find(|server| server.port() == port);
        server.expect("a server of these")
    }

    /// Returns the address for a store.
    pub fn url(&self) -> String {
        let places: Vec<_> = self
            .sentinels
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis-sentinel://{}/?service={NAME}", places.join(","))
    }
}

/// Takes keys of a test's own on the servers that all share, or on some of its own.
pub fn space() -> Space {
    match env::var(VARIABLE) {
        Ok(url) => Space::on(url, None),
        Err(_) => {
            let own = Sentinels::start(Watch::Calm, &[]);
            Space::on(own.url(), Some(Box::new(own)))
        }
    }
}

fn servers_on(ports: &[u16], folder: &Path, settings: &[&str]) -> Vec<Node> {
    let replica = format!("replicaof 127.0.0.1 {}", ports[0]);
    let server = |port: &u16| {
        let mut lines = settings.to_vec();
        if *port != ports[0] {
            lines.push(&replica);
        }
        Node::spawn(folder, *port, &lines)
    };
    ports.iter().map(server).collect()
}

/// Starts sentinels that know each other and the servers, as they otherwise do after some seconds.
fn sentinels_on(ports: &[u16], servers: &[u16], folder: &Path, watch: Watch) -> Vec<Node> {
    let ids: Vec<_> = ports.iter().map(|_| super::random_id()).collect();
    let sentinel = |(port, id): (&u16, &String)| {
        let mut lines = vec![
            format!("sentinel myid {id}"),
            format!("sentinel monitor {NAME} 127.0.0.1 {} 2", servers[0]),
            format!(
                "sentinel down-after-milliseconds {NAME} {}",
                watch.down_after()
            ),
            format!("sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT}"),
            format!("sentinel parallel-syncs {NAME} 2"),
        ];
        let replicas = servers[1..].iter();
        lines
            .extend(replicas.map(|port| format!("sentinel known-replica {NAME} 127.0.0.1 {port}")));
        let others = ports.iter().zip(&ids).filter(|(other, _)| *other != port);
        lines.extend(
            others
                .map(|(port, id)| format!("sentinel known-sentinel {NAME} 127.0.0.1 {port} {id}")),
        );
        let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
        Node::spawn_sentinel(folder, *port, &lines)
    };
    ports.iter().zip(&ids).map(sentinel).collect()
}

/// Tells whether a sentinel sees the others, and both replicas.
fn watches(sentinel: &Node) -> bool {
    let quorum = sentinel.try_ask(&format!("SENTINEL CKQUORUM {NAME}"));
    let agrees = quorum.is_ok_and(|said| said.to_string().starts_with("OK 3 "));
    let Ok(replicas) = sentinel.try_ask(&format!("SENTINEL REPLICAS {NAME}")) else {
        return false;
    };
    let is_up = |replica: &Reply| {
        let is = |field, value: &str| replica.field(field).as_deref() == Some(value);
        is("role-reported", "slave") && is("master-link-status", "ok")
    };
    agrees
        && replicas
            .parts()
            .iter()
            .filter(|replica| is_up(replica))
            .count()
            == 2
}

/// Asks a sentinel for the port of the primary.
pub fn primary_of(sentinel: u16) -> u16 {
    let command = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}");
    let address = client::connected(sentinel).ask(&command).unwrap();
    u16::try_from(address.parts()[1].number()).unwrap()
}

impl Watch {
    const fn down_after(self) -> u32 {
        match self {
            Self::Calm => 60_000,
            Self::Nervous => 2_000,
        }
    }
}

/// Milliseconds; after twice of it a fail-over that has failed is tried again.
const FAILOVER_TIMEOUT: u32 = 3_000;
