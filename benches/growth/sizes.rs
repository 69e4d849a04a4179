//! From one session to a million.

use stats_alloc::Region;

use crate::{
    ALLOCATOR, MILLION,
    site::{Cookies, on, roomy},
    times::{Times, scattered},
};

const REQUESTS: usize = 100_000;

pub(crate) fn measure() {
    println!(
        "| live sessions of 437 bytes | bytes of heap for each | a read | p99.9 | longest | a write | p99.9 | longest |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let machine = Times::of_the_machine(REQUESTS).cells();
    println!("| no layer | | {machine} | | | |");
    let sizes = std::iter::successors(Some(1), |size| Some(size * 10));
    sizes
        .take_while(|size| *size <= MILLION)
        .for_each(measure_one);
}

fn measure_one(sessions: usize) {
    let mut app = on(roomy());
    let mut cookies = Cookies::for_sessions(sessions);
    let region = Region::new(ALLOCATOR);
    cookies.begin(&mut app, "/begin", sessions);
    let change = region.change();
    let live = change.bytes_allocated - change.bytes_deallocated;
    let [reads, writes] = ["/read", "/count"]
        .map(|path| Times::of(&mut app, scattered(path, &cookies, REQUESTS)).cells());
    let each = live as f64 / sessions as f64;
    println!("| {sessions} | {each:.0} | {reads} | {writes} |");
}
