//! `RedisStore` keeps the contract on real servers.

#[path = "../bed/mod.rs"]
mod bed;
mod cluster;
mod contention;
mod costs;
mod engine;
mod faults;
mod index;
mod live;
mod model;
mod moving;
mod principals;
mod promises;
mod replicas;
#[cfg(feature = "keyring")]
mod rows;
#[cfg(feature = "keyring")]
mod sealed;
mod sentinel;
mod setup;
#[cfg(feature = "redis-tls")]
mod tls;
mod walk;

use std::{sync::Arc, time::Duration};

use bed::redis::Space;
use tenure::{
    Handle,
    store::{
        PrincipalIndex, Record, RedisStore, SessionStore, Version,
        conformance::{Indexed, Subject},
    },
};

/// A store with keys of its own.
struct Stored(
    RedisStore,
    #[expect(dead_code, reason = "kept while it is used")] Space,
);

impl Subject for Stored {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Indexed for Stored {
    fn index(&self) -> Arc<dyn PrincipalIndex> {
        Arc::new(self.0.clone())
    }
}

async fn stored(space: Space) -> Stored {
    Stored(space.open().await, space)
}

tenure::store_conformance!(stored(Space::new()).await);
tenure::index_conformance!(stored(Space::new()).await);

const HANDLE: Handle = Handle::from_bytes([7; 16]);
const HOUR: Duration = Duration::from_secs(3_600);

const fn version(number: u64) -> Version {
    Version::from_u64(number)
}

fn record(number: u64) -> Record {
    Record::new(version(number), [1], [2; 500])
}
