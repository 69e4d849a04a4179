//! `PostgresStore` keeps the contract on a real server.

mod bed;

use std::{sync::Arc, time::Duration};

use bed::postgres::Database;
use tenure::store::{PostgresStore, SessionStore, conformance::Subject};

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

async fn stored() -> Stored {
    let database = Database::new().await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.migrate().await.unwrap();
    Stored(store, database)
}

tenure::store_conformance!(stored().await);
