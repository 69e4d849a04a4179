//! One process of a server, and how it is started and hurt.

use std::{
    env, fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::client::{Client, Reply, connected};
use crate::bed::{account::unprivileged, process::signal};

/// A server's process, which ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    port: u16,
    arguments: &'static [&'static str],
    folder: PathBuf,
}

impl Node {
    /// Starts a server in a folder of its own below another, with settings, each as a line of its configuration file:
    /// `appendonly yes`. It may not be ready yet, or have found its port taken.
    pub fn spawn(parent: &Path, port: u16, settings: &[&str]) -> Self {
        let mut lines = ALWAYS.to_vec();
        lines.extend(settings);
        Self::spawn_with(parent, port, &lines, &[])
    }

    /// Starts a server that watches others.
    pub fn spawn_sentinel(parent: &Path, port: u16, settings: &[&str]) -> Self {
        Self::spawn_with(parent, port, settings, &["--sentinel"])
    }

    fn spawn_with(
        parent: &Path,
        port: u16,
        settings: &[&str],
        arguments: &'static [&'static str],
    ) -> Self {
        let folder = folder_of(parent, port);
        let lines = format!("bind 127.0.0.1\nport {port}\n{}\n", settings.join("\n"));
        write(&folder.join(SETTINGS), &lines);
        Self {
            process: start(&folder, arguments),
            port,
            arguments,
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
            match self.try_ask("INFO server") {
                // Somebody else's server may be on the port.
                Ok(info) if info.field("process_id").as_ref() == Some(&id) => return true,
                // That a password is wanted is an answer.
                Err(error) if error.to_string().starts_with("NOAUTH") => return true,
                _ => {}
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
            self.process = start(&self.folder, self.arguments);
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

    /// Writes so much that what is written from now on does not leave the process, as long as its replicas are paused:
    /// if it is killed then, that is lost.
    pub fn fill_the_ways_to_replicas(&self) {
        let mut client = connected(self.port);
        let junk = "x".repeat(1 << 20);
        let names = (0..).map(|number| format!("junk:{number}"));
        // In a Cluster not each of them has its place here.
        let written = names.filter(|name| client.send(&["SET", name, &junk]).is_ok());
        assert_eq!(written.take(WAYS).count(), WAYS);
    }

    /// Leaves the server no memory for what is new, whatever its connections take and give back.
    pub fn fill(&self) {
        self.ask("CONFIG SET maxmemory 1");
    }

    /// Asks the server something.
    pub fn ask(&self, command: &str) -> Reply {
        let reply = self.try_ask(command);
        reply.unwrap_or_else(|error| panic!("{} {command}: {error}\n{}", self.port, self.log()))
    }

    /// Sends the server a command of any words.
    pub fn send(&self, words: &[&str]) -> Reply {
        let reply = Client::connect(self.port).and_then(|mut client| client.send(words));
        reply.unwrap_or_else(|error| panic!("{} {words:?}: {error}\n{}", self.port, self.log()))
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
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().rev().take(LINES).collect();
            eprintln!("{}, latest first:\n{}", self.port, lines.join("\n"));
        }
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

/// Writes a file for a server.
pub fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    own(file);
}

/// Gives a file to the user whom servers run as.
pub fn own(path: &Path) {
    if let Some((user, group)) = unprivileged("redis:") {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(program());
    // Sentinels want to write where their settings are.
    command
        .arg(folder.join(SETTINGS))
        .args(arguments)
        .current_dir(folder);
    if let Some((user, group)) = unprivileged("redis:") {
        command.uid(user).gid(group);
    }
    command.stdin(Stdio::null()).stdout(log);
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Finds the server's program.
pub fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let programs = ["redis-server", "valkey-server"].map(|name| {
        let places = folders.iter().map(|folder| folder.join(name));
        places.into_iter().find(|place| place.exists())
    });
    programs.into_iter().flatten().next().expect(
        "the tests of `RedisStore` need Redis' server: `./check` installs it, or install the package `redis-server`, or \
         put `redis-server` or `valkey-server` on the PATH",
    )
}

/// Returns so many ports that nobody listens on, nor on their [buses](bus).
///
/// They are below those that the system gives to clients, so that one can be had again after a restart.
pub fn free_ports(count: usize) -> Vec<u16> {
    let mut held: Vec<[TcpListener; 2]> = Vec::new();
    while held.len() < count {
        let port = 12_000 + getrandom::u32().unwrap() % 10_000;
        let port = u16::try_from(port).unwrap();
        let listen = |port| TcpListener::bind(("127.0.0.1", port)).ok();
        held.extend(listen(port).zip(listen(bus(port))).map(<[_; 2]>::from));
    }
    let port = |[listener, _]: &[TcpListener; 2]| listener.local_addr().unwrap().port();
    held.iter().map(port).collect()
}

/// Returns where a node of a Cluster listens to the others; before Redis 7 it is there alone.
pub const fn bus(port: u16) -> u16 {
    port + 10_000
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

const ALWAYS: [&str; 2] = ["save \"\"", "repl-diskless-sync-delay 0"];
const SETTINGS: &str = "settings";
/// How much of its log the output of a test that fails says.
const LINES: usize = 40;
const PAUSE: Duration = Duration::from_millis(20);
/// MiB: more than the system keeps of what one has sent and the other has not read.
const WAYS: usize = 32;
/// A minute at least.
const TRIES: usize = 3_000;
