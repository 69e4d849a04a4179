//! How long the statements take that remove a million expired rows.

use std::time::Instant;

use tenure::store::Sweep;

use super::million::{self, ROWS, Rows};

/// As many as a sweeper removes with one statement by default.
const BATCH: usize = 200;

pub(crate) async fn measure() {
    println!(
        "| {ROWS} expired rows, {BATCH} a statement | rows a second | median | p99 | longest | one more, that finds none |\n|---|---|---|---|---|---|"
    );
    let (store, _kept) = million::sqlite(Rows::Expired).await;
    sweep("SQLite", &store).await;
    let (store, _kept) = million::postgres(Rows::Expired).await;
    sweep("PostgreSQL", &store).await;
    let (store, _kept) = million::mariadb(Rows::Expired).await;
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
