//! Starts the servers that tests share, runs a command, and ends them:
//! `cargo test --test servers -- run cargo nextest run`.
//!
//! It is no test: each test starts a server of its own if it finds none.

mod bed;

use std::{
    env,
    process::{Command, ExitCode},
};

use bed::{
    mariadb::{self, MariaDb},
    postgres::{self, Postgres},
};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != "run") {
        return ExitCode::SUCCESS;
    }
    let program = arguments.next().expect("a command to run");
    let (postgres, mariadb) = (Postgres::start(), MariaDb::start());
    let status = Command::new(program)
        .args(arguments)
        .env(postgres::VARIABLE, postgres.address())
        .env(mariadb::VARIABLE, mariadb.address())
        .status()
        .expect("the command runs");
    match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
