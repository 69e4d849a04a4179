//! What can be said on the command line: `--help` prints it.

use std::{env, net::Ipv4Addr, process, str::FromStr, sync::Arc, time::Duration};

use tenure::store::SessionStore;
use tokio::net::TcpListener;

use crate::slow::Slow;

const HELP: &str = "A small shop whose cart never loses anything.

  --store WHERE          keeps sessions, users and orders there; with the feature `sqlite` in
                         sqlite:shop.db, else in memory, if it is not said
      memory                            until the shop closes
      sqlite:FILE                       in a file, by the feature `sqlite`
      postgres://USER@HOST/DATABASE     in PostgreSQL, by the feature `postgres`
      mysql://USER@HOST/DATABASE        in MariaDB or MySQL, by the feature `mysql`
      redis://HOST                      in Redis, by the features `redis` and `sqlite`
      redis-sentinel://HOST,HOST?service=NAME
      redis-cluster://HOST,HOST
  --data FILE            keeps users and orders there, where the sessions are in Redis
  --prefix TEXT          begins the sessions' keys in Redis, so that another shop may use it too; else `tenure:`
  --port N               listens on another port than 3000; 0 takes a free one
  --insecure-cookie      for browsers that do not keep a `Secure` cookie on plain http
  --operator EMAIL       shows at /operator who is signed in, to who signs in there by the password of this account
  --keys FILE            authenticates sessions with the server's keys in it, by the feature `keyring`
  --sealed               encrypts what is in them too, with those keys and the visitor's cookie
  --devices N            signs somebody out where he signed in first, beyond so many devices
  --slow MILLISECONDS    lets the session store take so long for each answer
  --help                 prints this";

pub(crate) struct Options {
    pub(crate) insecure_cookie: bool,
    pub(crate) store: String,
    pub(crate) data: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) operator: Option<String>,
    pub(crate) devices: Option<usize>,
    pub(crate) keys: Option<String>,
    pub(crate) sealed: bool,
    port: u16,
    slow: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        let is_sqlite_here = cfg!(feature = "sqlite");
        let store = if is_sqlite_here {
            "sqlite:shop.db"
        } else {
            "memory"
        };
        Self {
            insecure_cookie: false,
            store: store.to_owned(),
            data: None,
            prefix: None,
            operator: None,
            devices: None,
            keys: None,
            sealed: false,
            port: 3000,
            slow: None,
        }
    }
}

impl Options {
    pub(crate) fn of_this_program() -> Result<Self, String> {
        let mut words = env::args().skip(1);
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--data" => options.data = Some(value(&word, words.next())?),
                "--devices" => options.devices = Some(value(&word, words.next())?),
                "--help" => help(),
                "--insecure-cookie" => options.insecure_cookie = true,
                "--keys" => options.keys = Some(value(&word, words.next())?),
                "--operator" => options.operator = Some(value(&word, words.next())?),
                "--port" => options.port = value(&word, words.next())?,
                "--prefix" => options.prefix = Some(value(&word, words.next())?),
                "--sealed" => options.sealed = true,
                "--slow" => options.slow = Some(value(&word, words.next())?),
                "--store" => options.store = value(&word, words.next())?,
                _ => return Err(format!("{word} is unknown; `--help` lists what there is")),
            }
        }
        Ok(options)
    }

    /// Makes a store as slow as was asked for.
    pub(crate) fn slowed(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionStore> {
        match self.slow {
            Some(delay) => Arc::new(Slow::new(store, Duration::from_millis(delay))),
            None => store,
        }
    }

    /// Listens on this machine alone.
    pub(crate) async fn listen(&self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        listener
            .map_err(|error| format!("port {}: {error}; `--port 0` takes a free one", self.port))
    }
}

fn help() -> ! {
    println!("{HELP}");
    process::exit(0)
}

fn value<T: FromStr>(option: &str, word: Option<String>) -> Result<T, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("{option} wants a value that fits; `--help` lists what there is"))
}
