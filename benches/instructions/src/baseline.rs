//! What is committed, and what is said of a difference.

use std::{fmt::Write as _, fs};

use crate::workload::Workload;

/// What a request of a workload takes above a layer that does nothing.
pub(crate) struct Counted {
    pub(crate) workload: &'static Workload,
    pub(crate) instructions: f64,
}

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");

/// Twenty times what counts wander with one compiler, and less than one copy of a small session costs.
const TOLERATED_PERCENT: f64 = 1.0;

const HEAD: &str = "\
# Instructions that tenure adds to a request, by callgrind; `./check` compares them. Renew them with
#     cargo run --profile counted -p instructions -- --renew
# and say in the commit's message what they are spent on.
";

/// Prints what was counted beside what is committed, and returns what is to be said of those that differ.
pub(crate) fn complaints(all: &[Counted]) -> Vec<String> {
    let committed = fs::read_to_string(FILE).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    println!("| instructions above a layer that does nothing | committed | now | difference |");
    println!("|---|---|---|---|");
    all.iter()
        .filter_map(|counted| complaint(counted, find(&committed, counted.workload)))
        .collect()
}

/// Commits what was counted, as far as a file goes.
pub(crate) fn write(all: &[Counted]) {
    let mut text = HEAD.to_owned();
    for Counted {
        workload,
        instructions,
    } in all
    {
        writeln!(text, "{} {instructions:.0}", workload.name).expect("there is memory");
    }
    fs::write(FILE, &text).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    print!("{text}");
}

fn find(committed: &str, workload: &Workload) -> f64 {
    let number = |line: &str| line.strip_prefix(workload.name)?.trim().parse().ok();
    let number = committed.lines().find_map(number);
    number.unwrap_or_else(|| panic!("{FILE} has no number for {}", workload.name))
}

fn complaint(counted: &Counted, committed: f64) -> Option<String> {
    let Workload { name, what, .. } = counted.workload;
    let now = counted.instructions;
    let percent = (now - committed) / committed * 100.0;
    println!("| {name} {what} | {committed:.0} | {now:.0} | {percent:+.1} % |");
    let found = format!(
        "{name} ({what}): tenure adds {now:.0} instructions to a request, and {committed:.0} are committed: {percent:+.1} %."
    );
    if percent > TOLERATED_PERCENT {
        return Some(format!("{found}\n{}", slower(name)));
    }
    (percent < -TOLERATED_PERCENT).then(|| format!("{found}\n{FASTER}"))
}

fn slower(name: &str) -> String {
    format!(
        "No more than {TOLERATED_PERCENT} % is tolerated. Where they are spent:\n    \
         valgrind --tool=callgrind target/counted/instructions --send {name} tenure 600\n    \
         callgrind_annotate callgrind.out.*\n\
         If they are worth it, commit them, and say for what:\n    {RENEW}"
    )
}

const FASTER: &str = "It is faster. Commit that, so that it stays so:\n    \
    cargo run --profile counted -p instructions -- --renew";

const RENEW: &str = "cargo run --profile counted -p instructions -- --renew";
