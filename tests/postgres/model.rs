//! Random sequences of requests, beside a model that knows what must be true; on a real server.

use std::sync::Arc;

use proptest::prelude::*;
use tenure::store::{PostgresStore, SessionStore};
use tokio_postgres::Client;

use super::{
    bed::{
        model::{Subject, bounded, check, steps},
        postgres::Database,
    },
    open,
};

struct Stored {
    store: PostgresStore,
    client: Client,
    _database: Database,
}

impl Stored {
    async fn new() -> Self {
        let database = Database::new().await;
        Self {
            store: open(&database).await,
            client: database.client().await,
            _database: database,
        }
    }
}

impl Subject for Stored {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.store.clone())
    }

    async fn count(&self) -> usize {
        let text = "SELECT count(*) FROM tenure_sessions";
        let count: i64 = self.client.query_one(text, &[]).await.unwrap().get(0);
        usize::try_from(count).unwrap()
    }
}

#[test]
fn overlapping_requests_do_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = runtime.block_on(Stored::new());
    proptest!(bounded(), |(steps in steps(60))| {
        runtime.block_on(check(&stored, steps));
    });
}
