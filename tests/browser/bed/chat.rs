//! The example `chat`, as its own program.

use std::process::Command;

use super::{
    process::{Process, port_after},
    shop,
};

pub(crate) struct Chat {
    _process: Process,
    port: u16,
}

impl Chat {
    pub(crate) fn open() -> Self {
        let program = shop::program().with_file_name("chat");
        let mut command = Command::new(program);
        let port = |line: &str| port_after("http://localhost:", line);
        let (process, port) = Process::start(command.arg("0"), port);
        Self {
            _process: process,
            port,
        }
    }

    pub(crate) fn page(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }
}
