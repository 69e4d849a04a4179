//! How many instructions `tenure` adds to a request, compared with what is committed in `baseline.txt`:
//! `cargo run --profile counted -p instructions [-- --renew]`.
//!
//! Counts repeat where times do not, so a change that makes requests slower is seen in that change. What is compared is
//! above a layer that does nothing, in the same run: what axum's next release costs is nobody's mistake here.
//! `docs/performance.md` says how far counts wander, and with what.

#[path = "../../in_process/noop.rs"]
mod noop;
#[path = "../../in_process/tenure.rs"]
#[expect(
    dead_code,
    reason = "the bench of the same requests has its store boxed, too"
)]
mod ours;
#[path = "../../in_process/workload.rs"]
mod workload;

mod baseline;
mod count;

use std::{
    env,
    future::Future,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
};

use baseline::Counted;
use mimalloc::MiMalloc;
use workload::{WORKLOADS, Workload};

/// The same everywhere: each C library needs another number of instructions for an allocation.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const COUNTED: [&str; 4] = ["W1", "W3", "W4", "W5"];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => compare(),
        ["--renew"] => renew(),
        ["--send", workload, subject, requests] => send(workload, subject, requests),
        _ => {
            eprintln!("usage: instructions [--renew | --send WORKLOAD noop|tenure REQUESTS]");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> ExitCode {
    let complaints = baseline::complaints(&count());
    complaints.iter().for_each(|told| eprintln!("\n{told}"));
    match complaints.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn renew() -> ExitCode {
    baseline::write(&count());
    ExitCode::SUCCESS
}

fn count() -> Vec<Counted> {
    let workloads = COUNTED.map(|name| named(name).expect("it is one of the workloads"));
    workloads.into_iter().map(count::above_noop).collect()
}

/// Sends requests and does nothing else, to be counted or to be profiled.
fn send(workload: &str, subject: &str, requests: &str) -> ExitCode {
    let workload = named(workload).expect("a workload, W1 to W8");
    let requests = requests.parse().expect("a number of requests");
    let subject = match subject {
        "noop" => noop::subject(workload),
        _ => ours::subject(workload),
    };
    count::send(&subject, requests);
    ExitCode::SUCCESS
}

fn named(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
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
