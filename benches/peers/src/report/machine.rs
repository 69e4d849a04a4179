//! Where it was measured, and with which releases.

use std::{fs, process::Command, thread};

use super::Findings;
use crate::build;

/// Describes the machine and the releases of everything that was measured.
pub(super) fn describe(findings: &Findings) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![
        format!("* Machine: {cores} cores, {}", processor()),
        format!("* System: {}", system()),
        format!("* Compiler: {}", first_line("rustc", "--version")),
        format!("* Crates: {}", crates()),
    ];
    let mut engines: Vec<String> = findings
        .engines
        .iter()
        .map(|measured| measured.engine.clone())
        .collect();
    for (program, argument) in [("valgrind", "--version"), ("wrk", "-v")] {
        if build::is_here(program) {
            engines.push(first_line(program, argument));
        }
    }
    if !engines.is_empty() {
        lines.push(format!("* Engines and tools: {}", engines.join(", ")));
    }
    lines.join("\n")
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("a processor that does not say its name", |(_, name)| name)
        .to_owned()
}

fn system() -> String {
    let told = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = told
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or("unknown").trim_matches('"');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel
        .split(|char: char| char != '.' && !char.is_ascii_digit())
        .next();
    format!("{name}, Linux {}", kernel.unwrap_or_default())
}

/// Some tell their release and fail then.
fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let told = told.unwrap_or_default();
    let line = told.lines().next().unwrap_or(program);
    // wrk goes on with whose it is.
    line.split(" [").next().unwrap_or(line).to_owned()
}

/// Returns the releases that the lock file has, of each crate that matters here.
fn crates() -> String {
    let packages = include_str!("../../Cargo.lock").split("[[package]]");
    let package = |text: &str| {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_matches(['=', ' ', '"']).to_owned())
        };
        Some((field("name")?, field("version")?))
    };
    let named = packages
        .filter_map(package)
        .filter(|(name, _)| CRATES.contains(&&**name));
    let texts: Vec<_> = named
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    texts.join(", ")
}

const CRATES: [&str; 16] = [
    "actix-session",
    "actix-web",
    "axum",
    "axum_session",
    "axum_session_redispool",
    "axum_session_sqlx",
    "fred",
    "libsqlite3-sys",
    "redis",
    "sqlx",
    "tenure",
    "tokio",
    "tokio-postgres",
    "tower-sessions",
    "tower-sessions-redis-store",
    "tower-sessions-sqlx-store",
];
