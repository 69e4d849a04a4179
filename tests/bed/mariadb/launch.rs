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

use super::super::account;

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Each `name=value`.
    pub(super) settings: &'static [&'static str],
    /// The most that a file of the server may have, in KiB.
    pub(super) file_limit: Option<u32>,
    /// It reads the time from a file.
    pub(super) clock: bool,
}

/// Makes the folder of a server's data.
pub(super) fn make(data: &Path) {
    let account = account::unprivileged("mysql:");
    // A server removes what it takes for its own from the folder of temporary files, so no two may share one.
    for folder in [data, &temporary(data)] {
        fs::create_dir(folder).unwrap();
    }
    if let Some((user, group)) = account {
        for folder in [data.parent().unwrap(), data, &temporary(data)] {
            chown(folder, Some(user), Some(group)).unwrap();
        }
    }
    fs::write(users_file(data), USERS).unwrap();
    let (maker, how): (_, &[_]) = match mysqld() {
        None => (
            program("mariadb-install-db"),
            &["--auth-root-authentication-method=normal", "--skip-test-db"],
        ),
        Some(server) => (server, &["--initialize-insecure"]),
    };
    let made = command(&maker, account)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", temporary(data).display()))
        .args(how)
        .args(small())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{}: {said}", maker.display());
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
    panic!("MariaDB does not start:\n{}", log(data));
}

pub(super) fn start(data: &Path, port: u16, settings: Settings) -> Child {
    let program = mysqld().unwrap_or_else(|| program("mariadbd"));
    let account = account::unprivileged("mysql:");
    let mut server = match settings.file_limit {
        None => command(&program, account),
        Some(limit) => limited(&program, limit, account),
    };
    if settings.clock {
        set_clock(data, 0);
        server
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME_TIMESTAMP_FILE", clock_file(data))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    server
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", temporary(data).display()))
        .arg(format!("--port={port}"))
        .arg(format!("--init-file={}", users_file(data).display()))
        .arg(format!("--socket={}", data.with_file_name("s").display()))
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=200",
        ])
        .args(small());
    for setting in settings.settings {
        server.arg(format!("--{setting}"));
    }
    let log = fs::File::create(data.with_file_name("log")).unwrap();
    server.stderr(log).stdout(Stdio::null()).spawn().unwrap()
}

/// Begins a command whose files cannot grow beyond so many KiB, as on a disk that is full.
fn limited(program: &Path, limit: u32, account: Option<(u32, u32)>) -> Command {
    let mut shell = command(Path::new("bash"), account);
    let limit = format!("trap '' XFSZ && ulimit -f {limit} && exec \"$0\" \"$@\"");
    shell.arg("-c").arg(limit).arg(program);
    shell
}

pub(super) fn log(data: &Path) -> String {
    fs::read_to_string(data.with_file_name("log")).unwrap_or_default()
}

/// Waits until the server takes connections; false if it has ended.
pub(super) fn is_ready(server: &mut Child, data: &Path) -> bool {
    loop {
        if log(data).contains("ready for connections") {
            return true;
        }
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Writes the file that a server reads its time from.
pub(super) fn set_clock(data: &Path, minutes: u32) {
    // Renamed, so that nobody reads half of it.
    let next = data.with_file_name("clock.next");
    fs::write(&next, format!("+{minutes}m\n")).unwrap();
    fs::rename(next, clock_file(data)).unwrap();
}

fn temporary(data: &Path) -> PathBuf {
    data.with_file_name("tmp")
}

fn clock_file(data: &Path) -> PathBuf {
    data.with_file_name("clock")
}

fn users_file(data: &Path) -> PathBuf {
    data.with_file_name("users.sql")
}

/// Returns the library that changes what a program takes for the time.
fn faketime() -> String {
    let shown = Command::new("faketime")
        .args(["-f", "+0", "printenv", "LD_PRELOAD"])
        .output()
        .expect("`faketime`, which `./check` installs");
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

/// Removes what the library leaves in shared memory of a process that was killed. Its name is the process's number, and
/// whoever has the number next could not have a clock of his own.
pub(super) fn clear_away_the_clock_of(id: u32) {
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        // A process that ended by itself has removed it.
        let _ = fs::remove_file(format!("/dev/shm/{name}{id}"));
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

/// Returns MySQL's server if it is named: the tests are run on it instead.
pub(super) fn mysqld() -> Option<PathBuf> {
    env::var_os("TENURE_TEST_MYSQLD").map(PathBuf::from)
}

/// Finds a program of the server's.
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        // Not every user has them on the path.
        .chain(["/usr/sbin", "/usr/libexec"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.exists());
    found.unwrap_or_else(|| {
        panic!(
            "the tests of `MySqlStore` need MariaDB's server: `./check` installs it, or install the package \
             `mariadb-server`, or put the folder of `{name}` on the PATH"
        )
    })
}

/// Who may log in: a user who may do everything, and one who has no say about the server. A statement a line.
const USERS: &str = "\
CREATE USER IF NOT EXISTS root@'127.0.0.1', tenure@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON *.* TO tenure@'127.0.0.1';
";

/// Returns settings that let a server do with little, so that it is there at once.
fn small() -> impl Iterator<Item = &'static str> {
    let log = match mysqld() {
        None => "--innodb-log-file-size=8M",
        Some(_) => "--innodb-redo-log-capacity=16M",
    };
    let others = [
        "--innodb-buffer-pool-size=24M",
        "--innodb-buffer-pool-load-at-startup=OFF",
        "--innodb-buffer-pool-dump-at-shutdown=OFF",
        // MySQL's other protocol has a port of its own.
        "--loose-mysqlx=OFF",
    ];
    others.into_iter().chain([log])
}
