//! `tower-sessions` as its README sets it up, with the lifetime of the others.
//!
//! It writes a session that was changed. `sliding` also writes one that was read, which moves its expiry: the documented
//! `with_always_save`.

use axum::Router;

use super::{Answers, OnAxum, requests::Unknown};
use crate::workload::{Comes, Workload};

/// The handlers on one release of the crate, as the stores for engines are made for another than the current one.
macro_rules! handlers {
    ($release:ident) => {
        use axum::{Router, routing::get};
        use $release::{Expiry, Session, SessionManagerLayer, SessionStore, session::Error};

        use crate::workload::{Comes, values};

        /// When a session that was only read is written.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Saves {
            Always,
            Changes,
        }

        pub(crate) fn app(store: impl SessionStore + Clone, saves: Saves, comes: Comes) -> Router {
            let layer = SessionManagerLayer::new(store)
                .with_expiry(Expiry::OnInactivity(time::Duration::minutes(30)))
                .with_always_save(saves == Saves::Always);
            Router::new()
                .route("/unused", get(|| async { "ok" }))
                .route("/read", get(read))
                .route("/write", get(write))
                .route("/read-write", get(read_write))
                .route("/cycle", get(cycle))
                .route(
                    "/fill",
                    get(move |session: Session| async move { answer(fill(session, comes).await) }),
                )
                .layer(layer)
        }

        fn answer(answered: Result<&'static str, Error>) -> &'static str {
            answered.unwrap_or("an error")
        }

        async fn fill(session: Session, comes: Comes) -> Result<&'static str, Error> {
            for (key, value) in values(comes) {
                session.insert(key, value).await?;
            }
            Ok("ok")
        }

        async fn read(session: Session) -> &'static str {
            match session.get::<u32>("visits").await {
                Ok(Some(_)) => "found",
                Ok(None) => "missing",
                Err(_) => "an error",
            }
        }

        async fn write(session: Session) -> &'static str {
            answer(session.insert("visits", 10_000).await.map(|()| "ok"))
        }

        async fn read_write(session: Session) -> &'static str {
            let visits = session.get::<u32>("visits").await;
            let Ok(Some(visits)) = visits else {
                return "missing";
            };
            answer(session.insert("visits", visits + 1).await.map(|()| "found"))
        }

        async fn cycle(session: Session) -> &'static str {
            answer(session.cycle_id().await.map(|()| "ok"))
        }
    };
}

/// The current release.
mod current {
    handlers!(tower_sessions);
}

/// The newest release that the stores for engines fit.
pub(crate) mod on_engines {
    handlers!(tower_sessions_for_stores);
}

pub(crate) fn subject(workload: &Workload) -> Box<dyn Answers> {
    let app = |comes| in_memory(current::Saves::Changes, comes);
    Box::new(OnAxum::new(app, workload, Unknown::Always))
}

pub(crate) fn sliding(workload: &Workload) -> Box<dyn Answers> {
    let app = |comes| in_memory(current::Saves::Always, comes);
    Box::new(OnAxum::new(app, workload, Unknown::Always))
}

fn in_memory(saves: current::Saves, comes: Comes) -> Router {
    current::app(tower_sessions::MemoryStore::default(), saves, comes)
}
