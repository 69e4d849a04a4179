//! Starting a server.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    net::TcpStream,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::super::account::unprivileged;

/// Starts a server on a free port; on another one if somebody was faster.
pub(super) fn serve(folder: &Path, settings: &[String]) -> (Child, u16) {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = start(folder, port, settings);
        if is_ready(&mut server, port) {
            return (server, port);
        }
    }
    panic!("Redis does not start:\n{}", log(folder));
}

pub(super) fn start(folder: &Path, port: u16, settings: &[String]) -> Child {
    let lines = [
        "bind 127.0.0.1",
        &format!("port {port}"),
        &format!("dir {}", folder.display()),
        &format!("logfile {}", folder.join("log").display()),
        "save \"\"",
    ];
    let file = folder.join("redis.conf");
    let lines: Vec<&str> = lines
        .into_iter()
        .chain(settings.iter().map(|line| &**line))
        .collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let mut command = Command::new(program());
    if let Some((user, group)) = unprivileged() {
        chown(folder, Some(user), Some(group)).unwrap();
        chown(&file, Some(user), Some(group)).unwrap();
        command.uid(user).gid(group);
    }
    command
        .arg(&file)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the server answers; false if it has ended.
pub(super) fn is_ready(server: &mut Child, port: u16) -> bool {
    loop {
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        match ping(port) {
            // That a password is wanted is an answer.
            Some(answer) if !answer.starts_with("-LOADING") => return true,
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn ping(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

pub(super) fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Finds the server's program.
pub(super) fn program() -> PathBuf {
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
