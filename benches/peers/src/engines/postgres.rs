//! PostgreSQL that waits for the disk.

use axum_session::SessionStore;
use axum_session_sqlx::SessionPgPool;
use tenure::{SessionLayer, store::PostgresStore};
use tower_sessions_sqlx_store::{PostgresStore as TowerStore, sqlx as sqlx_of_tower};

use super::{Engine, server::Server, site::Site};
use crate::{
    bed::postgres::{Postgres, client},
    implementations::{
        axum_session as axum,
        tower_sessions::on_engines::{self as tower, Saves},
    },
    ours,
    workload::Comes,
};

pub(super) async fn open() -> Engine {
    let server = Postgres::start_with(&[]);
    let url = server.url("postgres");
    let console = client(&url).await;
    let counting = console.batch_execute("CREATE EXTENSION pg_stat_statements");
    counting
        .await
        .expect("the extension is installed with the server");
    let version = console.query_one("SHOW server_version", &[]).await;
    let version: String = version.expect("an answer").get(0);
    // Some packagers add their own number.
    let version = version.split(' ').next().unwrap_or_default();
    let sites = vec![
        Site::noop(),
        tenure(&url).await,
        tower_sessions("tower-sessions", &url, Saves::Changes).await,
        tower_sessions("tower-sessions, sliding", &url, Saves::Always).await,
        axum_session("axum_session", &url, axum::config()).await,
        axum_session("axum_session, nothing in memory", &url, axum::forgetful()).await,
    ];
    Engine {
        name: format!("PostgreSQL {version}"),
        server: Server::Postgres { server, console },
        sites,
    }
}

async fn tenure(url: &str) -> Site {
    let store = PostgresStore::connect(url).await.expect("a server");
    store.migrate().await.expect("a table");
    let app = ours::app(SessionLayer::new(store), Comes::Session);
    Site::on_axum("tenure", app).await
}

async fn tower_sessions(name: &'static str, url: &str, saves: Saves) -> Site {
    let pool = sqlx_of_tower::PgPool::connect(url).await;
    let store = TowerStore::new(pool.expect("a server"));
    store.migrate().await.expect("a table");
    Site::on_axum(name, tower::app(store, saves, Comes::Session)).await
}

async fn axum_session(name: &'static str, url: &str, config: axum_session::SessionConfig) -> Site {
    let pool = sqlx::PgPool::connect(url).await;
    let pool = SessionPgPool::from(pool.expect("a server"));
    let store = SessionStore::new(Some(pool), config)
        .await
        .expect("a table");
    Site::on_axum(name, axum::app(store, Comes::Session)).await
}
