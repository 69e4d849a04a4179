//! A cluster: which node is asked, and what follows if it is the wrong one.
//!
//! A command is sent again only to where a node has pointed: it has said that it did not carry the command out. Whoever
//! sends again what may have been carried out answers a creation with "taken" by itself.

mod loads;
mod walk;

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    address::Address,
    connection::{Asking, Connection, Said},
    failure,
    keys::Key,
    node::{Kind, Node, Way},
    resp::Command,
    script::Request,
    slots::{Slots, redirection, slot},
};
use crate::{
    store::{SetupError, StoreError, link::in_full},
    sync::Mutex,
};

/// The nodes of a cluster, and who has which slot. A task looks again when a node says that this has changed, or does
/// not answer; it ends with the cluster.
pub(super) struct Cluster {
    members: Arc<Members>,
    slots: watch::Receiver<Slots<Member>>,
}

impl Cluster {
    /// Finds out who is in the cluster.
    pub(super) async fn connect(seeds: Vec<Address>, kind: Kind) -> Result<Self, SetupError> {
        let members = Arc::new(Members {
            seeds,
            kind,
            known: Mutex::default(),
            is_stale: Notify::new(),
        });
        let slots = members.slots(0).await;
        let slots = slots.map_err(|cause| SetupError::unreachable(failure::mend(&cause), cause))?;
        let (sender, slots) = watch::channel(slots);
        tokio::spawn(keep(members.clone(), sender));
        Ok(Self { members, slots })
    }

    /// Carries a verb out where its key is.
    pub(super) async fn carry_out(
        &self,
        way: Way,
        key: &Key,
        request: &Request,
    ) -> Result<Said, StoreError> {
        let mut member = self.member(slot(&key.name))?;
        let mut asking = Asking::No;
        for _ in 0..REDIRECTIONS {
            let said = member.node.carry_out(way, key.lane, request, asking).await;
            if !matches!(said, Ok(Ok(_))) {
                self.members.is_stale.notify_one();
            }
            let Ok(Err(error)) = &said else {
                return said;
            };
            asking = match error.code() {
                "ASK" => Asking::Yes,
                "MOVED" => Asking::No,
                _ => return said,
            };
            let place = error.details().unwrap_or_default();
            match redirection(place, &member.address) {
                Some(address) => member = self.members.member(address),
                None => return said,
            }
        }
        Err(StoreError::unavailable("the nodes point at each other"))
    }

    /// Returns the node that has a slot.
    fn member(&self, slot: u16) -> Result<Arc<Member>, StoreError> {
        let member = self.slots.borrow().of(slot).cloned();
        member.ok_or_else(|| {
            self.members.is_stale.notify_one();
            StoreError::unavailable("no node has the slot of this key")
        })
    }

    /// Returns connections to those nodes that have slots and can be reached.
    pub(super) async fn connections(&self) -> Vec<Arc<Connection>> {
        let members: Vec<_> = self.members.known.lock().values().cloned().collect();
        let mut connections = Vec::new();
        for member in members {
            connections.extend(member.node.connection().await.ok());
        }
        connections
    }
}

/// A node, and where it is.
struct Member {
    address: Address,
    node: Node,
}

/// The nodes that are known, and how others are reached.
struct Members {
    seeds: Vec<Address>,
    kind: Kind,
    known: Mutex<HashMap<Address, Arc<Member>>>,
    is_stale: Notify,
}

impl Members {
    fn member(&self, address: Address) -> Arc<Member> {
        let mut known = self.known.lock();
        let member = known.entry(address).or_insert_with_key(|address| {
            Arc::new(Member {
                address: address.clone(),
                node: Node::of_cluster(address.clone(), &self.kind),
            })
        });
        member.clone()
    }

    /// Asks one node after the other who has which slot, and forgets those who have none.
    async fn slots(&self, turn: usize) -> Result<Slots<Member>, String> {
        let mut told = Vec::new();
        for address in self.candidates(turn) {
            match timeout(ASKING, self.slots_of(&address)).await {
                Ok(Ok(slots)) => {
                    let has_slots =
                        |member: &Arc<Member>| slots.nodes().any(|node| Arc::ptr_eq(node, member));
                    self.known.lock().retain(|_, member| has_slots(member));
                    return Ok(slots);
                }
                Ok(Err(cause)) => told.push(format!("{address}: {cause}")),
                Err(elapsed) => told.push(format!("{address}: {elapsed}")),
            }
        }
        Err(told.join("; "))
    }

    async fn slots_of(&self, address: &Address) -> Result<Slots<Member>, String> {
        let connection = self.member(address.clone()).node.connection().await;
        let connection = connection.map_err(|error| in_full(error.source().unwrap_or(&error)))?;
        let question = Command::new("CLUSTER").arg("SLOTS");
        let answer = connection.ask(&question).await;
        let answer = answer.map_err(|error| in_full(&error))?;
        let slots = Slots::read(&answer, address, |address| self.member(address));
        slots
            .filter(|slots| slots.nodes().next().is_some())
            .ok_or_else(|| "it knows of no slots".to_owned())
    }

    /// Returns whom to ask, those who can be reached first; each time another one, for one may be behind.
    fn candidates(&self, turn: usize) -> Vec<Address> {
        let known = self.known.lock();
        let mut members: Vec<_> = known.values().collect();
        members.sort_by_key(|member| !member.node.is_up());
        let up = members
            .iter()
            .take_while(|member| member.node.is_up())
            .count();
        members[..up].rotate_left(turn % up.max(1));
        let mut candidates: Vec<_> = members
            .iter()
            .map(|member| member.address.clone())
            .collect();
        let seeds = self.seeds.iter().filter(|seed| !known.contains_key(seed));
        candidates.extend(seeds.cloned());
        candidates
    }
}

/// Looks again whenever that is due, but not all the time.
async fn keep(members: Arc<Members>, slots: watch::Sender<Slots<Member>>) {
    for turn in 0.. {
        tokio::select! {
            () = members.is_stale.notified() => {}
            () = slots.closed() => return,
        }
        if let Ok(found) = members.slots(turn).await {
            slots.send_replace(found);
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = slots.closed() => return,
        }
    }
}

/// How often a command follows where it is sent.
const REDIRECTIONS: usize = 5;
/// Less than a connection is waited for that is being made: another node may know.
const ASKING: Duration = Duration::from_millis(1_500);
const PAUSE: Duration = Duration::from_millis(200);
