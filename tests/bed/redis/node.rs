//! One process of a server, and how it is started and hurt.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::client::{Client, Reply};
use crate::bed::{account::account, process::signal};

/// A server's process, which ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    port: u16,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Node {
    /// Starts a server in an empty folder below another; it may not be ready yet, or have found its port taken.
    pub fn spawn(parent: &Path, port: u16, arguments: &[&str]) -> Self {
        let folder = folder_of(parent, port);
        let mut all = vec!["--port".to_owned(), port.to_string()];
        all.extend(
            ALWAYS
                .iter()
                .chain(arguments)
                .map(|word| (*word).to_owned()),
        );
        Self {
            process: start(&folder, &all),
            port,
            arguments: all,
            folder,
        }
    }

    /// Starts a server with a file of settings, which it may change.
    pub fn spawn_by_file(parent: &Path, port: u16, settings: &str, arguments: &[&str]) -> Self {
        let folder = folder_of(parent, port);
        let file = folder.join("settings");
        fs::write(&file, settings).unwrap();
        own(&file);
        let mut all = vec![file.to_str().unwrap().to_owned()];
        all.extend(arguments.iter().map(|word| (*word).to_owned()));
        Self {
            process: start(&folder, &all),
            port,
            arguments: all,
            folder,
        }
    }

    /// Waits until the server answers; false if it has ended.
    pub fn is_ready(&mut self) -> bool {
        let id = self.process.id().to_string();
        loop {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            // Somebody else's server may be on the port.
            let info = self.try_ask("INFO server").ok();
            if info.is_some_and(|info| info.field("process_id") == Some(id.clone())) {
                return true;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Kills the process, as a machine does that goes down.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the server again, with its data and its address; ends it first if it has not been killed.
    pub fn restart(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.kill();
        }
        for _ in 0..100 {
            self.process = start(&self.folder, &self.arguments);
            if self.is_ready() {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("Redis does not start again:\n{}", self.log());
    }

    /// Stops the process, so that it answers nobody.
    pub fn pause(&self) {
        signal(self.process.id(), "STOP");
    }

    /// Lets the process go on.
    pub fn resume(&self) {
        signal(self.process.id(), "CONT");
    }

    /// Asks the server something.
    pub fn ask(&self, command: &str) -> Reply {
        let reply = self.try_ask(command);
        reply.unwrap_or_else(|error| panic!("{} {command}: {error}\n{}", self.port, self.log()))
    }

    /// Asks the server something that it may refuse, or not be there for.
    pub fn try_ask(&self, command: &str) -> io::Result<Reply> {
        Client::connect(self.port)?.ask(command)
    }

    /// Returns a line of what the server says of itself.
    pub fn info(&self, field: &str) -> Option<String> {
        self.try_ask("INFO everything").ok()?.field(field)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what the server has written of what it did.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes the folder of a server, if it is not there, and returns it.
pub fn folder_of(parent: &Path, port: u16) -> PathBuf {
    let folder = parent.join(port.to_string());
    fs::create_dir_all(&folder).unwrap();
    own(&folder);
    folder
}

/// Gives a file to the user whom servers run as.
pub fn own(path: &Path) {
    if let Some((user, group)) = account("redis:") {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn start(folder: &Path, arguments: &[String]) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new("redis-server");
    command.args(arguments).current_dir(folder);
    if let Some((user, group)) = account("redis:") {
        command.uid(user).gid(group);
    }
    let started = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null());
    started.spawn().expect(
        "the tests of `RedisStore` need Redis' server: `./check` installs it, or install the package `redis-server`, \
         or put the folder of `redis-server` on the PATH",
    )
}

/// Returns so many ports that nobody listens on.
///
/// They are below those that the system gives to clients, so that one can be had again after a restart.
pub fn free_ports(count: usize) -> Vec<u16> {
    let mut held: Vec<TcpListener> = Vec::new();
    while held.len() < count {
        let port = 12_000 + getrandom::u32().unwrap() % 20_000;
        let port = u16::try_from(port).unwrap();
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    held.iter().map(port).collect()
}

/// Waits until something is so; it is a defect if it never is.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if is_so() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("never: {what}");
}

const ALWAYS: &[&str] = &[
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--repl-diskless-sync-delay",
    "0",
];
const PAUSE: Duration = Duration::from_millis(20);
/// A minute at least.
const TRIES: usize = 3_000;
