//! How long the statements take that remove a million expired rows.

use std::time::Instant;

use sqlx::AssertSqlSafe;
use tenure::store::{MySqlStore, PostgresStore, SqliteStore, Sweep};

use super::{
    bed::{
        folder::Folder,
        mariadb::{self, MariaDb},
        postgres::{Postgres, client},
    },
    mysql,
};

const ROWS: usize = 1_000_000;
/// As many as a sweeper removes with one statement by default.
const BATCH: usize = 200;

pub(crate) async fn measure() {
    println!(
        "| {ROWS} expired rows, {BATCH} a statement | rows a second | median | p99 | longest | one more, that finds none |\n|---|---|---|---|---|---|"
    );
    let folder = Folder::new("sweep");
    let url = format!("sqlite:{}", folder.path().join("sweep.db").display());
    let store = SqliteStore::connect(&url).await.expect("a file");
    store.migrate().await.expect("a table");
    let fill = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS}) \
         INSERT INTO tenure_sessions SELECT randomblob(16), n, NULL, n, n, n, n, zeroblob(200), zeroblob(400) FROM numbers"
    );
    let filled = sqlx::raw_sql(AssertSqlSafe(fill))
        .execute(store.pool())
        .await;
    filled.expect("rows");
    sweep("SQLite", &store).await;

    let server = Postgres::start_with(&[]);
    let url = server.url("postgres");
    let store = PostgresStore::connect(&url).await.expect("a server");
    store.migrate().await.expect("a table");
    let fill = format!(
        "INSERT INTO tenure_sessions SELECT decode(md5(n::text), 'hex'), n, NULL, n, n, n, n, \
         decode(repeat('01', 200), 'hex'), decode(repeat('02', 400), 'hex') FROM generate_series(1, {ROWS}) AS n"
    );
    let client = client(&url).await;
    client.batch_execute(&fill).await.expect("rows");
    // Sessions expire long after they were written: else the checkpoint of a million rows at once is what is measured.
    client
        .batch_execute("CHECKPOINT")
        .await
        .expect("a checkpoint");
    sweep("PostgreSQL", &store).await;

    let server = MariaDb::start_with(mysql::SETTINGS);
    let database = server.database().await;
    let store = MySqlStore::connect(database.url()).await.expect("a server");
    store.migrate().await.expect("a table");
    let fill = format!(
        "INSERT INTO tenure_sessions SELECT UNHEX(MD5(seq)), seq, NULL, seq, seq, seq, seq, REPEAT('h', 200), \
         REPEAT('p', 400) FROM seq_1_to_{ROWS}"
    );
    mariadb::run(&mut database.client().await, &fill).await;
    sweep("MariaDB", &store).await;
}

async fn sweep(engine: &str, store: &impl Sweep) {
    let mut times = Vec::new();
    let start = Instant::now();
    loop {
        let begun = Instant::now();
        let swept = store.sweep(BATCH).await.expect("an answer");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        if swept < BATCH {
            break;
        }
    }
    let rate = ROWS as f64 / start.elapsed().as_secs_f64();
    // It looks through what all the others have left in the index.
    let last = times.pop().expect("one that finds none");
    times.sort_by(f64::total_cmp);
    println!(
        "| {engine} | {rate:.0} | {:.1} ms | {:.1} ms | {:.1} ms | {last:.1} ms |",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    );
}
