//! PostgreSQL: a private server on a free port, in a folder of its own.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tokio_postgres::{Client, NoTls};

use super::folder::Folder;

/// The address of a server that is there already; `./check` sets it, so that not each test starts one.
pub const VARIABLE: &str = "TENURE_TEST_POSTGRES";

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    port: u16,
    settings: Vec<String>,
    folder: Folder,
}

impl Postgres {
    /// Starts a server. A crash of it loses nothing, a crash of the machine may: it does not wait for the disk.
    pub fn start() -> Self {
        Self::start_with(&["fsync=off"])
    }

    /// Starts a server with settings, each `name=value`.
    pub fn start_with(settings: &[&str]) -> Self {
        let binaries = binaries();
        let folder = Folder::new("postgres");
        let account = account();
        if let Some((user, group)) = account {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = folder.path().join("data");
        let mut initdb = command(&binaries, "initdb", account);
        initdb.arg("-D").arg(&data).args([
            "--username=tenure",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let made = initdb.stdout(Stdio::null()).status().unwrap();
        assert!(made.success(), "initdb: {made}");
        let (server, port) = serve(&binaries, &data, account, settings);
        Self {
            server,
            port,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            folder,
        }
    }

    /// Ends the server and starts it again, with its data and its address.
    pub fn restart(&mut self) {
        signal(self.server.id(), "INT");
        self.server.wait().unwrap();
        let data = self.folder.path().join("data");
        let settings: Vec<_> = self.settings.iter().map(String::as_str).collect();
        let server = serve_at(self.port, &binaries(), &data, account(), &settings);
        self.server = server.unwrap_or_else(|| panic!("{}", log(&data)));
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.address())
    }

    /// The address of the server, for [`VARIABLE`].
    pub fn address(&self) -> String {
        format!("postgres://tenure@127.0.0.1:{}", self.port)
    }

    /// The id of the server's first process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// The folder that the server's data are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The server ends its own processes; killed, it could not.
        signal(self.server.id(), "QUIT");
        let _ = self.server.wait();
    }
}

/// Sends a signal to one process.
pub fn signal(id: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .status();
}

/// A database of a test's own, on the server that all share or on one of its own.
#[derive(Debug)]
pub struct Database {
    url: String,
    _server: Option<Postgres>,
}

impl Database {
    /// Makes an empty database.
    pub async fn new() -> Self {
        let (address, server) = match env::var(VARIABLE) {
            Ok(address) => (address, None),
            Err(_) => {
                let server = Postgres::start();
                (server.address(), Some(server))
            }
        };
        let name = format!("test_{:016x}", getrandom::u64().unwrap());
        let client = client(&format!("{address}/postgres")).await;
        let create = format!("CREATE DATABASE {name}");
        client.batch_execute(&create).await.unwrap();
        Self {
            url: format!("{address}/{name}"),
            _server: server,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens a connection for what a test does beside the store.
    pub async fn client(&self) -> Client {
        client(&self.url).await
    }
}

/// Opens a connection.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    tokio::spawn(connection);
    client
}

/// Starts the server on a free port; on another one if somebody was faster.
fn serve(
    binaries: &Path,
    data: &Path,
    account: Option<(u32, u32)>,
    settings: &[&str],
) -> (Child, u16) {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        if let Some(server) = serve_at(port, binaries, data, account, settings) {
            return (server, port);
        }
    }
    panic!("{}", log(data));
}

/// Starts the server on a port; `None` if it ends before it is ready.
fn serve_at(
    port: u16,
    binaries: &Path,
    data: &Path,
    account: Option<(u32, u32)>,
    settings: &[&str],
) -> Option<Child> {
    let mut postgres = command(binaries, "postgres", account);
    postgres.arg("-D").arg(data).arg("-p").arg(port.to_string());
    let fixed = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_preload_libraries=pg_stat_statements",
        "max_connections=200",
        "logging_collector=off",
    ];
    for setting in fixed.iter().chain(settings) {
        postgres.arg("-c").arg(setting);
    }
    let log = fs::File::create(data.with_file_name("log")).unwrap();
    let mut server = postgres.stderr(log).stdout(Stdio::null()).spawn().unwrap();
    is_ready(&mut server, data).then_some(server)
}

fn log(data: &Path) -> String {
    let log = fs::read_to_string(data.with_file_name("log"));
    format!("PostgreSQL does not start:\n{}", log.unwrap_or_default())
}

/// Waits until the server takes connections; false if it has ended.
fn is_ready(server: &mut Child, data: &Path) -> bool {
    loop {
        let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if status
            .lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready")
        {
            return true;
        }
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn command(binaries: &Path, name: &str, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(binaries.join(name));
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

/// Returns the user and the group to run the server as, if this process is root: the server refuses to be.
fn account() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let uids = status.lines().find(|line| line.starts_with("Uid:"))?;
    (uids.split_whitespace().nth(2)? == "0").then_some(())?;
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = accounts.lines().find(|line| line.starts_with(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        of("postgres:")
            .or_else(|| of("nobody:"))
            .expect("an unprivileged user"),
    )
}
