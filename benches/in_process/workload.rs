//! The requests, the same for all.

use std::cell::Cell;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, header::COOKIE},
};

/// One kind of request.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Where it goes: the handlers of each subject have these paths.
    pub(crate) path: &'static str,
    pub(crate) comes: Comes,
}

/// What the request's cookie is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Comes {
    WithLargeSession,
    WithNothing,
    WithSession,
    WithUnknownId,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "W1",
        what: "no cookie, session not used",
        path: "/unused",
        comes: Comes::WithNothing,
    },
    Workload {
        name: "W2",
        what: "no cookie, insert",
        path: "/write",
        comes: Comes::WithNothing,
    },
    Workload {
        name: "W3",
        what: "valid cookie, read one value",
        path: "/read",
        comes: Comes::WithSession,
    },
    Workload {
        name: "W4",
        what: "valid cookie, read and write",
        path: "/read-write",
        comes: Comes::WithSession,
    },
    Workload {
        name: "W5",
        what: "valid cookie, session not used",
        path: "/unused",
        comes: Comes::WithSession,
    },
    Workload {
        name: "W6",
        what: "cycle the id",
        path: "/cycle",
        comes: Comes::WithSession,
    },
    Workload {
        name: "W7",
        what: "W3 with a 16 KiB record",
        path: "/read",
        comes: Comes::WithLargeSession,
    },
    Workload {
        name: "W8",
        what: "unknown id, read",
        path: "/read",
        comes: Comes::WithUnknownId,
    },
];

/// An application and the request that is sent to it.
pub(crate) struct Subject {
    pub(crate) app: Router,
    pub(crate) path: &'static str,
    /// What the requests bring, in turn. An id that is cycled is worthless afterwards, so for that there are many.
    pub(crate) cookies: Vec<HeaderValue>,
    pub(crate) next: Cell<usize>,
}

impl Subject {
    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = http::Uri::from_static(self.path);
        if !self.cookies.is_empty() {
            let next = self.next.get();
            self.next.set(if next + 1 == self.cookies.len() {
                0
            } else {
                next + 1
            });
            request
                .headers_mut()
                .insert(COOKIE, self.cookies[next].clone());
        }
        request
    }
}

/// Five values of 437 bytes of JSON in all, or of 16 KiB.
pub(crate) fn values(comes: Comes) -> [(&'static str, String); 5] {
    let long = match comes {
        Comes::WithLargeSession => 16 * 1024,
        Comes::WithNothing | Comes::WithSession | Comes::WithUnknownId => 322,
    };
    [
        ("user", "a name of twenty b.".to_owned()),
        ("theme", "dark".to_owned()),
        ("cart", "x".repeat(long)),
        ("language", "en".to_owned()),
        ("visits", "0".repeat(80)),
    ]
}

/// Makes as many cookies as a workload needs, each of a session that `begin` starts.
pub(crate) fn cookies(workload: &Workload, begin: impl Fn() -> HeaderValue) -> Vec<HeaderValue> {
    match workload.comes {
        Comes::WithNothing => Vec::new(),
        Comes::WithUnknownId => vec![unknown()],
        Comes::WithLargeSession | Comes::WithSession if workload.name != "W6" => vec![begin()],
        Comes::WithLargeSession | Comes::WithSession => (0..crate::SENT).map(|_| begin()).collect(),
    }
}

/// An id that nobody has issued.
pub(crate) fn unknown() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-Http-id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    )
}
