//! Counts what the requests of all workloads allocate; the comparison builds and starts it.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    peers::count(ALLOCATOR);
}
