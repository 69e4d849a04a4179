//! A place for a connection that is made again when it is lost, for the engines whose connections a store keeps itself.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{StoreError, backoff::Backoff};

/// Knows how to make connections.
pub(super) trait Maker: Send + Sync + 'static {
    type Connection: Connected;

    /// Makes a connection and what drives it, or says why there is none. It is given up if it takes too long.
    fn make(&self) -> impl Future<Output = Result<(Self::Connection, Driver), String>> + Send;
}

/// What drives a connection: it ends with it, and goes on until all is answered.
pub(super) type Driver = JoinHandle<()>;

/// A connection.
pub(super) trait Connected: Send + Sync + 'static {
    fn is_open(&self) -> bool;

    /// Waits until another connection is to take this one's place.
    fn given_up(&self) -> impl Future<Output = ()> + Send;

    /// Is told that another connection takes this one's place, which was lost or given up.
    fn has_left(&self) {}
}

/// A place for a connection, kept filled by a task that ends with it.
pub(super) struct Link<C>(watch::Receiver<State<C>>);

enum State<C> {
    Connecting,
    Up(Arc<C>),
    Down(Arc<str>),
}

impl<C: Connected> Link<C> {
    pub(super) fn new(maker: impl Maker<Connection = C>) -> Self {
        let (sender, receiver) = watch::channel(State::Connecting);
        tokio::spawn(keep(maker, sender));
        Self(receiver)
    }

    /// Asks the connection something, if there is one at this moment.
    pub(super) fn look<T>(&self, at: impl FnOnce(&C) -> T) -> Option<T> {
        self.0.borrow().up().map(|connection| at(connection))
    }

    /// Returns the connection if there is one at this moment.
    pub(super) fn at_hand(&self) -> Option<Arc<C>> {
        self.0.borrow().up().cloned()
    }

    /// Returns the connection; waits a moment for one that is being made.
    pub(super) async fn connection(&self) -> Result<Arc<C>, StoreError> {
        if let Some(connection) = self.at_hand() {
            return Ok(connection);
        }
        // In a box, for it is seldom that this is due.
        Box::pin(self.wait()).await
    }

    async fn wait(&self) -> Result<Arc<C>, StoreError> {
        let mut states = self.0.clone();
        let settled = |state: &State<C>| !matches!(state, State::Connecting) && !state.is_lost();
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

impl<C: Connected> State<C> {
    fn up(&self) -> Option<&Arc<C>> {
        match self {
            Self::Up(connection) if connection.is_open() => Some(connection),
            _ => None,
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Up(connection) if !connection.is_open())
    }
}

/// Makes connections one after the other, until nobody wants one.
async fn keep<M: Maker>(maker: M, state: watch::Sender<State<M::Connection>>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    while !state.is_closed() {
        match attempt(&maker).await {
            Ok((connection, driver)) => {
                backoff.reset();
                let connection = Arc::new(connection);
                state.send_replace(State::Up(connection.clone()));
                tokio::select! {
                    _ = driver => connection.has_left(),
                    () = connection.given_up() => connection.has_left(),
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

async fn attempt<M: Maker>(maker: &M) -> Result<(M::Connection, Driver), String> {
    match timeout(CONNECTING, maker.make()).await {
        Ok(made) => made,
        Err(elapsed) => Err(format!("no connection: {elapsed}")),
    }
}

/// Writes an error and its causes in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some say what their cause says.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// How long an attempt may take, and so how long a verb waits for its outcome: as long as a load has by default, and less
/// than the first attempt of a commit.
const CONNECTING: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{task::yield_now, time::sleep};

    use super::*;
    use crate::{clock::Stopwatch, store::StoreErrorKind};

    /// Makes connections that each take so long.
    struct Slow(Duration);

    struct Open;

    impl Maker for Slow {
        type Connection = Open;

        async fn make(&self) -> Result<(Open, Driver), String> {
            sleep(self.0).await;
            Ok((Open, tokio::spawn(pending())))
        }
    }

    impl Connected for Open {
        fn is_open(&self) -> bool {
            true
        }

        async fn given_up(&self) {
            pending::<()>().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_waited_for_as_long_as_it_may_take_to_be_made() {
        let link = Link::new(Slow(CONNECTING - Duration::from_millis(1)));
        yield_now().await;
        assert!(link.at_hand().is_none());
        assert!(link.connection().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_too_long_is_unavailable_and_is_not_waited_for_again() {
        let link = Link::new(Slow(CONNECTING + Duration::from_millis(1)));
        yield_now().await;
        for waited in [CONNECTING, Duration::ZERO] {
            let start = Stopwatch::start();
            let Err(error) = link.connection().await else {
                panic!("a connection");
            };
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            assert_eq!(start.elapsed(), waited);
            yield_now().await;
        }
    }
}
