//! Redis that keeps everything in memory.

use actix_session::{config::TtlExtensionPolicy, storage::RedisSessionStore};
use axum_session::SessionStore;
use axum_session_redispool::SessionRedisPool;
use redis_pool::RedisPool;
use tenure::{SessionLayer, store::RedisStore};
use tower_sessions_redis_store::{
    RedisStore as TowerStore,
    fred::prelude::{ClientLike, Config, Pool},
};

use super::{Engine, server::Server, site::Site};
use crate::{
    bed::redis::Redis,
    implementations::{
        actix_session as actix, axum_session as axum,
        tower_sessions::on_engines::{self as tower, Saves},
    },
    ours,
    workload::Comes,
};

pub(super) async fn open() -> Engine {
    let server = Redis::start();
    let url = server.url();
    let version = server.info("redis_version").unwrap_or_default();
    let sites = vec![
        Site::noop(),
        tenure(&url).await,
        tower_sessions("tower-sessions", &url, Saves::Changes).await,
        tower_sessions("tower-sessions, sliding", &url, Saves::Always).await,
        axum_session("axum_session", &url, axum::config()).await,
        axum_session("axum_session, nothing in memory", &url, axum::forgetful()).await,
        actix_session("actix-session", &url, TtlExtensionPolicy::OnStateChanges).await,
        actix_session(
            "actix-session, sliding",
            &url,
            TtlExtensionPolicy::OnEveryRequest,
        )
        .await,
    ];
    Engine {
        name: format!("Redis {version}"),
        server: Server::Redis(server),
        sites,
    }
}

async fn tenure(url: &str) -> Site {
    let store = RedisStore::connect(url).await.expect("a server");
    let app = ours::app(SessionLayer::new(store), Comes::Session);
    Site::on_axum("tenure", app).await
}

/// With as many connections as its README has.
async fn tower_sessions(name: &'static str, url: &str, saves: Saves) -> Site {
    let config = Config::from_url(url).expect("a URL");
    let pool = Pool::new(config, None, None, None, 6).expect("good settings");
    pool.connect();
    pool.wait_for_connect().await.expect("a server");
    let app = tower::app(TowerStore::new(pool), saves, Comes::Session);
    Site::on_axum(name, app).await
}

async fn axum_session(name: &'static str, url: &str, config: axum_session::SessionConfig) -> Site {
    let client = ::redis::Client::open(url).expect("a URL");
    let pool = SessionRedisPool::from(RedisPool::from(client));
    let store = SessionStore::new(Some(pool), config)
        .await
        .expect("a server");
    Site::on_axum(name, axum::app(store, Comes::Session)).await
}

/// One connection for all threads, as its documentation has it.
async fn actix_session(name: &'static str, url: &str, policy: TtlExtensionPolicy) -> Site {
    let store = RedisSessionStore::new(url).await.expect("a server");
    let open = move || {
        let (store, policy) = (store.clone(), policy.clone());
        Box::pin(actix::site(store, policy, Comes::Session)) as _
    };
    Site::on_actix(name, open).await
}
