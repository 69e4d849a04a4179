//! What users see while servers fail, and what is left afterwards. Each test that hurts a server has one of its own.

mod clock;
mod cut;
mod fail_over;
mod loss;
mod outage;
mod refusal;
mod resharding;

use std::time::Duration;

use tenure::{SessionLayer, store::RedisStore};

/// Opens a store as a process does that starts.
async fn open(url: &str) -> RedisStore {
    RedisStore::connect(url).await.unwrap()
}

/// A node that does not wait for long.
fn impatient(store: RedisStore) -> SessionLayer {
    SessionLayer::builder(store)
        .with_load_timeout(Duration::from_secs(1))
        .with_commit_timeout(Duration::from_secs(2))
        .build()
        .unwrap()
}

/// Two nodes that do not wait for long.
async fn nodes(url: &str) -> [SessionLayer; 2] {
    [impatient(open(url).await), impatient(open(url).await)]
}

/// Two nodes that wait as long as others do: a busy machine lets nobody notice what nobody is to notice.
async fn patient(url: &str) -> [SessionLayer; 2] {
    [open(url).await, open(url).await].map(SessionLayer::new)
}

/// Settings of a server that keeps what it has answered, over a kill and a loss of power.
const DURABLE: &[&str] = &["appendonly yes", "appendfsync always"];
