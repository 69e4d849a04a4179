//! What can be said on the command line.
//!
//! * `--port N` listens on another port than 3000; 0 takes a free one.
//! * `--insecure-cookie` is for browsers that do not keep a `Secure` cookie on plain http.
//! * `--slow MILLISECONDS` lets the session store take so long for each answer.

use std::{env, net::Ipv4Addr, str::FromStr, sync::Arc, time::Duration};

use tenure::store::{MemoryStore, SessionStore};
use tokio::net::TcpListener;

use crate::slow::Slow;

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) insecure_cookie: bool,
    port: Option<u16>,
    slow: Option<u64>,
}

impl Options {
    pub(crate) fn of_this_program() -> Result<Self, String> {
        let mut words = env::args().skip(1);
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--insecure-cookie" => options.insecure_cookie = true,
                "--port" => options.port = Some(number(&word, words.next())?),
                "--slow" => options.slow = Some(number(&word, words.next())?),
                _ => return Err(format!("{word} is unknown; {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Returns where the sessions are kept.
    pub(crate) fn session_store(&self) -> Arc<dyn SessionStore> {
        let store = MemoryStore::new();
        match self.slow {
            Some(delay) => Arc::new(Slow::new(store, Duration::from_millis(delay))),
            None => Arc::new(store),
        }
    }

    /// Listens on this machine alone.
    pub(crate) async fn listen(&self) -> Result<TcpListener, String> {
        let port = self.port.unwrap_or(3000);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        listener.map_err(|error| format!("port {port}: {error}; `--port 0` takes a free one"))
    }
}

fn number<T: FromStr>(option: &str, word: Option<String>) -> Result<T, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("{option} wants a number; {USAGE}"))
}

const USAGE: &str = "there are --port N, --insecure-cookie and --slow MILLISECONDS";
