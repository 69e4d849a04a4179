//! `PostgresStore` keeps the contract on a real server.

#[path = "../bed/mod.rs"]
mod bed;

use std::{sync::Arc, time::Duration};

use bed::postgres::Database;
use tenure::store::{
    PostgresStore, SessionStore, Sweep,
    conformance::{Subject, Swept},
};

/// A store in a database of its own.
struct Stored(
    PostgresStore,
    #[expect(dead_code, reason = "kept while it is used")] Database,
);

impl Subject for Stored {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Swept for Stored {
    fn sweep(&self) -> Arc<dyn Sweep> {
        Arc::new(self.0.clone())
    }
}

async fn stored() -> Stored {
    let database = Database::new().await;
    Stored(database.store().await, database)
}

tenure::store_conformance!(stored().await);
tenure::sweep_conformance!(stored().await);
