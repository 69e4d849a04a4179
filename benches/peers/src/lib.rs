//! What sessions cost: `tenure`, a layer that does nothing, a hand-written minimum, and what else people use.
//!
//! The same handlers with the same data answer the same requests in one run, in turns. One file for each implementation
//! says how it is configured and why.

#![expect(
    clippy::disallowed_methods,
    reason = "to read the time is what a bench is for"
)]

#[path = "../../../tests/bed/mod.rs"]
mod bed;
mod build;
mod engines;
#[path = "../../in_process/floor.rs"]
mod floor;
mod implementations;
mod in_process;
#[path = "../../in_process/noop.rs"]
mod noop;
mod options;
#[path = "../../in_process/tenure.rs"]
#[allow(
    dead_code,
    reason = "the bench of the repository has its store boxed, too"
)]
mod ours;
mod report;
mod socket;
mod statistics;
#[path = "../../in_process/workload.rs"]
mod workload;

use std::{
    alloc::System,
    env,
    future::Future,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
};

use in_process::{allocations, instructions, times};
use options::Options;
use report::{Findings, InProcess};
use stats_alloc::StatsAlloc;
use tokio::runtime::Runtime;
use workload::{WORKLOADS, Workload};

/// Measures what was asked for, and reports it.
pub fn run() -> ExitCode {
    let options = match Options::of_this_program() {
        Ok(options) => options,
        Err(told) => {
            eprintln!("{told}");
            return ExitCode::FAILURE;
        }
    };
    // Some want to find a runtime, whether they use it or not.
    let runtime = Runtime::new().expect("a runtime");
    let _here = runtime.enter();
    match &options.profile {
        Some((workload, index, requests)) => instructions::run(workload, *index, *requests),
        None => {
            let findings = measure(&runtime, &options);
            report::publish(&findings, &options);
        }
    }
    ExitCode::SUCCESS
}

fn measure(runtime: &Runtime, options: &Options) -> Findings {
    let wanted = |workload: &&Workload| options.wants(workload.name);
    let workloads: Vec<_> = WORKLOADS.iter().filter(wanted).collect();
    if !workloads.is_empty() {
        build::build("counted");
    }
    let pages = match options.wants("socket") {
        true => Some(runtime.block_on(socket::measure(options))),
        false => None,
    };
    Findings {
        // Not within the runtime: its tasks have to wait after so many polls, and here nobody waits.
        in_process: workloads
            .into_iter()
            .map(|workload| in_process(workload, options))
            .collect(),
        engines: runtime.block_on(engines::measure(options)),
        pages,
    }
}

fn in_process(workload: &'static Workload, options: &Options) -> InProcess {
    eprintln!("{} {}", workload.name, workload.what);
    InProcess {
        workload,
        times: times::measure(workload, options),
        allocations: allocations::measure(workload),
        instructions: instructions::measure(workload, options),
    }
}

/// Prints what the requests of a workload allocate, which is this program's argument.
pub fn count(allocator: &'static StatsAlloc<System>) {
    let runtime = Runtime::new().expect("a runtime");
    let _here = runtime.enter();
    let workload = env::args().nth(1).unwrap_or_default();
    allocations::print(allocator, &workload);
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
