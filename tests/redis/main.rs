//! `RedisStore` keeps the contract on real servers.

#[path = "../bed/mod.rs"]
mod bed;
mod cluster;
mod faults;
mod model;
mod promises;
mod sentinel;

use std::{sync::Arc, time::Duration};

use bed::redis::Space;
use tenure::store::{RedisStore, SessionStore, conformance::Subject};

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

async fn stored(space: Space) -> Stored {
    Stored(space.open().await, space)
}

tenure::store_conformance!(stored(Space::new()).await);
