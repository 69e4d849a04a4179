//! What a million sessions take on PostgreSQL and Redis, what an hour's touches leave behind, in fast motion, and what others
//! notice when a million expire at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use tenure::{
    Handle, Session, SessionLayer,
    store::{Created, PostgresStore, Record, RedisStore, SessionStore, Version},
};
use tokio_postgres::{Client, Row};

use super::{
    Round, TASKS,
    bed::{
        postgres::{Postgres, client},
        redis::{Console, Redis},
        visitor::visit,
    },
    million::{self, ROWS, Rows},
    request, round,
    subject::{PAYLOAD, SESSIONS},
};

/// How often each session is touched in an hour: every three minutes.
const TOUCHES: usize = 20;
const MEMBERS: usize = 100_000;
const IDLE: Duration = Duration::from_secs(1_800);
/// In that time all are there.
const CREATING: Duration = Duration::from_secs(45);

pub(crate) async fn measure() {
    postgres().await;
    redis().await;
    redis_expires().await;
}

async fn postgres() {
    println!(
        "| PostgreSQL: {ROWS} sessions of 400 bytes | table | primary key | index of expiry | of each session |\n|---|---|---|---|---|"
    );
    let (store, kept) = million::postgres(Rows::ForAWhile).await;
    let server = kept.downcast_ref::<Postgres>().expect("it is kept");
    let client = client(&server.url("postgres")).await;
    sizes("as they were written", &client).await;
    let sessions = sessions(&client).await;
    let begun = Instant::now();
    for _ in 0..TOUCHES {
        touch_all(&store, &sessions).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (TOUCHES * ROWS) as f64 / seconds;
    sizes(
        &format!("after {TOUCHES} touches of each, {rate:.0} a second"),
        &client,
    )
    .await;
    client
        .batch_execute("VACUUM tenure_sessions")
        .await
        .expect("it is vacuumed");
    sizes("and a VACUUM", &client).await;
}

async fn sessions(client: &Client) -> Arc<[(Handle, Version)]> {
    let ask = "SELECT handle, version FROM tenure_sessions";
    let rows = client.query(ask, &[]).await.expect("rows");
    let row = |row: &Row| {
        let handle = row.get::<_, &[u8]>(0).try_into().expect("16 bytes");
        let version = u64::try_from(row.get::<_, i64>(1)).expect("it is above zero");
        (Handle::from_bytes(handle), Version::from_u64(version))
    };
    rows.iter().map(row).collect()
}

/// Touches all of them once, with several tasks.
async fn touch_all(store: &PostgresStore, sessions: &Arc<[(Handle, Version)]>) {
    let (store, sessions) = (store.clone(), sessions.clone());
    in_tasks(ROWS, move |number| {
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

/// Lets a million sessions expire at the same moment, and loads others.
async fn redis_expires() {
    println!(
        "\n| Redis: {ROWS} sessions expire at once | loads a second | p50 | p99 | longest |\n|---|---|---|---|---|"
    );
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.expect("a server");
    let console = Console::open(&server.url()).await;
    let expire = Instant::now() + CREATING;
    let create = {
        let store = store.clone();
        move |number: usize| {
            let expires_in = match number < SESSIONS {
                true => IDLE,
                false => expire - Instant::now(),
            };
            let record = Record::new(Version::from_u64(1), [1; 60], [2; PAYLOAD]);
            let created = store.create(&handle(number), &record, expires_in);
            async move { assert!(matches!(created.await, Ok(Created::Done(_)))) }
        }
    };
    in_tasks(SESSIONS + ROWS, create).await;
    let loads = request(move |session| {
        let loaded = store.load(&handle(session));
        async move { assert!(loaded.await.expect("an answer").is_some()) }
    });
    let kept = async || console.run::<usize>("DBSIZE").await;
    let line = |when: &str, round: Round| {
        let [p50, p99, longest] = [round.p50, round.p99, round.longest].map(|time| time * 1e3);
        let rate = round.rate;
        println!("| {when} | {rate:.0} | {p50:.2} ms | {p99:.2} ms | {longest:.1} ms |");
    };
    line("before", round(&loads).await);
    assert_eq!(kept().await, SESSIONS + ROWS, "it took too long");
    tokio::time::sleep(expire - Instant::now()).await;
    while kept().await > SESSIONS {
        line("while they go", round(&loads).await);
    }
    line("afterwards", round(&loads).await);
}

fn handle(number: usize) -> Handle {
    let mut bytes = [0; Handle::LEN];
    // The first byte chooses the connection.
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Handle::from_bytes(bytes)
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
