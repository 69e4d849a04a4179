//! Sentinels: which server is the primary, and that another one has become it.
//!
//! After a fail-over that somebody has asked for, the old primary does not know of it for some seconds: it goes on as a
//! primary, and all that is written to it meanwhile is lost. So it is left as soon as a Sentinel names another one.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::redis::{Value, from_redis_value};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    address::{Address, Sentinels},
    connection::{Connection, Expected},
    failure,
    group::Member,
    resp::Command,
};
use crate::store::{SetupError, link::in_full};

/// Sentinels, asked in turn: one that is not up to date is not asked for ever. A task asks one after the other, as long as
/// somebody wants to know.
pub(super) struct Asked {
    sentinels: Sentinels,
    turn: AtomicUsize,
    named: watch::Sender<Option<Named>>,
}

/// A server that was named, and by which agreement of the Sentinels: they number them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    address: Address,
    epoch: u64,
}

impl Asked {
    pub(super) fn new(sentinels: Sentinels) -> Arc<Self> {
        let asked = Arc::new(Self {
            sentinels,
            turn: AtomicUsize::new(0),
            named: watch::Sender::new(None),
        });
        tokio::spawn(follow(Arc::downgrade(&asked)));
        asked
    }

    /// Asks for the primary until a Sentinel names it.
    pub(super) async fn primary(&self) -> Result<Address, SetupError> {
        let mut told = Vec::new();
        for _ in &self.sentinels.addresses {
            let sentinel = self.next();
            let asked = async { self.ask(&self.connect(sentinel).await?).await };
            match timeout(ASKING, asked).await {
                Ok(Ok(named)) => return Ok(self.note(named)),
                Ok(Err(cause)) => told.push(format!("{sentinel}: {cause}")),
                Err(elapsed) => told.push(format!("{sentinel}: {elapsed}")),
            }
        }
        Err(SetupError::unreachable(failure::SENTINELS, told.join("; ")))
    }

    /// Waits until another server than this one is named.
    pub(super) async fn another_than(&self, address: &Address) {
        let is_another = |named: &Named| named.address != *address;
        let mut named = self.named.subscribe();
        let waited = named.wait_for(|named| named.as_ref().is_some_and(is_another));
        // That nobody names any more cannot be: the names are this one's own.
        drop(waited.await);
    }

    /// Believes the next Sentinel whatever it says: the server that was named is not a primary, so perhaps their
    /// agreements are numbered anew.
    pub(super) fn forget(&self) {
        self.named.send_replace(None);
    }

    /// Notes who is named, and returns who is by the newest agreement.
    fn note(&self, named: Named) -> Address {
        self.named.send_if_modified(|newest| {
            let is_newer = newest
                .as_ref()
                .is_none_or(|newest| newest.epoch < named.epoch);
            if is_newer {
                *newest = Some(named.clone());
            }
            is_newer
        });
        let newest = self.named.borrow();
        newest
            .as_ref()
            .map_or(named.address, |newest| newest.address.clone())
    }

    fn next(&self) -> &Address {
        let addresses = &self.sentinels.addresses;
        &addresses[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len()]
    }

    async fn connect(&self, sentinel: &Address) -> Result<Connection, String> {
        let access = &self.sentinels.access;
        let opened =
            Connection::open(sentinel, access, Expected::Node, ASKING, Member::default()).await;
        opened
            .map(|(connection, _driver)| connection)
            .map_err(|error| in_full(&error))
    }

    /// Asks for the number of the agreement first: the Sentinel that leads a fail-over counts it before it is over, and
    /// then names the new primary here and the old one there.
    async fn ask(&self, connection: &Connection) -> Result<Named, String> {
        let service = &self.sentinels.service;
        let ask = async |what: &str| {
            let question = Command::new("SENTINEL").arg(what).arg(service);
            let answer = connection.ask(&question).await;
            answer.map_err(|error| match error.code() {
                Some("ERR") => format!("it does not know `{service}`"),
                _ => in_full(&error),
            })
        };
        let master = ask("MASTER").await?;
        let place = ask("GET-MASTER-ADDR-BY-NAME").await?;
        let named = epoch(master).zip(address(place));
        let (epoch, address) =
            named.ok_or_else(|| format!("it does not say where `{service}` is"))?;
        Ok(Named { address, epoch })
    }
}

/// Asks one Sentinel after the other.
async fn follow(asked: Weak<Asked>) {
    let mut connections = Vec::new();
    for turn in 0.. {
        sleep(LOOK).await;
        let Some(asked) = asked.upgrade() else {
            return;
        };
        let addresses = &asked.sentinels.addresses;
        connections.resize_with(addresses.len(), || None);
        let place = turn % addresses.len();
        connections[place] = look(&asked, &addresses[place], connections[place].take()).await;
    }
}

/// Asks a Sentinel, and returns the connection if it has answered.
async fn look(
    asked: &Asked,
    sentinel: &Address,
    connection: Option<Connection>,
) -> Option<Connection> {
    let asking = async {
        let connection = match connection {
            Some(connection) => connection,
            None => asked.connect(sentinel).await?,
        };
        asked.note(asked.ask(&connection).await?);
        Ok::<_, String>(connection)
    };
    timeout(ASKING, asking).await.ok()?.ok()
}

/// Reads the number of an agreement among the names and values that a Sentinel tells of a primary.
fn epoch(master: Value) -> Option<u64> {
    let fields: Vec<(String, String)> = from_redis_value(master).ok()?;
    let mut epochs = fields.iter().filter(|(name, _)| name == "config-epoch");
    epochs.next()?.1.parse().ok()
}

fn address(place: Value) -> Option<Address> {
    let (host, port) = from_redis_value(place).ok()?;
    Some(Address::Tcp(host, port))
}

/// So that two of three Sentinels may be silent.
const ASKING: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::address::Access;

    fn asked() -> Asked {
        let settings = ::redis::RedisConnectionInfo::default();
        let access = Access {
            settings,
            tls: None,
        };
        Asked {
            sentinels: Sentinels {
                addresses: Vec::new(),
                service: "shop".to_owned(),
                access,
            },
            turn: AtomicUsize::new(0),
            named: watch::Sender::new(None),
        }
    }

    fn server(host: &str) -> Address {
        Address::Tcp(host.to_owned(), 6379)
    }

    #[test]
    fn the_newest_agreement_counts_whoever_tells_an_older_one() {
        let asked = asked();
        for (host, epoch, expected) in [
            ("a", 3, "a"),
            ("b", 2, "a"),
            ("b", 4, "b"),
            ("a", 4, "b"),
            ("a", 5, "a"),
        ] {
            let address = server(host);
            let noted = asked.note(Named { address, epoch });
            assert_eq!(noted, server(expected), "{host} {epoch}");
        }
        asked.forget();
        let (address, epoch) = (server("c"), 1);
        assert_eq!(asked.note(Named { address, epoch }), server("c"));
    }

    #[test]
    fn what_a_sentinel_tells_is_read_or_nothing_is() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let list = |texts: &[&str]| Value::Array(texts.iter().map(|word| text(word)).collect());
        let master = ["name", "shop", "config-epoch", "7", "quorum", "2"];
        assert_eq!(epoch(list(&master)), Some(7));
        assert_eq!(epoch(list(&["name", "shop"])), None);
        assert_eq!(epoch(Value::Nil), None);
        let place = Some(Address::Tcp("10.0.0.1".to_owned(), 6380));
        assert_eq!(address(list(&["10.0.0.1", "6380"])), place);
        assert_eq!(address(Value::Nil), None);
        assert_eq!(address(list(&["10.0.0.1"])), None);
    }
}
