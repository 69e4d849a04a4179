//! What a request costs above a layer that does nothing: `cargo bench --bench in_process [-- W3 W4 … | --once]`.
//!
//! Beside `tenure` runs a floor: a hand-written minimum without promises. All are wrapped around the same router and
//! answer the same requests in one run, in turns, so that what the machine does to one it does to the others. `boxed` is
//! `tenure` on the same store with every answer allocated, as an engine's is. `--once` is one short round of each: it
//! shows that all do their work, and its figures mean little. With `--features keyring` a second table says what keys cost.

#![expect(
    clippy::disallowed_methods,
    reason = "to read the time is what a bench is for, and the floor has no clock to ask"
)]

mod floor;
#[cfg(feature = "keyring")]
mod keys;
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
/// How many batches of one subject are timed in a round; a tenth as many warm it up.
const BATCHES: usize = 100;
const BATCH: u32 = 200;

const FLOOR: usize = 1;
const TENURE: usize = 2;
const BOXED: usize = 3;

type Prepare = fn(&Workload) -> Subject;

/// What is measured, the layer that does nothing first.
const SUBJECTS: [(&str, Prepare); 4] = [
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
    let effort = match words.iter().any(|word| word == "--once") {
        true => Effort {
            rounds: 1,
            batches: BATCHES / 10,
        },
        false => Effort {
            rounds: ROUNDS,
            batches: BATCHES,
        },
    };
    let named = |(name, _): &&(&str, Prepare)| words.iter().any(|word| word == name);
    let subject = SUBJECTS.iter().find(named);
    #[cfg(feature = "keyring")]
    let subject = subject.or_else(|| keys::SUBJECTS.iter().find(named));
    match subject {
        Some((_, subject)) => workloads
            .into_iter()
            .for_each(|workload| profile(*subject, workload, effort)),
        None => {
            compare(&workloads, effort);
            #[cfg(feature = "keyring")]
            keys::compare(&workloads, effort);
        }
    }
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    batches: usize,
}

/// What one request takes.
#[derive(Clone, Copy, Default)]
struct Cost {
    nanos: f64,
    allocations: f64,
}

/// Runs one subject alone, for a profiler: `-- W3 tenure`.
fn profile(subject: Prepare, workload: &Workload, effort: Effort) {
    for _ in 0..effort.rounds {
        let [Cost { nanos, allocations }] = measure(&[subject(workload)], effort);
        println!(
            "{}: {nanos:.0} ns, {allocations:.1} allocations",
            workload.name
        );
    }
}

fn compare(workloads: &[&Workload], effort: Effort) {
    println!(
        "Above `noop`: medians of {} rounds; of a ratio also the 10th and the 90th percentile.\n",
        effort.rounds
    );
    println!("| workload | floor | tenure | tenure ÷ floor | boxed | boxed ÷ floor |");
    println!("|---|---|---|---|---|---|");
    workloads
        .iter()
        .for_each(|workload| report(workload, effort));
}

/// Runs a workload in turns and prints what each costs above the layer that does nothing.
fn report(workload: &Workload, effort: Effort) {
    let rounds: Vec<_> = (0..effort.rounds)
        .map(|_| run_all(workload, effort))
        .collect();
    let above = |index: usize| {
        let nanos = sorted(rounds.iter().map(|costs| costs[index].nanos));
        let allocations = sorted(rounds.iter().map(|costs| costs[index].allocations));
        format!("{:.0} ns, {:.1}", at(&nanos, 0.5), at(&allocations, 0.5))
    };
    let ratio = |index: usize| {
        let ratios = sorted(
            rounds
                .iter()
                .map(|costs| costs[index].nanos / costs[FLOOR].nanos),
        );
        let [low, middle, high] = [0.1, 0.5, 0.9].map(|part| at(&ratios, part));
        format!("{middle:.2} ({low:.2}–{high:.2})")
    };
    println!(
        "| {} {} | {} | {} | {} | {} | {} |",
        workload.name,
        workload.what,
        above(FLOOR),
        above(TENURE),
        ratio(TENURE),
        above(BOXED),
        ratio(BOXED),
    );
}

/// Measures all subjects in one round, and takes off what the first of them costs.
fn run_all(workload: &Workload, effort: Effort) -> [Cost; SUBJECTS.len()] {
    let costs = measure(&SUBJECTS.map(|(_, subject)| subject(workload)), effort);
    let noop = costs[0];
    costs.map(|cost| Cost {
        nanos: cost.nanos - noop.nanos,
        allocations: cost.allocations - noop.allocations,
    })
}

/// Sends batches to the subjects in turns: of the times the median counts, of the allocations the mean.
fn measure<const N: usize>(subjects: &[Subject; N], effort: Effort) -> [Cost; N] {
    let mut batches: [Vec<Cost>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..effort.batches * 11 / 10 {
        for (subject, batches) in subjects.iter().zip(&mut batches) {
            batches.push(send_batch(subject));
        }
    }
    batches.map(|batches| {
        let timed = &batches[effort.batches / 10..];
        let nanos = sorted(timed.iter().map(|batch| batch.nanos));
        let allocations: f64 = timed.iter().map(|batch| batch.allocations).sum();
        Cost {
            nanos: at(&nanos, 0.5) / f64::from(BATCH),
            allocations: allocations / timed.len() as f64 / f64::from(BATCH),
        }
    })
}

/// Returns what a batch takes in all.
fn send_batch(subject: &Subject) -> Cost {
    subject.prepare(BATCH);
    let mut app = subject.app.clone();
    let region = Region::new(ALLOCATOR);
    let start = Instant::now();
    (0..BATCH).for_each(|_| send(&mut app, subject.request()));
    Cost {
        nanos: start.elapsed().as_nanos() as f64,
        allocations: region.change().allocations as f64,
    }
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

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// Returns the figure below which a part of the others lies.
fn at(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
