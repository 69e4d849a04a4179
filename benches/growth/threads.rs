//! One thread and two, on one session and on many.

use std::{
    thread,
    time::{Duration, Instant},
};

use axum::Router;

use crate::site::{Cookies, on, request, roomy, send};

const ROUND: Duration = Duration::from_secs(2);
const MANY: usize = 100_000;

pub(crate) fn measure() {
    println!("| requests a second | one thread | two threads | two ÷ one |");
    println!("|---|---|---|---|");
    for (what, path, sessions) in [
        ("read, one session", "/read", 1),
        ("read, many sessions", "/read", MANY),
        ("count, one session", "/count", 1),
        ("count, many sessions", "/count", MANY),
    ] {
        measure_one(what, path, sessions);
    }
}

fn measure_one(what: &str, path: &'static str, sessions: usize) {
    let mut app = on(roomy());
    let mut cookies = Cookies::for_sessions(sessions);
    cookies.begin(&mut app, "/begin", sessions);
    let [one, two] = [1, 2].map(|threads| rate(&app, path, &cookies, threads));
    println!("| {what} | {one:.0} | {two:.0} | {:.2} |", two / one);
}

fn rate(app: &Router, path: &'static str, cookies: &Cookies, threads: usize) -> f64 {
    let start = Instant::now();
    let sent: usize = thread::scope(|scope| {
        let sending: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || send_for_a_while(app.clone(), path, cookies, thread)))
            .collect();
        let sent = sending.into_iter().map(|thread| thread.join());
        sent.map(|sent| sent.expect("no request fails")).sum()
    });
    sent as f64 / start.elapsed().as_secs_f64()
}

fn send_for_a_while(mut app: Router, path: &'static str, cookies: &Cookies, from: usize) -> usize {
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < ROUND {
        for _ in 0..BATCH {
            // A step that shares no factor with their number visits all of them.
            let index = (from * 50_001 + sent * 7_919) % cookies.len();
            assert!(
                send(&mut app, request(path, Some(cookies.get(index))))
                    .status()
                    .is_success()
            );
            sent += 1;
        }
    }
    sent
}

const BATCH: usize = 100;
