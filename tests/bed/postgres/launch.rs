//! Making a server's folder, and starting it.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::super::account::unprivileged;

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Each `name=value`.
    pub(super) settings: &'static [&'static str],
    /// The most that a file of the server may have, in KiB.
    pub(super) file_limit: Option<u32>,
}

/// Makes the folder of a server's data.
pub(super) fn make(data: &Path, settings: Settings) {
    let account = unprivileged("postgres:");
    if let Some((user, group)) = account {
        chown(data.parent().unwrap(), Some(user), Some(group)).unwrap();
    }
    let mut initdb = command(&binaries().join("initdb"), account);
    initdb.arg("-D").arg(data).args([
        "--username=tenure",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    if settings.file_limit.is_some() {
        // Its log is to be written on, so a file of that is to be smaller than the limit.
        initdb.arg("--wal-segsize=1");
    }
    let made = initdb.stdout(Stdio::null()).status().unwrap();
    assert!(made.success(), "initdb: {made}");
}

/// Starts the server on a free port; on another one if somebody was faster.
pub(super) fn serve(data: &Path, settings: Settings) -> (Child, u16) {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = start(data, port, settings);
        if is_ready(&mut server, data) {
            return (server, port);
        }
    }
    panic!("PostgreSQL does not start:\n{}", log(data));
}

pub(super) fn start(data: &Path, port: u16, settings: Settings) -> Child {
    let program = binaries().join("postgres");
    let mut postgres = match settings.file_limit {
        None => command(&program, unprivileged("postgres:")),
        Some(limit) => limited(&program, limit),
    };
    postgres.arg("-D").arg(data).arg("-p").arg(port.to_string());
    let fixed = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_preload_libraries=pg_stat_statements",
        "max_connections=200",
        "logging_collector=off",
    ];
    for setting in fixed.iter().chain(settings.settings) {
        postgres.arg("-c").arg(setting);
    }
    let log = fs::File::create(data.with_file_name("log")).unwrap();
    postgres.stderr(log).stdout(Stdio::null()).spawn().unwrap()
}

/// Begins a command whose files cannot grow beyond so many KiB, as on a disk that is full.
fn limited(program: &Path, limit: u32) -> Command {
    let mut shell = command(Path::new("bash"), unprivileged("postgres:"));
    let limit = format!("ulimit -f {limit} && exec \"$0\" \"$@\"");
    shell.arg("-c").arg(limit).arg(program);
    shell
}

pub(super) fn log(data: &Path) -> String {
    fs::read_to_string(data.with_file_name("log")).unwrap_or_default()
}

/// Waits until the server takes connections; false if it has ended.
pub(super) fn is_ready(server: &mut Child, data: &Path) -> bool {
    loop {
        let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let line = |number| status.lines().nth(number).unwrap_or_default().trim();
        if line(0) == server.id().to_string() && line(7) == "ready" {
            return true;
        }
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn command(program: &Path, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command
}

/// Returns the folder of the server's programs, of the newest release that is installed.
fn binaries() -> PathBuf {
    let mut releases: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let release = entry.ok()?;
            let number: u32 = release.file_name().to_str()?.parse().ok()?;
            Some((number, release.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").exists())
        .collect();
    releases.sort();
    let on_the_path = || {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    let newest = releases.pop().map(|(_, folder)| folder);
    newest.or_else(on_the_path).expect(
        "the tests of `PostgresStore` need PostgreSQL's server: `./check` installs it, or install the package \
         `postgresql`, or put the folder of `initdb` and `postgres` on the PATH",
    )
}
