//! The other programs of this package: building, finding and asking them.

use std::{
    env,
    process::{Command, Stdio},
};

/// Builds a program that this one starts.
pub(crate) fn build(name: &str) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--release",
        "--locked",
        "--bin",
        name,
        "--manifest-path",
    ]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let built = command.status().expect("cargo starts");
    assert!(built.success(), "`cargo build --bin {name}` fails");
}

/// Begins a command of a program that stands beside this one.
pub(crate) fn program(name: &str) -> Command {
    let this = env::current_exe().expect("a program has a path");
    Command::new(this.with_file_name(name))
}

/// Tells whether a program of the system is there.
pub(crate) fn is_here(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Returns what a program prints; it must not fail.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
