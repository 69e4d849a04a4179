//! A site on the memory store, and its visitors.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderValue, Request, Response, StatusCode, Uri,
        header::{COOKIE, SET_COOKIE},
    },
    routing::get,
};
use tenure::{Error, Session, SessionLayer, store::MemoryStore};
use tower::Service;

use crate::{
    finish,
    workload::{Comes, values},
};

/// Makes a store that holds as many sessions as a bench begins.
pub(crate) fn roomy() -> MemoryStore {
    MemoryStore::new()
        .with_max_entries(10_000_000)
        .with_max_bytes(usize::MAX)
}

/// The handlers on a store.
pub(crate) fn on(store: MemoryStore) -> Router {
    Router::new()
        .route("/begin", get(begin))
        .route("/login", get(login))
        .route("/read", get(read))
        .route("/count", get(count))
        .route("/read-slowly", get(read_slowly))
        .route("/count-slowly", get(count_slowly))
        .layer(SessionLayer::new(store))
}

async fn begin(session: Session) -> Result<(), Error> {
    for (key, value) in values(Comes::Session) {
        session.insert(key, value)?;
    }
    Ok(())
}

/// Signs in somebody else each time.
async fn login(session: Session) -> Result<(), Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    session.insert("visits", 10_000)?;
    session.login(NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn read(session: Session) -> Result<(), Error> {
    session.get::<u32>("visits").map(drop)
}

async fn count(session: Session) -> Result<(), Error> {
    session.update("visits", |visits: &mut u32| *visits += 1)
}

async fn read_slowly(session: Session) -> Result<(), Error> {
    session.get::<u32>("visits")?;
    tokio::task::yield_now().await;
    Ok(())
}

/// Lets others run between the load and the commit.
async fn count_slowly(session: Session) -> Result<(), Error> {
    session.update("visits", |visits: &mut u32| *visits += 1)?;
    tokio::task::yield_now().await;
    Ok(())
}

pub(crate) fn request(path: &'static str, cookie: Option<&str>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(path);
    if let Some(cookie) = cookie {
        let value = HeaderValue::from_str(cookie).expect("a cookie is ASCII");
        request.headers_mut().insert(COOKIE, value);
    }
    request
}

/// Sends a request whose handler does not wait.
pub(crate) fn send(app: &mut Router, request: Request<Body>) -> Response<Body> {
    let Ok(response) = finish(app.call(request));
    response
}

/// The cookies of sessions in one piece of memory, which is there before the sessions are.
pub(crate) struct Cookies(String);

impl Cookies {
    pub(crate) fn for_sessions(sessions: usize) -> Self {
        Self(String::with_capacity(sessions * COOKIE_LEN))
    }

    /// Begins so many sessions at a path.
    pub(crate) fn begin(&mut self, app: &mut Router, path: &'static str, sessions: usize) {
        for _ in 0..sessions {
            self.keep(&send(app, request(path, None)));
        }
    }

    fn keep(&mut self, response: &Response<Body>) {
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()[SET_COOKIE].to_str();
        let cookie = cookie.expect("a cookie is ASCII").split(';').next();
        self.0.push_str(cookie.expect("it has a value"));
        assert_eq!(self.0.len() % COOKIE_LEN, 0, "cookies are of one length");
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len() / COOKIE_LEN
    }

    pub(crate) fn get(&self, index: usize) -> &str {
        &self.0[index * COOKIE_LEN..][..COOKIE_LEN]
    }
}

const COOKIE_LEN: usize = "__Host-Http-id=".len() + 64;
