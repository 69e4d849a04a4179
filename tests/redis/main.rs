//! `RedisStore` keeps the contract on a real server.

#[path = "../bed/mod.rs"]
mod bed;

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

async fn stored() -> Stored {
    let space = Space::new();
    Stored(space.open().await, space)
}

tenure::store_conformance!(stored().await);
