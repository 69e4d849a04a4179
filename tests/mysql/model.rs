//! Random sequences of requests, beside a model that knows what must be true; on a real server.

use std::sync::Arc;

use proptest::prelude::*;
use sqlx::MySqlConnection;
use tenure::store::{MySqlStore, SessionStore};
use tokio::sync::Mutex;

use super::{
    bed::{
        mariadb::{Database, number},
        model::{Subject, bounded, check, steps},
    },
    open,
};

struct Stored {
    store: MySqlStore,
    client: Mutex<MySqlConnection>,
    _database: Database,
}

impl Stored {
    async fn new() -> Self {
        let database = Database::new().await;
        Self {
            store: open(&database).await,
            client: Mutex::new(database.client().await),
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
        let count = number(&mut *self.client.lock().await, text).await;
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
