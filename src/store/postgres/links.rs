//! The connections of a store: which of them a statement goes over, and how one is made.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio_postgres::Client;

use super::{connection::Connection, statements::Statements};
use crate::{
    id::Handle,
    store::{
        link::{self, Driver, in_full},
        sql::Table,
    },
};

pub(super) type Link = link::Link<Connection>;

/// What a verb does, and so which connection it goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Changes whose sessions nobody else of this process is changing.
    Changing,
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
    /// holds up those and not all. Loads and changes have all of them: they do not stand behind a commit if they need not.
    pub(super) fn link(&self, way: Way, handle: Handle) -> &Link {
        // Handles are random, so any bytes of theirs are a fair choice.
        let [own, other, ..] = *handle.as_bytes();
        let place = |byte: u8| usize::from(byte) % self.0.len();
        match way {
            Way::Writing => least([&self.0[place(own)], &self.0[place(other)]]),
            Way::Changing | Way::Reading => {
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
        match waiting(link) {
            0 => return link,
            waiting if least.is_none_or(|(fewest, _)| waiting < fewest) => {
                least = Some((waiting, link));
            }
            _ => {}
        }
    }
    least.expect("there is a link").1
}

/// Returns how many statements wait for an answer; as many as can be counted where there is no connection.
fn waiting(link: &Link) -> usize {
    link.look(Connection::waiting).unwrap_or(usize::MAX)
}

/// Knows how to make a connection.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) connect: Connect,
    pub(super) table: Table,
    pub(super) statements: Arc<Statements>,
}

/// Connects, and returns what drives the connection.
pub(super) type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;
pub(super) type Connecting =
    Pin<Box<dyn Future<Output = Result<(Client, Driver), tokio_postgres::Error>> + Send>>;

impl link::Maker for Maker {
    type Connection = Connection;

    async fn make(&self) -> Result<(Connection, Driver), String> {
        let connecting = async {
            let (client, driver) = (self.connect)().await?;
            client.batch_execute(SETTINGS).await?;
            Ok::<_, tokio_postgres::Error>((client, driver))
        };
        let (client, driver) = connecting.await.map_err(|error| in_full(&error))?;
        let connection = Connection::new(client, self.table.clone(), self.statements.clone());
        Ok((connection, driver))
    }
}

/// * A conditional update must see what was committed while it waited.
/// * A lock of somebody else's is waited for two seconds, as on MariaDB: then what shares a statement is made one by one, and
///   there is still time for that.
/// * A list is joined in its order, each item by the index: so rows are locked in the order of their handles, also where
///   a table is so small that the server would rather read it whole.
/// * One plan for all: there is no better one for some list, and to look for it takes longer than to carry it out.
/// * Nothing is compiled: a count reads the whole table, so the setting that is against that makes it look as if it took for
///   ever, and the server would compile it for 20 to 110 ms each time.
const SETTINGS: &str = "SET default_transaction_isolation TO 'read committed'; SET lock_timeout TO '2s'; \
     SET enable_hashjoin TO off; SET enable_mergejoin TO off; SET enable_seqscan TO off; SET enable_bitmapscan TO off; \
     SET plan_cache_mode TO force_generic_plan; SET jit TO off";
