//! A program that a test has started, and that ends with the test; signals to it.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
};

pub(crate) struct Process(Child);

impl Process {
    /// Starts a program, and waits until it prints the line that has a port.
    pub(crate) fn start(command: &mut Command, port: impl Fn(&str) -> Option<u16>) -> (Self, u16) {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let process = Self(child);
        let port = output.by_ref().lines().find_map(|line| port(&line.ok()?));
        // A program that nobody listens to stops when the pipe is full.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        let port = port.unwrap_or_else(|| panic!("{command:?} ended before it was ready"));
        (process, port)
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.0.id(), name);
    }

    /// Asks a program to end, and waits until it has.
    pub(crate) fn interrupt(mut self) {
        signal(self.0.id(), "INT");
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Returns the number that follows a text.
pub(crate) fn port_after(text: &str, line: &str) -> Option<u16> {
    let (_, rest) = line.split_once(text)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    rest[..digits.unwrap_or(rest.len())].parse().ok()
}

/// Sends a signal to one process.
pub(crate) fn signal(id: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        // Some have ended by then.
        .stderr(Stdio::null())
        .status();
}

/// Stops a program with all of its threads, and waits until they have stopped.
pub(crate) fn stop(id: u32) {
    signal(id, "STOP");
    while threads(id).iter().any(|state| !"TtZX".contains(*state)) {}
}

/// Returns the states of a program's threads, on systems that tell.
fn threads(id: u32) -> Vec<char> {
    let threads = fs::read_dir(format!("/proc/{id}/task"));
    let state = |entry: io::Result<fs::DirEntry>| {
        let told = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        // It stands behind the name, which may have brackets in it.
        told.rsplit(") ").next()?.chars().next()
    };
    threads.into_iter().flatten().filter_map(state).collect()
}
