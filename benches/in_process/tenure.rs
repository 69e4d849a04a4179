//! `tenure` as its users have it, on the memory store.

use std::{cell::Cell, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, Request, header::SET_COOKIE},
    routing::get,
};
use tenure::{
    Error, Handle, Session, SessionLayer,
    store::{Answer, Created, Loaded, MemoryStore, Record, SessionStore, Updated, Version},
};
use tower::Service;

use crate::{
    finish,
    workload::{Comes, Subject, Workload, cookies, values},
};

pub(crate) fn subject(workload: &Workload) -> Subject {
    on(store(), workload)
}

/// The same on a store whose answers are all allocated.
pub(crate) fn boxed(workload: &Workload) -> Subject {
    on(Boxed(store()), workload)
}

fn store() -> MemoryStore {
    MemoryStore::new()
        .with_max_entries(10_000_000)
        .with_max_bytes(usize::MAX)
}

fn on(store: impl SessionStore, workload: &Workload) -> Subject {
    let comes = workload.comes;
    let app = Router::new()
        .route("/unused", get(|| async { "ok" }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/read-write", get(read_write))
        .route("/cycle", get(cycle))
        .route(
            "/fill",
            get(move |session: Session| async move { fill(&session, comes) }),
        )
        .layer(SessionLayer::new(store));
    let cookies = cookies(workload, || begin(&app));
    Subject {
        app,
        path: workload.path,
        cookies,
        next: Cell::new(0),
    }
}

fn begin(app: &Router) -> HeaderValue {
    let mut request = Request::new(axum::body::Body::empty());
    *request.uri_mut() = http::Uri::from_static("/fill");
    let response = finish(app.clone().call(request)).unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().parse().unwrap()
}

fn fill(session: &Session, comes: Comes) -> Result<&'static str, Error> {
    for (key, value) in values(comes) {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn read(session: Session) -> Result<&'static str, Error> {
    std::hint::black_box(session.get::<String>("theme")?);
    Ok("ok")
}

async fn write(session: Session) -> Result<&'static str, Error> {
    session.insert("theme", "dark")?;
    Ok("ok")
}

async fn read_write(session: Session) -> Result<&'static str, Error> {
    let theme = session.get::<String>("theme")?;
    session.insert(
        "theme",
        if theme.as_deref() == Some("dark") {
            "pale"
        } else {
            "dark"
        },
    )?;
    Ok("ok")
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
}
