//! An operator's view of the sessions: how many there are, whose, and the end of one.

mod page;
mod question;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
        VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use question::{Asked, Form, Question, Refusal};
use serde_json::{Value, json};
use tower_service::Service;

use crate::{
    error::Error,
    id::Handle,
    principal::PrincipalId,
    sessions::{SessionInfo, Sessions},
};

/// A page, and the same as JSON, on which an operator sees how many sessions there are, lists those of a principal, and ends one.
///
/// **It asks nobody who he is.** Whoever reaches it sees who is signed in and can sign anybody out, so mount it behind a
/// guard of your own, one that asks for a fresh login or lets only your own network in. It shows no secret and no
/// value of a session, it signs nobody in, and it ends one session at a time.
///
/// It is a Tower service of one address, which axum mounts by `route_service`:
///
/// | request | answer |
/// |---|---|
/// | `GET` | a form, and the number of live sessions, if the store [can count them](Sessions::count_everyone) |
/// | `GET ?principal=ada` | her sessions, with a button each |
/// | `POST ?handle=…` | ends that session; with `&principal=ada` it goes back to her list |
///
/// To who accepts `application/json` it answers so: `{"live": 12}`, with `null` for a number that the store does not know;
/// `{"principal": "ada", "sessions": […]}`, with times in milliseconds; `{"revoked": true}`, or 404 and `false` where there was
/// none. A `POST` that a page of another origin sends is refused (403), as its browser says (`Sec-Fetch-Site`, `Origin`).
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, middleware, response::{IntoResponse, Response}};
/// use tenure::{OperatorView, SessionLayer, store::MemoryStore, testing::signed_in};
/// use tower::ServiceExt;
///
/// /// Your own: here whoever knows a word, elsewhere a login.
/// async fn guard(request: axum::extract::Request, next: middleware::Next) -> Response {
///     match request.headers().get("authorization") {
///         Some(word) if word == "Bearer a long word" => next.run(request).await,
///         _ => StatusCode::NOT_FOUND.into_response(),
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// let app: Router = Router::new()
///     .route_service("/operator", OperatorView::new(layer.sessions()))
///     .layer(middleware::from_fn(guard));
/// signed_in(&layer, "ada").await;
/// let ask = |word: &str| {
///     let request = Request::get("/operator").header("authorization", word).header("accept", "application/json");
///     app.clone().oneshot(request.body(Body::empty()).unwrap())
/// };
/// assert_eq!(ask("Bearer a guess").await.unwrap().status(), StatusCode::NOT_FOUND);
/// let answer = ask("Bearer a long word").await.unwrap().into_body();
/// assert_eq!(axum::body::to_bytes(answer, 100).await.unwrap(), r#"{"live":1}"#);
/// # });
/// ```
#[derive(Clone)]
pub struct OperatorView {
    sessions: Sessions,
}

impl OperatorView {
    /// Makes the view of a layer's sessions: [`SessionLayer::sessions`](crate::SessionLayer::sessions).
    #[must_use]
    pub const fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }

    async fn answer(self, question: Question) -> Response<String> {
        let form = question.form;
        let mut response = match question.asked {
            Ok(Asked::Count) => match self.sessions.count_everyone().await {
                Ok(live) => shown(form, &json!({ "live": live }), || page::count(live)),
                Err(error) => failed(form, &error),
            },
            Ok(Asked::List(principal)) => match self.sessions.list(principal.clone()).await {
                Ok(listed) => self.listed(form, &principal, &listed),
                Err(error) => failed(form, &error),
            },
            Ok(Asked::Revoke(handle, principal)) => {
                self.revoke(form, handle, principal.as_ref()).await
            }
            Err(refusal) => refused(form, &refusal),
        };
        for (name, value) in ALWAYS {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn listed(
        &self,
        form: Form,
        principal: &PrincipalId,
        listed: &[SessionInfo],
    ) -> Response<String> {
        let sessions: Vec<_> = listed.iter().map(in_json).collect();
        let sessions = json!({ "principal": principal.as_str(), "sessions": sessions });
        let now = self.sessions.now();
        shown(form, &sessions, || page::list(principal, listed, now))
    }

    async fn revoke(
        &self,
        form: Form,
        handle: Handle,
        principal: Option<&PrincipalId>,
    ) -> Response<String> {
        let revoked = match self.sessions.revoke_of_anybody(handle).await {
            Ok(revoked) => revoked,
            Err(error) => return failed(form, &error),
        };
        let mut response = shown(form, &json!({ "revoked": revoked }), String::new);
        *response.status_mut() = match form {
            Form::Json if revoked => StatusCode::OK,
            Form::Json => StatusCode::NOT_FOUND,
            Form::Page => StatusCode::SEE_OTHER,
        };
        if form == Form::Page {
            let list = HeaderValue::try_from(page::address(principal));
            let list = list.expect("what is not a letter or a digit is escaped");
            response.headers_mut().insert(LOCATION, list);
        }
        response
    }
}

impl<B> Service<Request<B>> for OperatorView {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let question = Question::of(request.method(), request.uri(), request.headers());
        let view = self.clone();
        Box::pin(async move { Ok(view.answer(question).await) })
    }
}

impl fmt::Debug for OperatorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorView").finish_non_exhaustive()
    }
}

fn in_json(session: &SessionInfo) -> Value {
    json!({
        "handle": session.handle().to_string(),
        "label": session.label(),
        "was_shown": session.was_shown(),
        "created_at": session.created_at().as_millis(),
        "authenticated_at": session.authenticated_at().as_millis(),
        "last_seen_at": session.last_seen_at().as_millis(),
        "idle_expires_at": session.idle_expires_at().as_millis(),
        "expires_at": session.expires_at().as_millis(),
    })
}

fn shown(form: Form, json: &Value, page: impl FnOnce() -> String) -> Response<String> {
    let (kind, body) = match form {
        Form::Json => ("application/json", json.to_string()),
        Form::Page => ("text/html; charset=utf-8", page()),
    };
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Says what went wrong; the form to ask again stays.
fn failed(form: Form, error: &Error) -> Response<String> {
    let words = error.to_string();
    let told = shown(form, &json!({ "error": words }), || page::trouble(&words));
    let (mut head, body) = told.into_parts();
    let status = error.to_response::<()>();
    head.status = status.status();
    head.headers.extend(status.headers().clone());
    Response::from_parts(head, body)
}

fn refused(form: Form, refusal: &Refusal) -> Response<String> {
    let words = refusal.words();
    let mut response = shown(form, &json!({ "error": words }), || page::trouble(words));
    *response.status_mut() = refusal.status();
    if matches!(refusal, Refusal::Method) {
        let methods = HeaderValue::from_static("GET, HEAD, POST");
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

/// Nothing is kept by a cache, run, framed, or told to others.
const ALWAYS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "same-origin"),
    (VARY, "accept"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
