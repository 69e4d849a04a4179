//! `tenure` as its users have it, on the memory store.

use std::time::Duration;

use axum::{Router, routing::get};
use tenure::{
    Error, Handle, Session, SessionLayer, Timestamp,
    store::{Answer, Created, Loaded, MemoryStore, Record, SessionStore, Updated, Version},
};

use crate::workload::{Comes, Subject, Workload, begin, values};

pub(crate) fn subject(workload: &Workload) -> Subject {
    on(SessionLayer::new(store()), workload)
}

/// The same on a store whose answers are all allocated.
pub(crate) fn boxed(workload: &Workload) -> Subject {
    on(SessionLayer::new(Boxed(store())), workload)
}

pub(crate) fn store() -> MemoryStore {
    MemoryStore::new()
        .with_max_entries(10_000_000)
        .with_max_bytes(usize::MAX)
}

pub(crate) fn on(layer: SessionLayer, workload: &Workload) -> Subject {
    let app = app(layer, workload.comes);
    Subject::new(app, workload, begin).checked(workload)
}

/// The handlers behind a layer.
pub(crate) fn app(layer: SessionLayer, comes: Comes) -> Router {
    Router::new()
        .route("/unused", get(|| async { "ok" }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/read-write", get(read_write))
        .route("/cycle", get(cycle))
        .route(
            "/fill",
            get(move |session: Session| async move { fill(&session, comes) }),
        )
        .layer(layer)
}

fn fill(session: &Session, comes: Comes) -> Result<&'static str, Error> {
    for (key, value) in values(comes) {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn read(session: Session) -> Result<&'static str, Error> {
    Ok(match session.get::<u32>("visits")? {
        Some(_) => "found",
        None => "missing",
    })
}

async fn write(session: Session) -> Result<&'static str, Error> {
    session.insert("visits", 10_000)?;
    Ok("ok")
}

async fn read_write(session: Session) -> Result<&'static str, Error> {
    let Some(visits) = session.get::<u32>("visits")? else {
        return Ok("missing");
    };
    session.insert("visits", visits + 1)?;
    Ok("found")
}

async fn cycle(session: Session) -> Result<&'static str, Error> {
    session.cycle_id()?;
    Ok("ok")
}

struct Boxed(MemoryStore);

impl SessionStore for Boxed {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        Answer::later(self.0.create(handle, record, expires_in))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        Answer::later(self.0.load(handle))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        Answer::later(self.0.update(handle, expected, record, expires_in))
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        Answer::later(self.0.touch(handle, expected, expires_in))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        Answer::later(self.0.delete(handle))
    }

    fn now(&self) -> Option<Timestamp> {
        self.0.now()
    }
}
