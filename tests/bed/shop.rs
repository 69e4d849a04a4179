//! The example `shop`, as its own program.

use std::{env, path::PathBuf, process::Command};

use super::process::{Process, port_after};

pub(crate) struct Shop {
    process: Process,
    pub(crate) port: u16,
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    /// Opens a shop whose store takes a while, so that requests that are sent together overlap.
    pub(crate) fn open_slowly() -> Self {
        Self::open_with(&["--slow", "300"])
    }

    /// Opens a shop that keeps everything in memory, unless the options say where.
    pub(crate) fn open_with(options: &[&str]) -> Self {
        let mut command = Command::new(program());
        command
            .args(["--port", "0", "--store", "memory"])
            .args(options);
        let port = |line: &str| port_after("http://localhost:", line);
        let (process, port) = Process::start(&mut command, port);
        Self { process, port }
    }

    /// Closes it as its owner does, and waits until what it has begun is done.
    pub(crate) fn close(self) {
        self.process.interrupt();
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }
}

/// Finds the shop beside the test: `target/debug/deps/browser-…`, `target/debug/examples/shop`.
pub(crate) fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let shop = profile.join("examples/shop");
    assert!(
        shop.exists(),
        "the shop is not built: `./check` does it, or run `cargo build --all-features --example shop`"
    );
    shop
}
