//! One session that is filled to its limit.

use axum::{Router, body::Body, http::Request, routing::get};
use tenure::{Error, Session, SessionLayer};

use crate::{
    site::{Cookies, request, roomy},
    times::Times,
};

const REQUESTS: usize = 100_000;
/// As many as a session may have; of each so many bytes that they fit.
const MOST: usize = 64;
const BYTES: usize = 400;

pub(crate) fn measure() {
    println!(
        "| values of {BYTES} bytes | the last is read | p99.9 | longest | the last is written | p99.9 | longest | all are written | p99.9 | longest |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    [1, 5, 16, MOST].into_iter().for_each(measure_one);
}

fn measure_one(values: usize) {
    let mut app = app(values);
    let mut cookies = Cookies::for_sessions(1);
    cookies.begin(&mut app, "/all", 1);
    let cells = ["/read", "/write", "/all"].map(|path| {
        let requests = REQUESTS / if path == "/all" { values } else { 1 };
        Times::of(&mut app, repeated(path, &cookies, requests)).cells()
    });
    println!("| {values} | {} |", cells.join(" | "));
}

fn repeated(
    path: &'static str,
    cookies: &Cookies,
    requests: usize,
) -> impl Iterator<Item = Request<Body>> {
    (0..requests).map(move |_| request(path, Some(cookies.get(0))))
}

fn app(values: usize) -> Router {
    let last = format!("key {}", values - 1);
    let read = last.clone();
    Router::new()
        .route(
            "/read",
            get(async move |session: Session| session.get::<String>(read).map(drop)),
        )
        .route(
            "/write",
            get(async move |session: Session| session.insert(last, "y".repeat(BYTES))),
        )
        .route(
            "/all",
            get(async move |session: Session| write_all(&session, values)),
        )
        .layer(SessionLayer::new(roomy()))
}

fn write_all(session: &Session, values: usize) -> Result<(), Error> {
    (0..values).try_for_each(|value| session.insert(format!("key {value}"), "x".repeat(BYTES)))
}
