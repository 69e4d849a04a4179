//! What a request costs above a layer that does nothing: `cargo bench --bench in_process [-- W3 W4 …]`.
//!
//! Beside `tenure` runs a floor: a hand-written minimum without promises. All are wrapped around the same router and
//! answer the same requests in one run, in turns, so that what the machine does to one it does to the others. `boxed` is
//! `tenure` on a store whose answers are all allocated, as an engine's are.

mod floor;
mod noop;
mod tenure;
mod workload;

use std::{
    alloc::System,
    env,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use axum::{Router, body::Body, http::Request};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::Service;
use workload::{Subject, WORKLOADS, Workload};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 9;
const REQUESTS: u32 = 20_000;
/// All that one subject is sent: the warm-up, one whose allocations are counted, and those that are timed.
const SENT: usize = REQUESTS as usize * 11 / 10 + 1;

fn main() {
    let chosen: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word.starts_with('W'))
        .collect();
    println!("| workload | floor | tenure | tenure ÷ floor | boxed ÷ floor |");
    println!("|---|---|---|---|---|");
    for workload in WORKLOADS {
        if chosen.is_empty() || chosen.iter().any(|name| name == workload.name) {
            report(workload);
        }
    }
}

/// Runs a workload in turns and prints what each costs above the layer that does nothing.
fn report(workload: &Workload) {
    let subjects: [fn(&Workload) -> Subject; 4] = [
        noop::subject,
        floor::subject,
        tenure::subject,
        tenure::boxed,
    ];
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    let mut allocations = [0; 4];
    for _ in 0..ROUNDS {
        let mut nanos = [0.0; 4];
        for (index, subject) in subjects.iter().enumerate() {
            let subject = subject(workload);
            (nanos[index], allocations[index]) = measure(&subject);
        }
        rounds.push(nanos);
    }
    let above = |index: usize| median(rounds.iter().map(|nanos| nanos[index] - nanos[0]));
    let ratio = |index: usize| {
        median(
            rounds
                .iter()
                .map(|nanos| (nanos[index] - nanos[0]) / (nanos[1] - nanos[0])),
        )
    };
    let cell = |index: usize| {
        format!(
            "{:.0} ns, {}",
            above(index),
            allocations[index] as i64 - allocations[0] as i64
        )
    };
    println!(
        "| {} {} | {} | {} | {:.2} | {:.2} |",
        workload.name,
        workload.what,
        cell(1),
        cell(2),
        ratio(2),
        ratio(3),
    );
}

/// Returns nanoseconds and allocations of one request.
fn measure(subject: &Subject) -> (f64, usize) {
    let mut app = subject.app.clone();
    (0..REQUESTS / 10).for_each(|_| send(&mut app, subject.request()));
    let region = Region::new(ALLOCATOR);
    send(&mut app, subject.request());
    let allocations = region.change().allocations;
    let start = Instant::now();
    (0..REQUESTS).for_each(|_| send(&mut app, subject.request()));
    (
        start.elapsed().as_nanos() as f64 / f64::from(REQUESTS),
        allocations,
    )
}

/// Sends a request and waits for its answer on this thread.
pub(crate) fn send(app: &mut Router, request: Request<Body>) {
    drop(finish(app.call(request)));
}

/// Polls a future that never has to wait.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
