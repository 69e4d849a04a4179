//! Sessions in Redis or Valkey: one server, a primary that Sentinels name, or a cluster.

mod address;
mod builder;
mod cluster;
mod connection;
mod failure;
mod group;
mod index;
mod keys;
mod many;
mod node;
mod replicas;
mod resp;
mod script;
mod sentinels;
mod slots;
mod start;
mod stored;
mod tls;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use ::redis::Value;

pub use builder::RedisStoreBuilder;

use self::{
    cluster::Cluster,
    connection::{Asking, Said},
    failure::Refusal,
    keys::{Key, Keys},
    node::{Node, Way},
    replicas::Replicas,
    script::Request,
};
use super::{
    Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, SetupError, StoreError, Updated,
    Version,
};
use crate::{clock::Timestamp, id::Handle, principal::PrincipalId};

/// Keeps sessions in Redis 6.2 or later, or in Valkey, a key each.
///
/// [`connect`](Self::connect) takes a URL; [`builder`](Self::builder) sets more. A clone is the same store; when the last
/// one is dropped the connections are closed.
///
/// | URL | |
/// |---|---|
/// | `redis://user:password@host:6379/0` | one server, which must take writes |
/// | `redis+unix:///run/redis.sock` | the same on this machine |
/// | `redis-sentinel://user:password@host:26379,host:26379/0?service=name` | the primary that Sentinels name; the user is that of the primary, `sentinel_username` and `sentinel_password` are parameters |
/// | `redis-cluster://user:password@host:6379,host:6379` | a cluster; some of its nodes suffice |
/// | `rediss://…`, `rediss-sentinel://…`, `rediss-cluster://…` | the same with TLS (feature `redis-tls`) |
///
/// Other parameters than these, and `db`, `user` and `pass` of a socket, are an error.
///
/// # What it guarantees
///
/// A verb is one script or command (a load is two, and shares the second), one round trip, and carried out whole. The clock is the server's: a
/// node whose clock is wrong changes nothing. Expired keys go by themselves. An answer is given when the primary has carried the verb out, as
/// durably as `appendfsync` says, and when so many replicas have acknowledged it as
/// [`with_replicas`](RedisStoreBuilder::with_replicas) says: none by default. A replica that is promoted may not know of
/// what was answered before, **a logout included**; `docs/stores.md` says how much that is and what can be done.
///
/// # The index of principals
///
/// A key for each principal, written before the session is: entries leave when their sessions are known to be gone, never by a
/// clock. To [load many](PrincipalIndex::load_all) is a trip to each server that has some of them; a
/// [walk](PrincipalIndex::walk) goes over all keys of all primaries. What a fail-over loses of the index,
/// [`Sessions::repair`](crate::Sessions::repair) mends.
///
/// # Connections
///
/// Verbs of all requests are pipelined over four connections to each server. All go to primaries: a server that has
/// become a replica is left within a second, and one instead of which Sentinels name another as soon as they do: they
/// are asked five times a second. A lost connection is made again, with back-off; meanwhile verbs fail at once. A server
/// that answers nobody is given up after three seconds.
///
/// ```no_run
/// use tenure::{SessionLayer, store::RedisStore};
///
/// # async fn example() -> Result<(), tenure::store::SetupError> {
/// let store = RedisStore::connect("redis://localhost").await?;
/// let layer = SessionLayer::new(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

struct Shared {
    keys: Keys,
    replicas: Option<Replicas>,
    servers: Servers,
}

/// Where the verbs are carried out.
enum Servers {
    Cluster(Cluster),
    One(Node),
}

impl RedisStore {
    /// Connects to a server, a primary that Sentinels name, or a cluster.
    ///
    /// # Errors
    ///
    /// If the URL is none, the server does not answer or refuses, it takes no writes, or it is older than Redis 6.2.
    pub async fn connect(url: &str) -> Result<Self, SetupError> {
        Self::builder(url)?.connect().await
    }

