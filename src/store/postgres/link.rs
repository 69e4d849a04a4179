//! Connections that are made again when they are lost.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use tokio_postgres::Client;

use super::{connection::Connection, statements::Statements};
use crate::{
    id::Handle,
    store::{StoreError, backoff::Backoff, sql::Table},
};

/// What a verb does, and so which connections it goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Reading,
    Writing,
}

/// The connections of a store.
pub(super) struct Links {
    reading: Box<[Link]>,
    writing: Box<[Link]>,
}

impl Links {
    /// Makes so many connections, one in four for loads, and at least one for each way.
    pub(super) fn new(count: usize, maker: &Maker) -> Self {
        let reading = (count / 4).max(1);
        let writing = count.saturating_sub(reading).max(1);
        let links = |count| (0..count).map(|_| Link::new(maker.clone())).collect();
        Self {
            reading: links(reading),
            writing: links(writing),
        }
    }

    /// Returns the link of a handle, always the same. Handles are random, so any byte of theirs is a fair choice.
    pub(super) fn link(&self, way: Way, handle: Handle) -> &Link {
        let links = match way {
            Way::Reading => &self.reading,
            Way::Writing => &self.writing,
        };
        &links[usize::from(handle.as_bytes()[0]) % links.len()]
    }
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

    /// Returns the connection; waits a moment for one that is being made.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        if let Some(connection) = self.0.borrow().up() {
            return Ok(connection);
        }
        let mut states = self.0.clone();
        let settled = |state: &State| !matches!(state, State::Connecting) && !state.is_lost();
        let state = timeout(CONNECTING, states.wait_for(settled)).await;
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
const CONNECTING: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
