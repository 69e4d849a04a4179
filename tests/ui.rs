//! What the compiler says of common mistakes, word for word: `tests/ui`.
//!
//! Its words change from release to release, so they are compared with those of one: the release that `./check` and the CI
//! use, `RUST` below. With another one the test says so and compares nothing. They also name the stores there are, so they are
//! those without features. After a change that is meant, or for a new release: `TRYBUILD=overwrite cargo test --test ui`, and
//! read the difference.

use std::{env, process::Command};

/// The release whose words are kept.
const RUST: &str = "1.95";

#[test]
fn common_mistakes_are_explained() {
    let compiler = compiler();
    if compiler.starts_with(&format!("rustc {RUST}.")) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        println!("the words of Rust {RUST} are not compared with those of {compiler}");
    }
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
