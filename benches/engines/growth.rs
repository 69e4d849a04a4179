//! What a million sessions take on PostgreSQL and Redis, and what an hour's touches leave behind, in fast motion.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use tenure::{
    Handle, Session, SessionLayer,
    store::{PostgresStore, RedisStore, SessionStore, Version},
};
use tokio_postgres::{Client, Row};

use super::{
    TASKS,
    bed::{
        postgres::{Postgres, client},
        redis::Redis,
        visitor::visit,
    },
    million::{self, ROWS, Rows},
    subject::PAYLOAD,
};

/// How many sessions are in use, and how often each is touched in an hour: every three minutes.
const IN_USE: usize = 100_000;
const TOUCHES: usize = 20;
const MEMBERS: usize = 100_000;
const IDLE: Duration = Duration::from_secs(1_800);

pub(crate) async fn measure() {
    postgres().await;
    redis().await;
}

async fn postgres() {
    println!(
        "| PostgreSQL: {ROWS} sessions of 400 bytes | table | primary key | index of expiry | of each session |\n|---|---|---|---|---|"
    );
    let (store, kept) = million::postgres(Rows::ForAWhile).await;
    let server = kept.downcast_ref::<Postgres>().expect("it is kept");
    let client = client(&server.url("postgres")).await;
    sizes("as they were written", &client).await;
    let in_use = in_use(&client).await;
    let begun = Instant::now();
    for _ in 0..TOUCHES {
        touch_all(&store, &in_use).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (TOUCHES * IN_USE) as f64 / seconds;
    sizes(
        &format!("after {TOUCHES} touches of {IN_USE} of them, {rate:.0} a second"),
        &client,
    )
    .await;
    client
        .batch_execute("VACUUM tenure_sessions")
        .await
        .expect("it is vacuumed");
    sizes("and a VACUUM", &client).await;
}

async fn in_use(client: &Client) -> Arc<[(Handle, Version)]> {
    let ask = format!("SELECT handle, version FROM tenure_sessions WHERE version <= {IN_USE}");
    let rows = client.query(&ask, &[]).await.expect("rows");
    let row = |row: &Row| {
        let handle = row.get::<_, &[u8]>(0).try_into().expect("16 bytes");
        let version = u64::try_from(row.get::<_, i64>(1)).expect("it is above zero");
        (Handle::from_bytes(handle), Version::from_u64(version))
    };
    rows.iter().map(row).collect()
}

/// Touches all that are in use once, with several tasks.
async fn touch_all(store: &PostgresStore, in_use: &Arc<[(Handle, Version)]>) {
    let (store, sessions) = (store.clone(), in_use.clone());
    in_tasks(IN_USE, move |number| {
        let (handle, version) = sessions[number];
        let touch = store.touch(&handle, version, IDLE);
        async move { assert!(touch.await.expect("an answer")) }
    })
    .await;
}

async fn sizes(when: &str, client: &Client) {
    let ask = "SELECT pg_table_size('tenure_sessions'), pg_relation_size('tenure_sessions_pkey'), \
               pg_indexes_size('tenure_sessions') - pg_relation_size('tenure_sessions_pkey')";
    let row = client.query_one(ask, &[]).await.expect("sizes");
    let [table, key, index]: [i64; 3] = [0, 1, 2].map(|column| row.get(column));
    let mebibytes = |bytes: i64| bytes as f64 / f64::from(1 << 20);
    println!(
        "| {when} | {:.0} MiB | {:.0} MiB | {:.0} MiB | {} B |",
        mebibytes(table),
        mebibytes(key),
        mebibytes(index),
        (table + key + index) / ROWS as i64
    );
}

async fn redis() {
    println!("\n| Redis: sessions of {PAYLOAD} bytes | | memory of each |\n|---|---|---|");
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let layer = SessionLayer::new(store);
    let used = || -> u64 {
        let told = server.info("used_memory").expect("it is up");
        told.parse().expect("it is a number")
    };
    let before = used();
    in_tasks(ROWS, {
        let layer = layer.clone();
        move |_| begin(layer.clone(), None)
    })
    .await;
    let visitors = used();
    println!(
        "| visitors | {ROWS} | {} B |",
        (visitors - before) / ROWS as u64
    );
    in_tasks(MEMBERS, move |number| {
        begin(layer.clone(), Some(number as u64))
    })
    .await;
    println!(
        "| signed in, one session each | {MEMBERS} | {} B |",
        (used() - visitors) / MEMBERS as u64
    );
}

async fn begin(layer: SessionLayer, member: Option<u64>) {
    let fill = async move |session: Session| {
        session.insert("payload", "x".repeat(PAYLOAD))?;
        member.map_or(Ok(()), |member| session.login(member))
    };
    let (status, _) = visit(&layer, None, fill).await;
    assert_eq!(status, StatusCode::OK);
}

/// Does something for each number, several at a time.
async fn in_tasks<F>(numbers: usize, act: impl Fn(usize) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let act = act.clone();
            tokio::spawn(async move {
                for number in (task..numbers).step_by(TASKS) {
                    act(number).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("nothing fails");
    }
}
