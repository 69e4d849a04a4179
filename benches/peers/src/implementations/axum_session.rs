//! `axum_session` with signed cookies and sessions that are begun when a handler needs one (`SessionMode::Manual`).
//!
//! It keeps sessions in the process's memory, for an hour by default, beside the store if there is one.

use std::fmt::Debug;

use axum::{Router, routing::get};
use axum_session::{
    DatabasePool, Key, Session, SessionConfig, SessionLayer, SessionMode, SessionNullPool,
    SessionStore,
};

use super::{Answers, OnAxum, requests::Unknown};
use crate::{
    finish,
    workload::{Comes, Workload, values},
};

/// What a store has to be for its handlers.
pub(crate) trait Pool: DatabasePool + Clone + Debug + Send + Sync + 'static {}

impl<P: DatabasePool + Clone + Debug + Send + Sync + 'static> Pool for P {}

pub(crate) fn subject(workload: &Workload) -> Box<dyn Answers> {
    // It starts a session under an id that it signed and does not know: each request has to bring another.
    Box::new(OnAxum::new(in_memory, workload, Unknown::Once))
}

fn in_memory(comes: Comes) -> Router {
    let store = SessionStore::<SessionNullPool>::new(None, config());
    app(finish(store).expect("it has nothing to connect to"), comes)
}

/// One key for all sites of a run, so that an id of one is signed and unknown in another.
pub(crate) fn config() -> SessionConfig {
    SessionConfig::default()
        .with_mode(SessionMode::Manual)
        .with_lifetime(time::Duration::minutes(30))
        .with_key(Key::from(&KEY))
        .with_secure(true)
}

/// The same, but asks the store with each request, as the others do; nothing is kept between requests.
pub(crate) fn forgetful() -> SessionConfig {
    config().with_memory_lifetime(time::Duration::ZERO)
}

pub(crate) fn app<P: Pool>(store: SessionStore<P>, comes: Comes) -> Router {
    Router::new()
        .route("/unused", get(|| async { "ok" }))
        .route("/read", get(read::<P>))
        .route("/write", get(write::<P>))
        .route("/read-write", get(read_write::<P>))
        .route("/cycle", get(cycle::<P>))
        .route(
            "/fill",
            get(move |session: Session<P>| async move { fill(&session, comes) }),
        )
        .layer(SessionLayer::new(store))
}

fn fill<P: Pool>(session: &Session<P>, comes: Comes) -> &'static str {
    session.create_data();
    for (key, value) in values(comes) {
        session.set(key, value);
    }
    "ok"
}

async fn read<P: Pool>(session: Session<P>) -> &'static str {
    match session.get::<u32>("visits") {
        Some(_) => "found",
        None => "missing",
    }
}

async fn write<P: Pool>(session: Session<P>) -> &'static str {
    if !session.data_exists() {
        session.create_data();
    }
    session.set("visits", 10_000);
    "ok"
}

async fn read_write<P: Pool>(session: Session<P>) -> &'static str {
    let Some(visits) = session.get::<u32>("visits") else {
        return "missing";
    };
    session.set("visits", visits + 1);
    "found"
}

async fn cycle<P: Pool>(session: Session<P>) -> &'static str {
    session.renew();
    "ok"
}

const KEY: [u8; 64] = [7; 64];
