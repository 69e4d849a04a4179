//! How many instructions a request takes, counted by callgrind.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::{
    build,
    implementations::{IMPLEMENTATIONS, Implementation},
    options::Options,
    workload::{WORKLOADS, Workload},
};

/// What is counted is the difference of many and few requests: what it takes to begin is in both.
const FEW: u32 = 100;
const MANY: u32 = 600;

/// Counts for each implementation, above a layer that does nothing; or says why not.
pub(crate) fn measure(workload: &Workload, options: &Options) -> Result<Vec<f64>, &'static str> {
    if options.is_quick {
        return Err("`--quick` leaves them out");
    }
    if !build::is_here("valgrind") {
        return Err("valgrind is not installed (`apt-get install valgrind`)");
    }
    let counted: Vec<f64> = (0..IMPLEMENTATIONS.len())
        .map(|index| per_request(workload, index))
        .collect();
    let above = |(index, implementation): (usize, &Implementation)| match implementation.is_noop() {
        true => counted[index],
        false => counted[index] - counted[implementation.base()],
    };
    Ok(IMPLEMENTATIONS.iter().enumerate().map(above).collect())
}

/// Sends so many requests to one implementation, for a profiler.
pub(crate) fn run(workload: &str, index: usize, requests: u32) {
    let workload = WORKLOADS.iter().find(|known| known.name == workload);
    let mut subject = (IMPLEMENTATIONS[index].prepare)(workload.expect("a workload"));
    // As many are made ready for both counts.
    subject.prepare(MANY);
    (0..requests).for_each(|_| subject.answer());
}

fn per_request(workload: &Workload, index: usize) -> f64 {
    let [few, many] = [FEW, MANY].map(|requests| count(workload.name, index, requests));
    (many - few) / f64::from(MANY - FEW)
}

fn count(workload: &str, index: usize, requests: u32) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    // A thread that spins until another is done would keep the only processor to itself.
    valgrind.arg("--fair-sched=yes");
    valgrind.arg(env::current_exe().expect("a program has a path"));
    valgrind.args([
        "--profile",
        workload,
        &index.to_string(),
        &requests.to_string(),
    ]);
    let output = valgrind.stdout(Stdio::null()).output();
    let told = output.expect("valgrind starts").stderr;
    let told = String::from_utf8_lossy(&told);
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.unwrap_or_else(|| panic!("callgrind says nothing:\n{told}"));
    number.trim().parse().expect("it is a number")
}
