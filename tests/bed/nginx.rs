//! nginx: a private one on a free port, in a folder of its own, that sends each request to the next server.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::folder::Folder;

/// The field of a response that says which server it came from.
pub const SERVED_BY: &str = "served-by";

/// A proxy that ends when it is dropped.
#[derive(Debug)]
pub struct Nginx {
    server: Child,
    port: u16,
    _folder: Folder,
}

impl Nginx {
    /// Starts a proxy before servers of this machine, on a free port; on another one if somebody was faster.
    pub fn before(servers: &[u16]) -> Self {
        let folder = Folder::new("nginx");
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            if let Some(server) = serve(folder.path(), port, servers) {
                return Self {
                    server,
                    port,
                    _folder: folder,
                };
            }
        }
        let log = fs::read_to_string(folder.path().join("log"));
        panic!("nginx does not start:\n{}", log.unwrap_or_default());
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts the proxy; `None` if it ends before it listens.
fn serve(folder: &Path, port: u16, servers: &[u16]) -> Option<Child> {
    fs::write(folder.join("nginx.conf"), configuration(port, servers)).unwrap();
    let mut nginx = Command::new(program());
    nginx.arg("-p").arg(folder).args(["-c", "nginx.conf"]);
    // Also what it says before it has read the configuration.
    nginx.args(["-e", "log"]).stdin(Stdio::null());
    nginx.stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = nginx.spawn().unwrap();
    // It writes its id down when it listens.
    while fs::read_to_string(folder.join("pid")).unwrap_or_default() != format!("{}\n", server.id())
    {
        if server.try_wait().unwrap().is_some() {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Some(server)
}

/// One process in the foreground, and no path outside of its folder.
fn configuration(port: u16, servers: &[u16]) -> String {
    let servers: String = servers
        .iter()
        .map(|port| format!("server 127.0.0.1:{port};"))
        .collect();
    format!(
        "daemon off;
        master_process off;
        pid pid;
        error_log log;
        events {{ }}
        http {{
            access_log off;
            client_body_temp_path body;
            proxy_temp_path proxy;
            fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            upstream servers {{ {servers} }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://servers;
                    proxy_set_header Host $http_host;
                    add_header {SERVED_BY} $upstream_addr always;
                }}
            }}
        }}"
    )
}

fn program() -> &'static str {
    let places = [
        "/usr/sbin/nginx",
        "/usr/bin/nginx",
        "/usr/local/bin/nginx",
        "/opt/homebrew/bin/nginx",
    ];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    found.expect(
        "this test needs nginx: `./check` installs it, or install the package `nginx-light` or `nginx`",
    )
}
