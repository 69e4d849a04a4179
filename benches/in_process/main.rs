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

/// What is measured, the layer that does nothing first.
const SUBJECTS: [(&str, fn(&Workload) -> Subject); 4] = [
    ("noop", noop::subject),
    ("floor", floor::subject),
    ("tenure", tenure::subject),
    ("boxed", tenure::boxed),
];

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let chosen = |workload: &&Workload| {
        let mut named = words.iter().filter(|word| word.starts_with('W')).peekable();
        named.peek().is_none() || named.any(|word| *word == workload.name)
    };
    let workloads: Vec<_> = WORKLOADS.iter().filter(chosen).collect();
    match SUBJECTS
        .iter()
        .find(|(name, _)| words.iter().any(|word| word == name))
    {
        Some((_, subject)) => workloads
            .into_iter()
            .for_each(|workload| profile(*subject, workload)),
        None => compare(&workloads),
    }
}

/// Runs one subject alone, for a profiler: `-- W3 tenure`.
fn profile(subject: fn(&Workload) -> Subject, workload: &Workload) {
    for _ in 0..ROUNDS {
        let (nanos, allocations) = measure(&subject(workload));
        println!(
            "{}: {nanos:.0} ns, {allocations} allocations",
            workload.name
        );
    }
}

fn compare(workloads: &[&Workload]) {
    println!("| workload | floor | tenure | tenure ÷ floor | boxed ÷ floor |");
    println!("|---|---|---|---|---|");
    workloads.iter().for_each(|workload| report(workload));
}

/// Runs a workload in turns and prints what each costs above the layer that does nothing.
fn report(workload: &Workload) {
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    let mut allocations = [0; 4];
    for _ in 0..ROUNDS {
        let mut nanos = [0.0; 4];
        for (index, (_, subject)) in SUBJECTS.iter().enumerate() {
            (nanos[index], allocations[index]) = measure(&subject(workload));
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
