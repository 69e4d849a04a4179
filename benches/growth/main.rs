//! What becomes of the memory store as it grows: `cargo bench --bench growth [-- sizes stalls values parallel threads]`.
//!
//! `sizes` goes from one session to a million: bytes of each, and how long a request takes. `stalls` looks for the
//! longest request while a million sessions expire, are given up, or sign in. `values` fills one session to its limit,
//! `parallel` sends ten thousand requests at once, and `threads` sends them from one thread and from two. Each table has
//! a line of a layer that does nothing, for what the machine adds of itself.

#![expect(
    clippy::disallowed_methods,
    reason = "to read the time is what a bench is for"
)]

#[path = "../in_process/noop.rs"]
#[allow(dead_code, reason = "only its handlers are used here")]
mod noop;
mod parallel;
mod site;
mod sizes;
mod stalls;
mod threads;
mod times;
mod values;
#[path = "../in_process/workload.rs"]
#[allow(dead_code, reason = "the requests are others here")]
mod workload;

use std::{
    alloc::System,
    env,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MILLION: usize = 1_000_000;

const PARTS: [(&str, fn()); 5] = [
    ("sizes", sizes::measure),
    ("stalls", stalls::measure),
    ("values", values::measure),
    ("parallel", parallel::measure),
    ("threads", threads::measure),
];

fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (name, measure) in PARTS {
        if words.is_empty() || words.iter().any(|word| word == name) {
            measure();
            println!();
        }
    }
}

/// Polls a future that never has to wait.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
