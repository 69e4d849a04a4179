//! A way to a server on which a connection can be cut between a question and its answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

/// Takes connections and passes what comes to a server and back, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
    task: tokio::task::JoinHandle<()>,
}

/// Where the next thing that is said gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server has carried out what it was asked, and its answer does not come back.
    Answer,
    /// The server does not get to know what it was asked.
    Question,
}

/// What becomes of the server after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nobody gets through to it until [`Proxy::is_back`].
    Away,
    /// The next connection gets through.
    Back,
}

#[derive(Debug, Default)]
struct Way {
    beside: &'static [&'static [u8]],
    state: Mutex<State>,
    cut_off: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_away: bool,
    cut: Option<(Cut, Then)>,
    /// How many connections there have been, and of the first how many nothing comes through.
    connections: usize,
    silent: usize,
}

impl Proxy {
    /// Opens a way to a server.
    pub async fn to(server: SocketAddr) -> Self {
        Self::but_for(server, &[]).await
    }

    /// Opens a way to a server, on which some things are said now and then that are not what gets lost.
    pub async fn but_for(server: SocketAddr, beside: &'static [&'static [u8]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Way {
            beside,
            ..Way::default()
        });
        let task = tokio::spawn(listen(listener, server, way.clone()));
        Self { address, way, task }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the connection on which something is said next.
    pub fn cut(&self, cut: Cut, then: Then) {
        self.way.state.lock().unwrap().cut = Some((cut, then));
    }

    /// Cuts all connections, and lets nobody through until [`is_back`](Self::is_back).
    pub fn is_away(&self) {
        self.way.state.lock().unwrap().is_away = true;
        self.way.cut_off.notify_waiters();
    }

    /// Lets nothing more come through over the connections that there are, without ending them.
    pub fn falls_silent(&self) {
        let mut state = self.way.state.lock().unwrap();
        state.silent = state.connections;
    }

    /// Lets everybody through.
    pub fn is_back(&self) {
        self.way.state.lock().unwrap().is_away = false;
    }

    /// Tells whether what was to be cut has been.
    pub fn has_cut(&self) -> bool {
        self.way.state.lock().unwrap().cut.is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Way {
    fn lets_through(&self) -> bool {
        !self.state.lock().unwrap().is_away
    }

    /// Counts a connection, and returns its number.
    fn count(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.connections += 1;
        state.connections
    }

    fn is_silent(&self, connection: usize) -> bool {
        connection <= self.state.lock().unwrap().silent
    }

    /// Tells whether this is what gets lost.
    fn cuts(&self, said: Cut, words: &[u8]) -> bool {
        if self.beside.contains(&words) {
            return false;
        }
        let mut state = self.state.lock().unwrap();
        match state.cut {
            Some((cut, then)) if cut == said => {
                state.cut = None;
                state.is_away = then == Then::Away;
                if state.is_away {
                    self.cut_off.notify_waiters();
                }
                true
            }
            _ => false,
        }
    }
}

async fn listen(listener: TcpListener, server: SocketAddr, way: Arc<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        if way.lets_through() {
            tokio::spawn(connect(client, server, way.clone()));
        }
    }
}

/// Passes on what both sides say, until one ends the connection or it is cut.
async fn connect(client: TcpStream, server: SocketAddr, way: Arc<Way>) {
    let cut_off = way.cut_off.notified();
    let server = TcpStream::connect(server).await;
    let Some(server) = server.ok().filter(|_| way.lets_through()) else {
        return;
    };
    let number = way.count();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pass(from_client, to_server, Cut::Question, &way, number) => {}
        () = pass(from_server, to_client, Cut::Answer, &way, number) => {}
        () = cut_off => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    said: Cut,
    way: &Way,
    connection: usize,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(count) if count > 0 && way.is_silent(connection) => {}
            Ok(count) if count > 0 && !way.cuts(said, &buffer[..count]) => {
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
