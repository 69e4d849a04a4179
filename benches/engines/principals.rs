//! What it costs to list, end and limit the sessions of somebody who has many, in a store that holds a million others.

use std::{sync::Arc, time::Instant};

use http::StatusCode;
use tenure::{
    Session, SessionLayer, SessionLimit,
    store::{RedisStore, SessionStore},
};
use tokio::sync::Semaphore;

use super::{
    TASKS,
    bed::{
        redis::{
            Redis,
            cluster::{Cluster, Watch},
        },
        visitor::visit,
    },
    million::{self, Rows},
};

/// How many sessions somebody has.
const SIZES: [usize; 3] = [10, 1_000, 10_000];
const TRIES: usize = 9;
/// Of the Cluster; each has a replica.
const PRIMARIES: usize = 3;

pub(crate) async fn measure() {
    println!(
        "| a principal's sessions, among a million | | a login | with a limit | list | end one | end all |\n|---|---|---|---|---|---|---|"
    );
    let (store, _kept) = million::sqlite(Rows::Live).await;
    of("SQLite", &store).await;
    let (store, _kept) = million::postgres(Rows::Live).await;
    of("PostgreSQL", &store).await;
    let (store, _kept) = million::mariadb(Rows::Live).await;
    of("MariaDB", &store).await;
    let server = Redis::start();
    server.send(&["EVAL", &others(), "0"]);
    // Not before: a server that is busy for so long is taken for silent.
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    of("Redis", &store).await;
    drop(server);
    let cluster = Cluster::start(Watch::Calm, &["enable-debug-command local"]);
    let primaries = &cluster.nodes()[..PRIMARIES];
    for primary in primaries {
        primary.ask(&format!(
            "DEBUG POPULATE {} other 600",
            million::ROWS / PRIMARIES
        ));
    }
    let store = RedisStore::connect(&cluster.url()).await;
    of("Redis Cluster", &store.expect("a cluster")).await;
}

/// A script that fills a server with others.
fn others() -> String {
    let (rows, record) = (million::ROWS, "string.rep('x', 600)");
    format!("for other = 1, {rows} do redis.call('SET', 'other:' .. other, {record}) end")
}

async fn of(engine: &str, store: &(impl SessionStore + Clone)) {
    let layer = SessionLayer::new(store.clone());
    for size in SIZES {
        let limit = SessionLimit::evict_oldest(size);
        let limited = SessionLayer::builder(store.clone()).with_session_limit(limit);
        let limited = limited.build().expect("good settings");
        let (who, sessions) = (format!("member of {size}"), layer.sessions());
        fill(&layer, &who, size).await;
        let login = median(async || sign_in(&layer, &who).await).await;
        sessions.revoke_all(&*who).await.expect("an answer");
        fill(&layer, &who, size).await;
        let evicting = median(async || sign_in(&limited, &who).await).await;
        let mut listed = Vec::new();
        let list = median(async || listed = sessions.list(&*who).await.expect("an answer")).await;
        assert_eq!(listed.len(), size);
        let mut handles = listed.iter().map(tenure::SessionInfo::handle);
        let revoke = median(async || {
            let handle = handles.next().expect("there are enough");
            assert!(sessions.revoke(&*who, handle).await.expect("an answer"));
        })
        .await;
        let begun = Instant::now();
        sessions.revoke_all(&*who).await.expect("an answer");
        let all = begun.elapsed().as_secs_f64() * 1e3;
        println!(
            "| {engine} | {size} | {login:.1} ms | {evicting:.1} ms | {list:.1} ms | {revoke:.1} ms | {all:.0} ms |"
        );
    }
}

/// Signs somebody in so many times, with several tasks.
async fn fill(layer: &SessionLayer, who: &str, size: usize) {
    let places = Arc::new(Semaphore::new(TASKS));
    let logins: Vec<_> = (0..size)
        .map(|_| {
            let (layer, who, places) = (layer.clone(), who.to_owned(), places.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("it is never closed");
                sign_in(&layer, &who).await;
            })
        })
        .collect();
    for login in logins {
        login.await.expect("no login fails");
    }
}

async fn sign_in(layer: &SessionLayer, who: &str) {
    let who = who.to_owned();
    let login = async move |session: Session| session.login(who);
    let (status, _) = visit(layer, None, login).await;
    assert_eq!(status, StatusCode::OK);
}

/// Measures something a few times, one after the other; in milliseconds.
async fn median(mut act: impl AsyncFnMut()) -> f64 {
    let mut times = Vec::new();
    for _ in 0..TRIES {
        let begun = Instant::now();
        act().await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[TRIES / 2]
}
