//! The settings of the store.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    RedisStore, Shared,
    address::{Place, Topology},
    keys::Keys,
    node::{Kind, Source},
    replicas::Replicas,
    start,
};
use crate::store::SetupError;

/// The settings of a [`RedisStore`]; [`RedisStore::builder`] begins with a URL.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`with_prefix`](Self::with_prefix) | `tenure:` | |
/// | `with_tls` | the certificates that this machine trusts | with the feature `redis-tls`, for `rediss://…` |
/// | [`with_replicas`](Self::with_replicas) | none | it costs a trip to the replica, and the layer's 503 when there are too few |
///
/// ```
/// use std::time::Duration;
/// use tenure::store::RedisStore;
///
/// let builder = RedisStore::builder("redis-sentinel://10.0.0.1,10.0.0.2,10.0.0.3?service=shop")?
///     .with_prefix("shop:session:")?
///     .with_replicas(1, Duration::from_millis(500));
/// # Ok::<_, tenure::store::SetupError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RedisStoreBuilder {
    place: Place,
    keys: Keys,
    replicas: Option<Replicas>,
}

impl RedisStoreBuilder {
    pub(super) fn parse(url: &str) -> Result<Self, SetupError> {
        Ok(Self {
            place: Place::parse(url)?,
            keys: Keys::default(),
            replicas: None,
        })
    }

    /// Lets each key begin with another text. Default: `tenure:`.
    ///
    /// Sessions of different prefixes are different sessions. A prefix has 1 to 64 letters, digits and `_ - . : /`, so
    /// that it stands for itself in the patterns of an access control list, and does not choose a slot.
    ///
    /// # Errors
    ///
    /// If this is no prefix.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, SetupError> {
        self.keys = Keys::parse(prefix)?;
        Ok(self)
    }

    /// Answers a change when so many replicas have acknowledged it. Default: none are waited for.
    ///
    /// If they have not by the time-out, the change stands on the primary and is answered as *unknown*: a 503, after
    /// the layer has tried once more. The time-out is at least a millisecond, at most a minute, and should be well below
    /// the layer's time-out of a commit. An acknowledged change can still be lost, if a replica is promoted that is not
    /// one of those; see `docs/stores.md`.
    pub const fn with_replicas(mut self, count: u32, timeout: Duration) -> Self {
        self.replicas = match count {
            0 => None,
            count => Some(Replicas { count, timeout }),
        };
        self
    }

    /// Encrypts connections by settings of rustls, where the URL says `rediss`. Default: the certificates that this machine
    /// trusts.
    ///
    /// For a certificate authority of one's own, and for servers that want a certificate of their clients.
    #[cfg(feature = "redis-tls")]
    pub fn with_tls(mut self, config: tokio_rustls::rustls::ClientConfig) -> Self {
        self.place.set_tls(&super::tls::Tls::of(config));
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// If the server does not answer or refuses, it takes no writes, or it is older than Redis 6.2.
    pub async fn connect(self) -> Result<RedisStore, SetupError> {
        let kind = Kind::new(self.place.access, self.replicas);
        let servers = match self.place.topology {
            Topology::Alone(address) => start::one(Source::At(address), &kind).await?,
            Topology::Sentinels(sentinels) => start::one(Source::of(sentinels), &kind).await?,
            Topology::Cluster(seeds) => start::cluster(seeds, kind).await?,
        };
        Ok(RedisStore(Arc::new(Shared {
            keys: self.keys,
            replicas: self.replicas,
            servers,
        })))
    }
}

impl fmt::Debug for RedisStoreBuilder {
    /// Does not show the URL: there may be a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("keys", &self.keys)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
