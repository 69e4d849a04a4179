//! A node whose clock is wrong.

use tenure::{SessionLayer, store::MySqlStore};

use super::super::bed::{clocks::clocks, mariadb::Database};

async fn open(url: String) -> SessionLayer {
    let store = MySqlStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    SessionLayer::new(store)
}

clocks!(Database::new(), open);
