//! A node whose clock is wrong.

use tenure::{SessionLayer, store::PostgresStore};

use super::super::bed::{clocks::clocks, postgres::Database};

async fn open(url: String) -> SessionLayer {
    let store = PostgresStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    SessionLayer::new(store)
}

clocks!(Database::new(), open);
