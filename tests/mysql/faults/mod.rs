//! What users see while a server fails, and what is left afterwards. Each test that hurts a server has one of its own.

mod clock;
mod cut;
mod outage;
mod refusal;

use std::time::Duration;

use tenure::{SessionLayer, store::MySqlStore};

use super::bed::{mariadb::Database, proxy::Proxy};

/// A node that does not wait for long.
fn impatient(store: MySqlStore) -> SessionLayer {
    SessionLayer::builder(store)
        .with_load_timeout(Duration::from_millis(500))
        .with_commit_timeout(Duration::from_secs(1))
        .build()
        .unwrap()
}

/// Opens a store that has one connection, over a way to the server that can be cut.
async fn over(proxy: &Proxy, database: &Database) -> MySqlStore {
    let url = format!("mysql://tenure@{}/{}", proxy.address(), database.name());
    let builder = MySqlStore::builder(&url).unwrap().with_connections(1);
    let store = builder.connect().await.unwrap();
    store.migrate().await.unwrap();
    store
}
