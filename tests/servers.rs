//! Starts the servers that tests share, runs a command, and ends them:
//! `cargo test --test servers -- run cargo nextest run`.
//!
//! It is no test: each test starts a server of its own if it finds none.

mod bed;

use std::{
    env,
    process::{Command, ExitCode},
    thread,
};

use bed::{
    mariadb::{self, MariaDb},
    postgres::{self, Postgres},
    redis::{
        self, Redis,
        cluster::{self, Cluster},
        sentinel::{self, Sentinels},
    },
};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != "run") {
        return ExitCode::SUCCESS;
    }
    let program = arguments.next().expect("a command to run");
    let servers = Servers::start();
    let status = Command::new(program)
        .args(arguments)
        .env(mariadb::VARIABLE, servers.mariadb.address())
        .env(postgres::VARIABLE, servers.postgres.address())
        .env(redis::VARIABLE, servers.redis.url())
        .env(sentinel::VARIABLE, servers.sentinels.url())
        .env(cluster::VARIABLE, servers.cluster.url())
        .status()
        .expect("the command runs");
    match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// One of each.
struct Servers {
    mariadb: MariaDb,
    postgres: Postgres,
    redis: Redis,
    sentinels: Sentinels,
    cluster: Cluster,
}

impl Servers {
    /// Starts them at once: each waits for itself most of the time.
    fn start() -> Self {
        thread::scope(|scope| {
            let mariadb = scope.spawn(MariaDb::start);
            let postgres = scope.spawn(Postgres::start);
            let redis = scope.spawn(Redis::start);
            let sentinels = scope.spawn(|| Sentinels::start(sentinel::Watch::Calm, &[]));
            let cluster = scope.spawn(|| Cluster::start(cluster::Watch::Calm, &[]));
            Self {
                mariadb: mariadb.join().expect("MariaDB starts"),
                postgres: postgres.join().expect("PostgreSQL starts"),
                redis: redis.join().expect("Redis starts"),
                sentinels: sentinels.join().expect("the sentinels start"),
                cluster: cluster.join().expect("the Cluster starts"),
            }
        })
    }
}
