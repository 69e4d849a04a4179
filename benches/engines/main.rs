//! Requests per second on real engines: `cargo bench --bench engines --features mysql,postgres,redis,sqlite [-- mysql
//! postgres redis sqlite sweep principals loss growth]`.
//!
//! 64 tasks send requests through the whole layer, over a thousand sessions. Beside it, in turns, runs a hand-written
//! minimum: a handler of the same requests that asks the statements that it cannot do without, prepared, through the same
//! driver with as many connections, and no layer at all. `sweep` measures how long the statements take that remove a
//! million expired rows, and `principals` what it costs to list, end and limit the sessions of somebody who has many.
//! `growth` says what a million sessions take, what an hour's touches leave behind, and what it is like when all expire.

#![expect(
    clippy::disallowed_methods,
    reason = "to read the time is what a bench is for"
)]

#[path = "../../tests/bed/mod.rs"]
mod bed;
mod growth;
mod loss;
mod million;
mod mysql;
mod postgres;
mod principals;
mod redis;
mod sqlite;
mod subject;
mod sweep;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use subject::{Request, SESSIONS, Subject};

const TASKS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if wanted("sqlite") {
        let prepared = sqlite::Prepared::new().await;
        table("SQLite", &prepared.subjects().await).await;
    }
    if wanted("postgres") {
        let prepared = postgres::Prepared::new().await;
        table("PostgreSQL", &prepared.subjects().await).await;
    }
    if wanted("mysql") {
        let prepared = mysql::Prepared::new().await;
        table("MariaDB", &prepared.subjects().await).await;
    }
    if wanted("redis") {
        let prepared = redis::Prepared::new().await;
        table("Redis", &prepared.subjects().await).await;
    }
    // It takes some minutes, and is no comparison.
    let named = |name: &str| words.iter().any(|word| word == name);
    if named("growth") {
        growth::measure().await;
    }
    if named("loss") {
        loss::measure().await;
    }
    if named("principals") {
        principals::measure().await;
    }
    if wanted("sweep") {
        sweep::measure().await;
    }
}

/// Runs all subjects in turns, and prints the medians.
async fn table(engine: &str, subjects: &[Subject]) {
    let mut measured: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (subject, rounds) in subjects.iter().zip(&mut measured) {
            rounds.push(round(&subject.request).await);
        }
    }
    println!(
        "| {engine} | requests a second | p50 | p99 | of the minimum |\n|---|---|---|---|---|"
    );
    let mut minimum = 1.0;
    for (subject, rounds) in subjects.iter().zip(&mut measured) {
        let rate = median(rounds, |round| round.rate);
        if subject.is_minimum {
            minimum = rate;
        }
        let milliseconds = |at: fn(&Round) -> f64| median(&mut rounds.clone(), at) * 1e3;
        println!(
            "| {} | {rate:.0} | {:.2} ms | {:.2} ms | {:.2} |",
            subject.name,
            milliseconds(|round| round.p50),
            milliseconds(|round| round.p99),
            rate / minimum,
        );
    }
}

#[derive(Clone)]
struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    longest: f64,
}

/// Lets all tasks send requests one after the other for a while.
async fn round(request: &Request) -> Round {
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let request = request.clone();
            tokio::spawn(task_of_one(request, task, start + ROUND))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no request fails"));
    }
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    Round {
        rate: latencies.len() as f64 / elapsed,
        p50: latencies[latencies.len() / 2],
        p99: latencies[latencies.len() * 99 / 100],
        longest: latencies[latencies.len() - 1],
    }
}

async fn task_of_one(request: Request, task: usize, end: Instant) -> Vec<f64> {
    let mut latencies = Vec::new();
    // A session has requests of one task at a time: this is about throughput, not about conflicts.
    let sessions = (task..SESSIONS).step_by(TASKS).cycle();
    for session in sessions {
        let start = Instant::now();
        if start >= end {
            break;
        }
        request(session).await;
        latencies.push(start.elapsed().as_secs_f64());
    }
    latencies
}

fn median(rounds: &mut [Round], of: fn(&Round) -> f64) -> f64 {
    rounds.sort_by(|a, b| of(a).total_cmp(&of(b)));
    of(&rounds[rounds.len() / 2])
}

/// Makes a request of what it does for a session.
fn request<F>(run: impl Fn(usize) -> F + Send + Sync + 'static) -> Request
where
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |session| Box::pin(run(session)))
}
