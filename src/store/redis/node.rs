//! One server and the connections to it, or the server that Sentinels name.

use std::{error::Error, sync::Arc, time::Duration};

use super::{
    address::{Access, Address, Sentinels},
    connection::{Asking, Connection, Expected, Said},
    failure,
    group::{Group, Member},
    replicas::Replicas,
    script::Request,
    sentinels::Asked,
};
use crate::store::{
    SetupError, StoreError,
    link::{self, Driver, Link, in_full},
};

/// What a verb does, and so which connection it goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Reading,
    Writing,
}

/// What the connections to all servers have in common.
#[derive(Clone)]
pub(super) struct Kind {
    access: Access,
    replicas: Option<Replicas>,
    /// How long a server may take to answer a question.
    patience: Duration,
}

impl Kind {
    pub(super) fn new(access: Access, replicas: Option<Replicas>) -> Self {
        // The question may stand behind a change that waits for replicas.
        let waiting = replicas.map_or(Duration::ZERO, |replicas| replicas.timeout);
        Self {
            access,
            replicas,
            patience: PATIENCE + waiting,
        }
    }
}

/// The connections to one server.
pub(super) struct Node {
    links: Box<[Link<Connection>]>,
    /// Those for changes that wait for replicas: the server carries out nothing behind them meanwhile.
    waiting: Box<[Link<Connection>]>,
    replicas: Option<Replicas>,
}

impl Node {
    pub(super) fn new(maker: &Maker, kind: &Kind) -> Self {
        let links = |count| (0..count).map(|_| Link::new(maker.clone())).collect();
        Self {
            links: links(CONNECTIONS),
            waiting: links(kind.replicas.map_or(0, |_| WAITING)),
            replicas: kind.replicas,
        }
    }

    /// Keeps connections to a node of a cluster.
    pub(super) fn of_cluster(address: Address, kind: &Kind) -> Self {
        Self::new(&Maker::new(Source::NodeAt(address), kind), kind)
    }

    pub(super) async fn carry_out(
        &self,
        way: Way,
        lane: u8,
        request: &Request,
        asking: Asking,
    ) -> Result<Said, StoreError> {
        let replicas = self.replicas.filter(|_| way == Way::Writing);
        let links = match replicas {
            Some(_) => &self.waiting,
            None => &self.links,
        };
        let connection = connection(links, usize::from(lane)).await?;
        connection.carry_out(request, asking, replicas).await
    }

    /// Returns a connection for a question beside the verbs.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        connection(&self.links, 0).await
    }

    pub(super) fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.look(|_| ()).is_some())
    }
}

/// Returns the connection of a lane, or another one while that is made again.
async fn connection(
    links: &[Link<Connection>],
    lane: usize,
) -> Result<Arc<Connection>, StoreError> {
    let (before, from) = links.split_at(lane % links.len());
    match from.iter().chain(before).find_map(Link::at_hand) {
        Some(connection) => Ok(connection),
        None => from[0].connection().await,
    }
}

/// Knows how to make a connection.
#[derive(Clone)]
pub(super) struct Maker {
    source: Source,
    access: Access,
    patience: Duration,
    group: Group,
}

/// Where a server is.
#[derive(Clone)]
pub(super) enum Source {
    /// The primary is here.
    At(Address),
    /// A node of a cluster is here.
    NodeAt(Address),
    /// These know where the primary is.
    Sentinels(Arc<Asked>),
}

impl Source {
    pub(super) fn of(sentinels: Sentinels) -> Self {
        Self::Sentinels(Asked::new(sentinels))
    }
}

impl Maker {
    pub(super) fn new(source: Source, kind: &Kind) -> Self {
        Self {
            source,
            access: kind.access.clone(),
            patience: kind.patience,
            group: Group::new(),
        }
    }

    /// Connects to the server, and sees that it is what it is to be.
    pub(super) async fn open(&self) -> Result<(Connection, Driver), SetupError> {
        let member = self.group.join();
        match &self.source {
            Source::At(address) => self.open_at(address, Expected::Primary, member).await,
            Source::NodeAt(address) => self.open_at(address, Expected::Node, member).await,
            Source::Sentinels(asked) => {
                let address = asked.primary().await?;
                let opened = self.open_at(&address, Expected::Primary, member).await;
                if opened
                    .as_ref()
                    .is_err_and(|error| !failure::is_refusal(error))
                {
                    asked.forget();
                }
                let (connection, driver) = opened?;
                Ok((connection.named_by(asked.clone(), address), driver))
            }
        }
    }

    async fn open_at(
        &self,
        address: &Address,
        expected: Expected,
        member: Member,
    ) -> Result<(Connection, Driver), SetupError> {
        let opened = Connection::open(address, &self.access, expected, self.patience, member).await;
        let (connection, driver) = opened.map_err(failure::setup)?;
        match connection.is_as_expected().await.map_err(failure::setup)? {
            true => Ok((connection, driver)),
            false => Err(failure::read_only()),
        }
    }
}

impl link::Maker for Maker {
    type Connection = Connection;

    async fn make(&self) -> Result<(Connection, Driver), String> {
        let opened = self.open().await;
        opened.map_err(|error| in_full(error.source().unwrap_or(&error)))
    }
}

/// With one, the server and this process wait for each other in turns, for all that is under way is in one packet. With
/// many, packets are small.
const CONNECTIONS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);
/// How many connections there are for changes that wait for replicas.
const WAITING: usize = 8;
