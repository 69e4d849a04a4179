//! Counting, by callgrind.

use std::{
    env,
    process::{Command, Stdio},
    thread,
};

use tower::Service;

use crate::{
    baseline::Counted,
    finish,
    workload::{Subject, Workload},
};

/// What is counted is the difference of many and few requests: what it takes to begin is in both.
const FEW: u32 = 100;
const MANY: u32 = 600;

/// Counts what a request of a workload takes above a layer that does nothing.
pub(crate) fn above_noop(workload: &'static Workload) -> Counted {
    let [noop, tenure] = thread::scope(|scope| {
        let counts =
            ["noop", "tenure"].map(|subject| scope.spawn(|| per_request(workload, subject)));
        counts.map(|count| count.join().expect("it is counted"))
    });
    Counted {
        workload,
        instructions: tenure - noop,
    }
}

fn per_request(workload: &Workload, subject: &str) -> f64 {
    let [few, many] = [FEW, MANY].map(|requests| collected(workload, subject, requests));
    (many - few) / f64::from(MANY - FEW)
}

/// Starts this program under callgrind, and returns how many instructions it has counted.
fn collected(workload: &Workload, subject: &str, requests: u32) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(env::current_exe().expect("a program has a path"));
    valgrind.args(["--send", workload.name, subject, &requests.to_string()]);
    let output = valgrind.stdout(Stdio::null()).output();
    let told = output.expect("valgrind is installed").stderr;
    let told = String::from_utf8_lossy(&told);
    let line = told
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, number) = line.unwrap_or_else(|| panic!("callgrind says nothing:\n{told}"));
    number.trim().parse().expect("it is a number")
}

/// Sends so many requests.
pub(crate) fn send(subject: &Subject, requests: u32) {
    // As many are made ready for both counts.
    subject.prepare(requests.max(MANY));
    let mut app = subject.app.clone();
    for _ in 0..requests {
        drop(finish(app.call(subject.request())));
    }
}