    /// Begins with a URL, to set more than that.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn builder(url: &str) -> Result<RedisStoreBuilder, SetupError> {
        RedisStoreBuilder::parse(url)
    }

    fn key(&self, handle: &Handle) -> Key {
        self.0.keys.of(*handle)
    }

    fn key_of(&self, principal: &PrincipalId) -> Key {
        self.0.keys.of_principal(principal)
    }

    /// Sends a request, and reads what comes back. An answer that nobody waits for is read all the same.
    fn ask<T>(
        &self,
        way: Way,
        key: Key,
        request: impl FnOnce(&[u8]) -> Request,
        read: fn(Said) -> Result<T, StoreError>,
    ) -> Answer<T>
    where
        T: Send + 'static,
    {
        let (store, request) = (self.clone(), request(&key.name));
        Answer::later(async move {
            let said = store.0.servers.carry_out(way, &key, &request).await?;
            read(said)
        })
    }
}

impl Servers {
    async fn carry_out(&self, way: Way, key: &Key, request: &Request) -> Result<Said, StoreError> {
        match self {
            // In a box, so that it makes no trip to a single server larger.
            Self::Cluster(cluster) => Box::pin(cluster.carry_out(way, key, request)).await,
            Self::One(node) => node.carry_out(way, key.lane, request, Asking::No).await,
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}

impl SessionStore for RedisStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let request = |key: &[u8]| Request::create(key, record, expires_in);
        self.ask(Way::Writing, self.key(handle), request, created)
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        self.ask(Way::Reading, self.key(handle), Request::load, loaded)
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let request = |key: &[u8]| Request::update(key, expected, record, expires_in);
        self.ask(Way::Writing, self.key(handle), request, updated)
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let request = |key: &[u8]| Request::touch(key, expected, expires_in);
        self.ask(Way::Writing, self.key(handle), request, touched)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let request = match self.0.replicas {
            None => Request::delete,
            Some(_) => Request::delete_for_certain,
        };
        self.ask(Way::Writing, self.key(handle), request, deleted)
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(self)
    }
}

fn created(said: Said) -> Result<Created, StoreError> {
    match said {
        Ok(Value::Int(now)) => Ok(Created::Done(timestamp(now)?)),
        Ok(Value::BulkString(found)) => ours(&found).map(|()| Created::Taken),
        Err(error) if failure::refusal(&error) == Refusal::Full => Ok(Created::Full),
        other => Err(strange(other)),
    }
}

fn loaded(said: Said) -> Result<Option<Loaded>, StoreError> {
    match said {
        Ok(Value::Nil) => Ok(None),
        Ok(Value::Array(parts)) => read(&parts).map(Some),
        other => Err(strange(other)),
    }
}

fn updated(said: Said) -> Result<Updated, StoreError> {
    match said {
        Ok(Value::Int(_)) => Ok(Updated::Done),
        Ok(Value::Nil) => Ok(Updated::Gone),
        Ok(Value::Array(parts)) => Ok(Updated::Conflict(Some(read(&parts)?))),
        other => Err(strange(other)),
    }
}

fn touched(said: Said) -> Result<bool, StoreError> {
    match said {
        Ok(Value::Int(_)) => Ok(true),
        Ok(Value::Nil) => Ok(false),
        Ok(Value::BulkString(found)) => ours(&found).map(|()| false),
        other => Err(strange(other)),
    }
}

fn deleted(said: Said) -> Result<bool, StoreError> {
    match said {
        Ok(Value::Int(count)) => Ok(count > 0),
        other => Err(strange(other)),
    }
}

/// Reads what is under a key, and the time.
fn read(parts: &[Value]) -> Result<Loaded, StoreError> {
    match parts {
        [Value::BulkString(kept), Value::Int(now)] => {
            stored::read(kept, timestamp(*now)?).map_err(StoreError::corrupt)
        }
        other => Err(strange(Ok(Value::Array(other.to_vec())))),
    }
}

/// Checks that what was found is a record.
fn ours(found: &[u8]) -> Result<(), StoreError> {
    stored::check(found).map_err(StoreError::corrupt)
}

fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    let millis = u64::try_from(millis);
    millis
        .map(Timestamp::from_millis)
        .map_err(StoreError::unknown)
}

/// Says what a refusal means, or an answer that no server gives to this question.
fn strange(said: Said) -> StoreError {
    match said {
        Err(error) => failure::refused(error),
        Ok(_) => StoreError::unknown("the server has answered another question than this one"),
    }
}
