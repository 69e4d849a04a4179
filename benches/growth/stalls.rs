//! The longest requests, while something happens to many sessions.

use std::time::Duration;

use axum::{Router, http::StatusCode};
use tenure::Clock;

use crate::{
    MILLION,
    site::{Cookies, on, request, roomy},
    times::{Times, scattered},
};

const REQUESTS: usize = 1_000_000;
const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(crate) fn measure() {
    println!("| a million sessions | median | p99.9 | longest |");
    println!("|---|---|---|---|");
    row("no layer", &Times::of_the_machine(REQUESTS));
    growing();
    expiring();
    full_of_visitors();
    full_of_members();
    one_visitor_among_members();
    signing_in();
}

fn row(what: &str, times: &Times) {
    println!("| {what} | {} |", times.cells());
}

/// Begins a session at a path with each request.
fn begin(app: &mut Router, path: &'static str, requests: usize) -> Times {
    Times::of(app, (0..requests).map(|_| request(path, None)))
}

fn growing() {
    let mut app = on(roomy());
    row("while they begin", &begin(&mut app, "/begin", MILLION));
}

/// All expire at once; then others come, and as many go on being read.
fn expiring() {
    let clock = Clock::manual();
    let mut app = on(roomy().with_clock(clock.clone()));
    begin(&mut app, "/begin", MILLION);
    clock.advance(DAY);
    let mut cookies = Cookies::for_sessions(1_000);
    cookies.begin(&mut app, "/begin", 1_000);
    let writes = Times::of(&mut app, scattered("/count", &cookies, REQUESTS));
    row("all have expired: writes of a thousand others", &writes);

    let mut app = on(roomy().with_clock(clock.clone()));
    begin(&mut app, "/begin", MILLION);
    clock.advance(DAY);
    let begun = begin(&mut app, "/begin", REQUESTS);
    row("all have expired: others begin", &begun);
}

fn full_of_visitors() {
    let mut app = on(roomy().with_max_entries(MILLION));
    begin(&mut app, "/begin", MILLION);
    let begun = begin(&mut app, "/begin", REQUESTS);
    row("full of visitors: others begin, and they go", &begun);
}

fn full_of_members() {
    let mut app = on(roomy().with_max_entries(MILLION));
    begin(&mut app, "/login", MILLION);
    let requests = (0..REQUESTS).map(|_| request("/begin", None));
    let refused = Times::answered(&mut app, requests, StatusCode::SERVICE_UNAVAILABLE);
    row("full of members: others are refused", &refused);
}

fn one_visitor_among_members() {
    let mut app = on(roomy().with_max_entries(MILLION));
    begin(&mut app, "/login", MILLION - 1);
    begin(&mut app, "/begin", 1);
    let begun = begin(&mut app, "/begin", REQUESTS / 10);
    row("full of members but for one visitor: others begin", &begun);
}

fn signing_in() {
    let mut app = on(roomy());
    begin(&mut app, "/login", MILLION);
    let logins = begin(&mut app, "/login", REQUESTS / 10);
    row("of a million others: more sign in", &logins);
}
