//! A store of one's own: a table behind a lock. `cargo run --example custom_store` counts visits with it, and
//! `cargo test --example custom_store --features conformance` proves that it keeps the contract.
//!
//! It forgets expired sessions only when they are looked at, so it is an example and not a store to run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{Router, routing::get};
use tenure::{
    Clock, Error, Handle, Session, SessionLayer, Timestamp,
    store::{Answer, Created, Loaded, Record, SessionStore, Updated, Version},
};

#[derive(Clone, Default)]
struct TableStore {
    rows: Arc<Mutex<HashMap<Handle, Row>>>,
    clock: Clock,
}

struct Row {
    record: Record,
    created: Timestamp,
    last_seen: Timestamp,
    deadline: Timestamp,
}

impl TableStore {
    /// Takes the lock, and removes the row if it has expired: it is absent for every verb.
    fn look_at(&self, handle: &Handle) -> (MutexGuard<'_, HashMap<Handle, Row>>, Timestamp) {
        let mut rows = self.rows.lock().expect("nothing panics under the lock");
        let now = self.clock.now();
        if rows.get(handle).is_some_and(|row| row.deadline <= now) {
            rows.remove(handle);
        }
        (rows, now)
    }
}

impl Row {
    fn loaded(&self, now: Timestamp) -> Loaded {
        Loaded::new(self.record.clone(), self.created, self.last_seen, now)
    }
}

impl SessionStore for TableStore {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let (mut rows, now) = self.look_at(handle);
        if rows.contains_key(handle) {
            return Answer::ready(Ok(Created::Taken));
        }
        let row = Row {
            record: record.clone(),
            created: now,
            last_seen: now,
            deadline: now + expires_in,
        };
        rows.insert(*handle, row);
        Answer::ready(Ok(Created::Done(now)))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let (rows, now) = self.look_at(handle);
        Answer::ready(Ok(rows.get(handle).map(|row| row.loaded(now))))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let (mut rows, now) = self.look_at(handle);
        Answer::ready(Ok(match rows.get_mut(handle) {
            None => Updated::Gone,
            Some(row) if row.record.version() != expected => {
                Updated::Conflict(Some(row.loaded(now)))
            }
            Some(row) => {
                row.record = record.clone();
                row.last_seen = now;
                row.deadline = now + expires_in;
                Updated::Done
            }
        }))
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let (mut rows, now) = self.look_at(handle);
        let row = rows.get_mut(handle);
        let touched = row
            .filter(|row| row.record.version() == expected)
            .map(|row| {
                row.last_seen = now;
                row.deadline = now + expires_in;
            });
        Answer::ready(Ok(touched.is_some()))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let (mut rows, _) = self.look_at(handle);
        Answer::ready(Ok(rows.remove(handle).is_some()))
    }
}

async fn count(session: Session) -> Result<String, Error> {
    let visits = session
        .update_now("visits", |visits: &mut u32| *visits += 1)
        .await?;
    Ok(format!("You have been here {visits} times.\n"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(count))
        .layer(SessionLayer::new(TableStore::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use tenure::{Clock, store::conformance::Clocked};

    use super::TableStore;

    fn table() -> Clocked<TableStore> {
        let clock = Clock::manual();
        let rows = Default::default();
        Clocked(
            TableStore {
                rows,
                clock: clock.clone(),
            },
            clock,
        )
    }

    tenure::store_conformance!(table());
}
