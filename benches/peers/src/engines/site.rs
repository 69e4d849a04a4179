//! A site whose sessions are on an engine, and the requests that are sent to it.

use std::{future::Future, pin::Pin, rc::Rc, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, StatusCode, Uri, header::COOKIE},
};
use tower::ServiceExt;

use crate::implementations::{actix_session, cookies_of};

/// How many sessions there are.
pub(crate) const SESSIONS: usize = 1_024;

/// Sends a request of a session, and tells whether it was answered well.
pub(crate) type Ask =
    Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// The same on one thread.
pub(crate) type LocalAsk = Rc<dyn Fn(usize) -> LocalAnswer<bool>>;

/// Makes a site on the thread that it is called on.
pub(crate) type Open = Arc<dyn Fn() -> LocalAnswer<LocalAsk> + Send + Sync>;

pub(crate) type LocalAnswer<T> = Pin<Box<dyn Future<Output = T>>>;

/// Where requests can be sent from.
pub(crate) enum Asks {
    Anywhere(Ask),
    /// Each thread has a site of its own, as a server of actix does it.
    PerThread(Open),
}

/// A site with its sessions.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) read: Asks,
    pub(crate) write: Asks,
}

impl Site {
    /// Begins all sessions by the path that fills one.
    pub(crate) async fn on_axum(name: &'static str, app: Router) -> Self {
        let mut cookies = Vec::new();
        for _ in 0..SESSIONS {
            let response = send(app.clone(), "/fill", None).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            cookies.push(cookies_of(response.headers()));
        }
        Self::with_cookies(name, &app, cookies)
    }

    /// A site without sessions: what the clients and the framework cost.
    pub(crate) fn noop() -> Self {
        let cookie = |session| format!("id={session:064}").parse().expect("a header");
        let cookies = (0..SESSIONS).map(cookie).collect();
        Self::with_cookies("noop", &crate::noop::app(), cookies)
    }

    fn with_cookies(name: &'static str, app: &Router, cookies: Vec<HeaderValue>) -> Self {
        let cookies: Arc<[HeaderValue]> = cookies.into();
        let ask = |path| Asks::Anywhere(asking(app.clone(), path, cookies.clone()));
        Self {
            name,
            read: ask("/read"),
            write: ask("/read-write"),
        }
    }

    /// Begins all sessions; `open` makes a site on the thread that it is called on.
    pub(crate) async fn on_actix<S: actix_session::Site + 'static>(
        name: &'static str,
        open: impl Fn() -> LocalAnswer<S> + Clone + Send + Sync + 'static,
    ) -> Self {
        let site = open().await;
        let mut cookies = Vec::new();
        for _ in 0..SESSIONS {
            cookies.push(actix_session::begin(&site).await);
        }
        let cookies: Arc<[actix_session::Cookie]> = cookies.into();
        let ask = |path| Asks::PerThread(opening(open.clone(), path, cookies.clone()));
        Self {
            name,
            read: ask("/read"),
            write: ask("/read-write"),
        }
    }
}

fn asking(app: Router, path: &'static str, cookies: Arc<[HeaderValue]>) -> Ask {
    Arc::new(move |session| {
        let answer = send(app.clone(), path, Some(cookies[session].clone()));
        Box::pin(async move { answer.await.status() == StatusCode::OK })
    })
}

async fn send(
    app: Router,
    path: &'static str,
    cookie: Option<HeaderValue>,
) -> axum::response::Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(path);
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie);
    }
    let Ok(response) = app.oneshot(request).await;
    response
}

fn opening<S: actix_session::Site + 'static>(
    open: impl Fn() -> LocalAnswer<S> + Send + Sync + 'static,
    path: &'static str,
    cookies: Arc<[actix_session::Cookie]>,
) -> Open {
    Arc::new(move || {
        let (site, cookies) = (open(), cookies.clone());
        Box::pin(async move {
            let site = site.await;
            let ask: LocalAsk = Rc::new(move |session| {
                let request = actix_session::request(path, Some(cookies[session].clone()));
                let answer = site.call(request);
                Box::pin(async move { answer.await.is_ok_and(|got| got.status().is_success()) })
            });
            ask
        })
    })
}
