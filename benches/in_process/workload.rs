//! The requests, the same for all.

use std::cell::{Cell, RefCell};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    http::{
        HeaderValue, Request, StatusCode, Uri,
        header::{COOKIE, SET_COOKIE},
    },
};
use serde_json::{Value, json};
use tower::Service;

use crate::finish;

/// One kind of request.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Where it goes: the handlers of each subject have these paths.
    pub(crate) path: &'static str,
    pub(crate) comes: Comes,
    /// What the handlers answer, so that nothing is measured that does not do its work.
    pub(crate) answers: &'static str,
    pub(crate) sets_cookie: bool,
}

/// What the request's cookie is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Comes {
    LargeSession,
    Nothing,
    Session,
    UnknownId,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "W1",
        what: "no cookie, session not used",
        path: "/unused",
        comes: Comes::Nothing,
        answers: "ok",
        sets_cookie: false,
    },
    Workload {
        name: "W2",
        what: "no cookie, insert",
        path: "/write",
        comes: Comes::Nothing,
        answers: "ok",
        sets_cookie: true,
    },
    Workload {
        name: "W3",
        what: "valid cookie, read one value",
        path: "/read",
        comes: Comes::Session,
        answers: "found",
        sets_cookie: false,
    },
    Workload {
        name: "W4",
        what: "valid cookie, read and write",
        path: "/read-write",
        comes: Comes::Session,
        answers: "found",
        sets_cookie: false,
    },
    Workload {
        name: "W5",
        what: "valid cookie, session not used",
        path: "/unused",
        comes: Comes::Session,
        answers: "ok",
        sets_cookie: false,
    },
    Workload {
        name: "W6",
        what: "cycle the id",
        path: "/cycle",
        comes: Comes::Session,
        answers: "ok",
        sets_cookie: true,
    },
    Workload {
        name: "W7",
        what: "W3 with a 16 KiB record",
        path: "/read",
        comes: Comes::LargeSession,
        answers: "found",
        sets_cookie: false,
    },
    Workload {
        name: "W8",
        what: "unknown id, read",
        path: "/read",
        comes: Comes::UnknownId,
        answers: "missing",
        sets_cookie: false,
    },
];

/// An application and the request that is sent to it.
pub(crate) struct Subject {
    pub(crate) app: Router,
    path: &'static str,
    /// What the requests bring, in turn.
    cookies: RefCell<Vec<HeaderValue>>,
    next: Cell<usize>,
    /// Makes a cookie that has not been used. An id that is cycled is worthless afterwards.
    renew: Option<fn(&Router) -> HeaderValue>,
}

impl Subject {
    /// Prepares the requests of a workload; `begin` starts a session and returns its cookie.
    pub(crate) fn new(app: Router, workload: &Workload, begin: fn(&Router) -> HeaderValue) -> Self {
        let cookies = match workload.comes {
            Comes::Nothing => Vec::new(),
            Comes::LargeSession | Comes::Session => vec![begin(&app)],
            Comes::UnknownId => vec![unknown(&app)],
        };
        Self {
            app,
            path: workload.path,
            cookies: cookies.into(),
            next: Cell::new(0),
            renew: (workload.path == "/cycle").then_some(begin),
        }
    }

    /// Checks that a request is answered as it should be.
    pub(crate) fn checked(self, workload: &Workload) -> Self {
        let response = finish(self.app.clone().call(self.request())).unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{}", workload.name);
        assert_eq!(
            (
                response.body().size_hint().exact(),
                response.headers().contains_key(SET_COOKIE)
            ),
            (Some(workload.answers.len() as u64), workload.sets_cookie),
            "{}",
            workload.name
        );
        self
    }

    /// Makes ready for so many requests, outside of what is timed.
    pub(crate) fn prepare(&self, requests: u32) {
        if let Some(renew) = self.renew {
            self.next.set(0);
            let cookies = (0..requests).map(|_| renew(&self.app)).collect();
            self.cookies.replace(cookies);
        }
    }

    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static(self.path);
        let cookies = self.cookies.borrow();
        if !cookies.is_empty() {
            let next = self.next.get();
            self.next.set((next + 1) % cookies.len());
            request.headers_mut().insert(COOKIE, cookies[next].clone());
        }
        request
    }
}

/// Five values: as one JSON object they would have 437 bytes, or more than 16 KiB.
pub(crate) fn values(comes: Comes) -> [(&'static str, Value); 5] {
    let long = match comes {
        Comes::LargeSession => 16 * 1024,
        Comes::Nothing | Comes::Session | Comes::UnknownId => 351,
    };
    [
        ("user", json!("a name of twenty b.")),
        ("theme", json!("dark")),
        ("cart", json!("x".repeat(long))),
        ("language", json!("en")),
        // Of five digits, and it stays so however often it is counted up.
        ("visits", json!(10_000)),
    ]
}

/// Starts a session by the path that fills one, and returns its cookie as a browser would send it.
pub(crate) fn begin(app: &Router) -> HeaderValue {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/fill");
    let response = finish(app.clone().call(request)).unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    shared(cookie.split(';').next().unwrap())
}

/// An id that nobody has issued.
pub(crate) fn unknown(_: &Router) -> HeaderValue {
    shared("__Host-Http-id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

/// Makes a value that has been cloned before: the first clone allocates, and that is nobody's cost here.
fn shared(text: &str) -> HeaderValue {
    let value: HeaderValue = text.parse().unwrap();
    drop(value.clone());
    value
}
