//! What can be said on the command line.
//!
//! * `--port N` listens on another port than 3000; 0 takes a free one.
//! * `--insecure-cookie` is for browsers that do not keep a `Secure` cookie on plain http.

use std::{env, net::Ipv4Addr};

use tokio::net::TcpListener;

pub(crate) struct Options {
    pub(crate) insecure_cookie: bool,
    port: u16,
}

impl Options {
    pub(crate) fn of_this_program() -> Result<Self, String> {
        let mut words = env::args().skip(1);
        let mut options = Self {
            insecure_cookie: false,
            port: 3000,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--insecure-cookie" => options.insecure_cookie = true,
                "--port" => options.port = number(words.next())?,
                _ => return Err(format!("{word} is unknown; {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Listens on this machine alone.
    pub(crate) async fn listen(&self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        listener.map_err(|error| {
            format!(
                "port {} is not free ({error}); `--port 0` finds one",
                self.port
            )
        })
    }
}

fn number(word: Option<String>) -> Result<u16, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("--port wants a number from 0 to 65535; {USAGE}"))
}

const USAGE: &str = "there are --port N and --insecure-cookie";
