//! What a request allocates, counted by a program of its own.

use std::alloc::System;

use stats_alloc::{Region, StatsAlloc};

use crate::{
    build,
    implementations::{IMPLEMENTATIONS, Implementation},
    workload::{WORKLOADS, Workload},
};

const REQUESTS: u32 = 2_000;

/// What one request allocates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allocations {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// Counts for each workload what each implementation allocates above a layer that does nothing.
pub(crate) fn measure(workload: &Workload) -> Vec<Allocations> {
    let told = build::output(build::program("counted").arg(workload.name));
    let counted: Vec<Allocations> = told.lines().filter_map(parse).collect();
    assert_eq!(counted.len(), IMPLEMENTATIONS.len(), "{told}");
    let above = |(index, implementation): (usize, &Implementation)| {
        let base = match implementation.is_noop() {
            true => Allocations::default(),
            false => counted[implementation.base()],
        };
        Allocations {
            count: counted[index].count - base.count,
            bytes: counted[index].bytes - base.bytes,
        }
    };
    IMPLEMENTATIONS.iter().enumerate().map(above).collect()
}

/// Prints what the requests of a workload allocate, a line for each implementation.
pub(crate) fn print(allocator: &'static StatsAlloc<System>, workload: &str) {
    let workload = WORKLOADS.iter().find(|known| known.name == workload);
    let workload = workload.expect("a workload");
    for implementation in IMPLEMENTATIONS {
        let Allocations { count, bytes } = count(allocator, implementation, workload);
        println!("{count} {bytes}");
    }
}

fn count(
    allocator: &'static StatsAlloc<System>,
    implementation: &Implementation,
    workload: &Workload,
) -> Allocations {
    let mut subject = (implementation.prepare)(workload);
    // What grows with use has grown then.
    subject.prepare(REQUESTS);
    (0..REQUESTS).for_each(|_| subject.answer());
    subject.prepare(REQUESTS);
    let region = Region::new(allocator);
    (0..REQUESTS).for_each(|_| subject.answer());
    let change = region.change();
    Allocations {
        count: change.allocations as f64 / f64::from(REQUESTS),
        bytes: change.bytes_allocated as f64 / f64::from(REQUESTS),
    }
}

fn parse(line: &str) -> Option<Allocations> {
    let (count, bytes) = line.split_once(' ')?;
    Some(Allocations {
        count: count.parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}
