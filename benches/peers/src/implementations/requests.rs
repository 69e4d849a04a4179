//! What requests bring, in turn.

use axum::http::HeaderValue;

use crate::workload::{Comes, Workload};

/// Makes the cookie of a session that has not been used.
pub(crate) type Mint<V> = Box<dyn Fn() -> V>;

/// How an unknown id stays one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// However often it is sent.
    Always,
    /// Until it is sent: a session is started under it.
    Once,
}

/// The cookies of one site's requests, as the header of its framework.
pub(crate) struct Requests<V> {
    pub(crate) path: &'static str,
    cookies: Vec<V>,
    next: usize,
    renew: Option<Mint<V>>,
}

impl<V: Clone> Requests<V> {
    /// Prepares what a workload asks for: `begin` starts a session here, `elsewhere` one whose id is unknown here.
    pub(crate) fn new(
        workload: &Workload,
        begin: Mint<V>,
        elsewhere: Mint<V>,
        unknown: Unknown,
    ) -> Self {
        let (mint, is_spent) = match workload.comes {
            Comes::Nothing => (None, false),
            // An id that is cycled is worthless afterwards.
            Comes::LargeSession | Comes::Session => (Some(begin), workload.path == "/cycle"),
            Comes::UnknownId => (Some(elsewhere), unknown == Unknown::Once),
        };
        Self {
            path: workload.path,
            cookies: mint.iter().map(|mint| mint()).collect(),
            next: 0,
            renew: mint.filter(|_| is_spent),
        }
    }

    /// Makes so many cookies that have not been used, if they are spent by that.
    pub(crate) fn prepare(&mut self, requests: u32) {
        if let Some(renew) = &self.renew {
            self.next = 0;
            self.cookies = (0..requests).map(|_| renew()).collect();
        }
    }

    pub(crate) fn cookie(&mut self) -> Option<V> {
        let cookie = self.cookies.get(self.next)?.clone();
        self.next = (self.next + 1) % self.cookies.len();
        Some(cookie)
    }
}

/// Makes a value that has been cloned before: the first clone allocates, and that is nobody's cost here.
pub(crate) fn shared(text: &str) -> HeaderValue {
    let value: HeaderValue = text.parse().expect("a header");
    drop(value.clone());
    value
}
