//! Ten thousand requests at once.

use std::{collections::BTreeMap, time::Instant};

use axum::{Router, http::StatusCode};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::site::{Cookies, on, request, roomy};

const REQUESTS: usize = 10_000;

pub(crate) fn measure() {
    println!(
        "| {REQUESTS} requests at once, two threads | all are answered after | for each | answers |"
    );
    println!("|---|---|---|---|");
    let runtime = Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.expect("a runtime");
    for (what, path, sessions) in [
        ("read, of as many sessions", "/read-slowly", REQUESTS),
        ("read, of one session", "/read-slowly", 1),
        ("count, in as many sessions", "/count-slowly", REQUESTS),
        ("count, in a hundred sessions", "/count-slowly", 100),
        ("count, in one session", "/count-slowly", 1),
    ] {
        measure_one(&runtime, what, path, sessions);
    }
}

fn measure_one(runtime: &Runtime, what: &str, path: &'static str, sessions: usize) {
    let mut app = on(roomy());
    let mut cookies = Cookies::for_sessions(sessions);
    cookies.begin(&mut app, "/begin", sessions);
    let start = Instant::now();
    let answers = runtime.block_on(send_all(&app, path, &cookies));
    let elapsed = start.elapsed().as_secs_f64();
    let answers = answers
        .iter()
        .map(|(status, count)| format!("{count} of {}", status.as_u16()));
    println!(
        "| {what} | {:.0} ms | {:.1} µs | {} |",
        elapsed * 1e3,
        elapsed * 1e6 / REQUESTS as f64,
        answers.collect::<Vec<_>>().join(", ")
    );
}

async fn send_all(
    app: &Router,
    path: &'static str,
    cookies: &Cookies,
) -> BTreeMap<StatusCode, usize> {
    let sent: Vec<_> = (0..REQUESTS)
        .map(|number| request(path, Some(cookies.get(number % cookies.len()))))
        .map(|request| tokio::spawn(app.clone().oneshot(request)))
        .collect();
    let mut answers = BTreeMap::new();
    for answer in sent {
        let Ok(response) = answer.await.expect("no request fails");
        *answers.entry(response.status()).or_default() += 1;
    }
    answers
}
