//! Connections that are made again when they are lost.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use tokio_postgres::Client;

use super::{connection::Connection, statements::Statements};
use crate::{
    id::Handle,
    store::{StoreError, backoff::Backoff, sql::Table},
};

/// What a verb does, and so which connection it goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Reading,
    Writing,
}

/// The connections of a store.
pub(super) struct Links(Box<[Link]>);

impl Links {
    pub(super) fn new(count: usize, maker: &Maker) -> Self {
        let links = (0..count.max(1)).map(|_| Link::new(maker.clone()));
        Self(links.collect())
    }

    /// Returns a link of a handle on which few wait. A write has two to choose from, always the same: so a row's lock
    /// holds up those and not all. A load has all of them: it does not stand behind a commit if it need not.
    pub(super) fn link(&self, way: Way, handle: Handle) -> &Link {
        // Handles are random, so any bytes of theirs are a fair choice.
        let [own, other, ..] = *handle.as_bytes();
        let place = |byte: u8| usize::from(byte) % self.0.len();
        match way {
            Way::Writing => least([&self.0[place(own)], &self.0[place(other)]]),
            Way::Reading => {
                let (before, from) = self.0.split_at(place(own));
                least(from.iter().chain(before))
            }
        }
    }
}

/// Returns the first link that nobody waits on, or else the one that fewest wait on.
fn least<'a>(links: impl IntoIterator<Item = &'a Link>) -> &'a Link {
    let mut least: Option<(usize, &Link)> = None;
    for link in links {
        match link.waiting() {
            0 => return link,
            waiting if least.is_none_or(|(fewest, _)| waiting < fewest) => {
                least = Some((waiting, link));
            }
            _ => {}
        }
    }
    least.expect("there is a link").1
}

/// A place for a connection, kept filled by a task that ends with it.
pub(super) struct Link(watch::Receiver<State>);

#[derive(Clone)]
enum State {
    Connecting,
    Up(Arc<Connection>),
    Down(Arc<str>),
}

impl Link {
    fn new(maker: Maker) -> Self {
        let (sender, receiver) = watch::channel(State::Connecting);
        tokio::spawn(keep(maker, sender));
        Self(receiver)
    }

    /// Returns how many statements wait for an answer; as many as can be counted where there is no connection.
    fn waiting(&self) -> usize {
        match &*self.0.borrow() {
            State::Up(connection) if connection.is_open() => connection.waiting(),
            _ => usize::MAX,
        }
    }

    /// Returns the connection; waits a moment for one that is being made.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        if let Some(connection) = self.0.borrow().up() {
            return Ok(connection);
        }
        let mut states = self.0.clone();
        let settled = |state: &State| !matches!(state, State::Connecting) && !state.is_lost();
        let state = timeout(PATIENCE, states.wait_for(settled)).await;
        let state = state
            .map_err(StoreError::unavailable)?
            .map_err(StoreError::unavailable)?;
        match &*state {
            State::Up(connection) => Ok(connection.clone()),
            State::Down(cause) => Err(StoreError::unavailable(&**cause)),
            State::Connecting => unreachable!("it was waited for the end of it"),
        }
    }
}

impl State {
    fn up(&self) -> Option<Arc<Connection>> {
        match self {
            Self::Up(connection) if connection.is_open() => Some(connection.clone()),
            _ => None,
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Up(connection) if !connection.is_open())
    }
}

/// Makes connections one after the other, until nobody wants one.
async fn keep(maker: Maker, state: watch::Sender<State>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    while !state.is_closed() {
        match maker.make().await {
            Ok((connection, driver)) => {
                backoff.reset();
                let connection = Arc::new(connection);
                state.send_replace(State::Up(connection.clone()));
                tokio::select! {
                    _ = driver => {}
                    () = connection.given_up() => {}
                    () = state.closed() => {}
                }
                state.send_replace(State::Connecting);
            }
            Err(cause) => drop(state.send_replace(State::Down(cause.into()))),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.wait()) => {}
            () = state.closed() => {}
        }
    }
}

/// Knows how to make a connection.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) connect: Connect,
    pub(super) table: Table,
    pub(super) statements: Arc<Statements>,
}

/// Connects, and returns what drives the connection: it ends with it, and goes on until all is answered.
pub(super) type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;
pub(super) type Connecting =
    Pin<Box<dyn Future<Output = Result<(Client, Driver), tokio_postgres::Error>> + Send>>;
pub(super) type Driver = tokio::task::JoinHandle<()>;

impl Maker {
    async fn make(&self) -> Result<(Connection, Driver), String> {
        let connecting = async {
            let (client, driver) = (self.connect)().await?;
            client.batch_execute(SETTINGS).await?;
            Ok::<_, tokio_postgres::Error>((client, driver))
        };
        match timeout(CONNECTING, connecting).await {
            Ok(Ok((client, driver))) => {
                let connection =
                    Connection::new(client, self.table.clone(), self.statements.clone());
                Ok((connection, driver))
            }
            Ok(Err(error)) => Err(super::failure::in_full(&error)),
            Err(elapsed) => Err(format!("no connection: {elapsed}")),
        }
    }
}

/// A conditional update must see what was committed while it waited.
const SETTINGS: &str = "SET default_transaction_isolation TO 'read committed'";
/// Half of what a load has by default.
const PATIENCE: Duration = Duration::from_secs(1);
const CONNECTING: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
