//! A file of SQLite for each, with the same settings: a write-ahead log that waits for the disk.

use std::str::FromStr;

use axum_session::SessionStore;
use axum_session_sqlx::SessionSqlitePool;
use tenure::{SessionLayer, store::SqliteStore};
use tower_sessions_sqlx_store::{SqliteStore as TowerStore, sqlx as sqlx_of_tower};

use super::{Engine, server::Server, site::Site};
use crate::{
    bed::folder::Folder,
    implementations::{
        axum_session as axum,
        tower_sessions::on_engines::{self as tower, Saves},
    },
    ours,
    workload::Comes,
};

pub(super) async fn open() -> Engine {
    let folder = Folder::new("peers");
    let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let (version, tenure) = tenure(&file("tenure.db")).await;
    let sites = vec![
        Site::noop(),
        tenure,
        tower_sessions("tower-sessions", &file("tower.db"), Saves::Changes).await,
        tower_sessions(
            "tower-sessions, sliding",
            &file("sliding.db"),
            Saves::Always,
        )
        .await,
        axum_session("axum_session", &file("axum.db"), axum::config()).await,
        axum_session(
            "axum_session, nothing in memory",
            &file("forgetful.db"),
            axum::forgetful(),
        )
        .await,
    ];
    Engine {
        name: format!("SQLite {version}"),
        server: Server::Files { _folder: folder },
        sites,
    }
}

async fn tenure(url: &str) -> (String, Site) {
    let store = SqliteStore::connect(url).await.expect("a file");
    store.migrate().await.expect("a table");
    let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(store.pool());
    let version = version.await.expect("an answer");
    let app = ours::app(SessionLayer::new(store), Comes::Session);
    (version, Site::on_axum("tenure", app).await)
}

/// Opens a pool of one release of sqlx as `SqliteStore::connect` opens its own.
macro_rules! open {
    ($sqlx:ident, $url:expr) => {{
        use $sqlx::sqlite::{
            SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous,
        };
        let options = SqliteConnectOptions::from_str($url).expect("a URL");
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        SqlitePool::connect_with(options).await.expect("a file")
    }};
}

async fn tower_sessions(name: &'static str, url: &str, saves: Saves) -> Site {
    let store = TowerStore::new(open!(sqlx_of_tower, url));
    store.migrate().await.expect("a table");
    Site::on_axum(name, tower::app(store, saves, Comes::Session)).await
}

async fn axum_session(name: &'static str, url: &str, config: axum_session::SessionConfig) -> Site {
    let pool = SessionSqlitePool::from(open!(sqlx, url));
    let store = SessionStore::new(Some(pool), config)
        .await
        .expect("a table");
    Site::on_axum(name, axum::app(store, Comes::Session)).await
}
