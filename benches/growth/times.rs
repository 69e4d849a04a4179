//! How long single requests take.

use std::{fs, time::Instant};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};

use crate::{
    noop,
    site::{Cookies, request, send},
};

/// Nanoseconds, in order.
pub(crate) struct Times(Vec<u64>);

impl Times {
    /// Sends each request by itself; they are made before any of them is timed.
    ///
    /// What another program did to them does not count: a batch is left out in which this thread waited for a core.
    pub(crate) fn of(app: &mut Router, requests: impl IntoIterator<Item = Request<Body>>) -> Self {
        Self::answered(app, requests, StatusCode::OK)
    }

    pub(crate) fn answered(
        app: &mut Router,
        requests: impl IntoIterator<Item = Request<Body>>,
        status: StatusCode,
    ) -> Self {
        let mut requests = requests.into_iter();
        let mut times = Vec::new();
        loop {
            let batch: Vec<_> = requests.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                times.sort_unstable();
                return Self(times);
            }
            let (before, kept) = (waited(), times.len());
            for request in batch {
                let start = Instant::now();
                let response = send(app, request);
                times.push(start.elapsed().as_nanos() as u64);
                assert_eq!(response.status(), status);
            }
            if waited() != before {
                times.truncate(kept);
            }
        }
    }

    /// What the machine does to requests that have no session.
    pub(crate) fn of_the_machine(requests: usize) -> Self {
        let requests = (0..requests).map(|_| request("/read", None));
        Self::of(&mut noop::app(), requests)
    }

    /// Cells of a table: the median, what 99.9 % are below, the longest.
    pub(crate) fn cells(&self) -> String {
        let Some(last) = self.0.len().checked_sub(1) else {
            return "never undisturbed | – | –".to_owned();
        };
        let micros = |part: f64| self.0[(last as f64 * part) as usize] as f64 / 1e3;
        let [median, p999, most] = [0.5, 0.999, 1.0].map(micros);
        format!("{median:.2} µs | {p999:.1} µs | {most:.0} µs")
    }
}

/// Returns how long this thread has been ready to run and was not let, as far as the system says.
fn waited() -> Option<u64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().nth(1)?.parse().ok()
}

const BATCH: usize = 50;

/// Requests of sessions in no order that a cache could guess.
pub(crate) fn scattered(
    path: &'static str,
    cookies: &Cookies,
    requests: usize,
) -> impl Iterator<Item = Request<Body>> {
    let mut state = 1_u64;
    (0..requests).map(move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        request(
            path,
            Some(cookies.get((state >> 33) as usize % cookies.len())),
        )
    })
}
