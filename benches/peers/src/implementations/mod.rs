//! What is compared: a file for each implementation, which says how it is configured.

pub(crate) mod actix_session;
pub(crate) mod axum_session;
mod requests;
pub(crate) mod tenure;
pub(crate) mod tower_sessions;

use axum::{
    Router,
    body::{Body, HttpBody as _},
    http::{
        HeaderMap, HeaderValue, Request, StatusCode, Uri,
        header::{COOKIE, SET_COOKIE},
    },
};
use tower::Service;

use self::requests::{Requests, Unknown, shared};
use crate::{
    finish, floor, noop,
    workload::{Comes, Subject, Workload},
};

/// Something that answers requests in this process.
pub(crate) struct Implementation {
    pub(crate) name: &'static str,
    pub(crate) framework: Framework,
    pub(crate) prepare: fn(&Workload) -> Box<dyn Answers>,
}

/// Whose layer that does nothing is taken off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framework {
    Actix,
    Axum,
}

/// The layers that do nothing stand before what they are taken off.
pub(crate) const IMPLEMENTATIONS: &[Implementation] = &[
    on_axum("noop", |workload| Box::new(noop::subject(workload))),
    on_axum("floor", |workload| Box::new(floor::subject(workload))),
    on_axum("tenure", tenure::subject),
    on_axum("tower-sessions", tower_sessions::subject),
    on_axum("tower-sessions, sliding", tower_sessions::sliding),
    on_axum("axum_session", axum_session::subject),
    on_actix("noop of actix", actix_session::noop),
    on_actix("actix-session", actix_session::subject),
    on_actix("actix-session, sliding", actix_session::sliding),
];

/// What has no place on an engine, and why: the implementation, the engine, the reason.
pub(crate) const NOT_ON: &[(&str, &str, &str)] = &[
    (
        "actix-session",
        "PostgreSQL",
        "no store for it is published",
    ),
    ("actix-session", "SQLite", "no store for it is published"),
];

const fn on_axum(name: &'static str, prepare: fn(&Workload) -> Box<dyn Answers>) -> Implementation {
    Implementation {
        name,
        framework: Framework::Axum,
        prepare,
    }
}

const fn on_actix(
    name: &'static str,
    prepare: fn(&Workload) -> Box<dyn Answers>,
) -> Implementation {
    Implementation {
        name,
        framework: Framework::Actix,
        prepare,
    }
}

impl Implementation {
    /// Tells whether this does nothing.
    pub(crate) fn is_noop(&self) -> bool {
        self.name.starts_with("noop")
    }

    /// Returns where the layer that does nothing in the same framework stands.
    pub(crate) fn base(&self) -> usize {
        let is_base = |other: &Self| other.is_noop() && other.framework == self.framework;
        let base = IMPLEMENTATIONS.iter().position(is_base);
        base.expect("each framework has one")
    }
}

/// An application and the requests that are sent to it.
pub(crate) trait Answers {
    /// Makes ready for so many requests, outside of what is measured.
    fn prepare(&mut self, requests: u32);

    /// Answers the next request on this thread.
    fn answer(&mut self);
}

impl Answers for Subject {
    fn prepare(&mut self, requests: u32) {
        Self::prepare(self, requests);
    }

    fn answer(&mut self) {
        let request = self.request();
        drop(finish(self.app.call(request)));
    }
}

/// A site of axum and what it is sent.
pub(crate) struct OnAxum {
    app: Router,
    requests: Requests<HeaderValue>,
}

impl OnAxum {
    /// Prepares the requests of a workload to a site; `app` makes one with a store of its own.
    pub(crate) fn new(app: fn(Comes) -> Router, workload: &Workload, unknown: Unknown) -> Self {
        let (site, elsewhere) = (app(workload.comes), app(workload.comes));
        let here = site.clone();
        let requests = Requests::new(
            workload,
            Box::new(move || begin(&here)),
            Box::new(move || begin(&elsewhere)),
            unknown,
        );
        let mut subject = Self {
            app: site,
            requests,
        };
        subject.check(workload);
        subject
    }

    fn check(&mut self, workload: &Workload) {
        self.prepare(1);
        let request = self.request();
        let response = finish(self.app.call(request)).expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{}", workload.name);
        let length = response.body().size_hint().exact();
        assert_eq!(length, Some(workload.answers.len() as u64));
        // Some tell the browser about its cookie more often than it has to know.
        assert!(!workload.sets_cookie || response.headers().contains_key(SET_COOKIE));
    }

    fn request(&mut self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static(self.requests.path);
        if let Some(cookie) = self.requests.cookie() {
            request.headers_mut().insert(COOKIE, cookie);
        }
        request
    }
}

impl Answers for OnAxum {
    fn prepare(&mut self, requests: u32) {
        self.requests.prepare(requests);
    }

    fn answer(&mut self) {
        let request = self.request();
        drop(finish(self.app.call(request)));
    }
}

/// Starts a session by the path that fills one, and returns its cookies as a browser would send them.
fn begin(app: &Router) -> HeaderValue {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/fill");
    let response = finish(app.clone().call(request)).expect("an answer");
    cookies_of(response.headers())
}

/// Returns the cookies that a response sets, as a browser would send them.
pub(crate) fn cookies_of(headers: &HeaderMap) -> HeaderValue {
    let set = headers.get_all(SET_COOKIE).iter();
    let pair = |field: &HeaderValue| {
        let text = field.to_str().expect("it is ASCII");
        text.split(';').next().map(str::to_owned)
    };
    shared(&set.filter_map(pair).collect::<Vec<_>>().join("; "))
}
