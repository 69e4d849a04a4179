//! A visitor of a site behind a session layer, as far as one cookie goes.

use std::{convert::Infallible, future::Future, time::Duration};

use http::{Request, Response, StatusCode, header};
use tenure::{Error, Lifetime, Session, SessionLayer, SessionSlot, store::SessionStore};
use tokio::{sync::oneshot, task::JoinHandle};
use tower::{Layer, ServiceExt, service_fn};

/// Sends a request with a cookie, if there is one, to a handler; returns the status and the cookie it then has.
pub async fn visit<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> (StatusCode, Option<String>)
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let response = send(layer, cookie, handler).await;
    let status = response.status();
    match told(&response) {
        Told::Id(told) => (status, Some(told)),
        Told::Nothing | Told::Removal => (status, cookie.map(str::to_owned)),
    }
}

/// Sends a request with a cookie, if there is one, to a handler.
pub async fn send<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> Response<String>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut handler = Some(handler);
    let service = service_fn(move |request: Request<String>| {
        let handler = handler.take().expect("a service of one request");
        async move {
            let slot = SessionSlot::from_extensions(request.extensions()).unwrap();
            let answered = match slot.session().await {
                Ok(session) => handler(session).await,
                Err(error) => Err(error),
            };
            let response = answered.map_or_else(
                |error| error.to_response(),
                |()| Response::new(String::new()),
            );
            Ok::<_, Infallible>(response)
        }
    });
    let mut request = Request::new(String::new());
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    layer.layer(service).oneshot(request).await.unwrap()
}

/// What a response says of the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Id(String),
    Nothing,
    Removal,
}

/// Reads what a response says of the cookie.
pub fn told(response: &Response<String>) -> Told {
    let Some(field) = response.headers().get(header::SET_COOKIE) else {
        return Told::Nothing;
    };
    let text = field.to_str().unwrap();
    match text.contains("Max-Age=0") {
        true => Told::Removal,
        false => Told::Id(text.split(';').next().unwrap().to_owned()),
    }
}

/// A request that has loaded its session and waits at a gate.
#[derive(Debug)]
pub struct Waiting {
    gate: oneshot::Sender<()>,
    request: JoinHandle<Response<String>>,
}

impl Waiting {
    /// Lets the request go on, and returns what it is answered.
    pub async fn go(self) -> Response<String> {
        self.gate.send(()).unwrap();
        self.request.await.unwrap()
    }

    /// Lets the client of the request go away.
    pub async fn leave(self) {
        self.request.abort();
        let _ = self.request.await;
    }
}

/// Sends a request whose handler is given a gate to wait at; returns when it stands there.
pub async fn begin<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session, Gate) -> F + Send + 'static,
) -> Waiting
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (reached, stands_there) = oneshot::channel();
    let (gate, opened) = oneshot::channel();
    let (layer, cookie) = (layer.clone(), cookie.map(str::to_owned));
    let request = tokio::spawn(async move {
        let handler = |session| handler(session, Gate { reached, opened });
        send(&layer, cookie.as_deref(), handler).await
    });
    stands_there.await.expect("the session is loaded");
    Waiting { gate, request }
}

/// Where a request waits until it may go on.
#[derive(Debug)]
pub struct Gate {
    reached: oneshot::Sender<()>,
    opened: oneshot::Receiver<()>,
}

impl Gate {
    pub async fn pass(self) {
        self.reached.send(()).unwrap();
        let _ = self.opened.await;
    }
}

/// A node that renews a session's stamp whenever it reads it.
pub fn touching(store: impl SessionStore) -> SessionLayer {
    let lifetime = Lifetime::new().with_touch_every(Duration::ZERO);
    let builder = SessionLayer::builder(store).with_lifetime(lifetime);
    builder.build().unwrap()
}

/// Starts a session, and returns its cookie.
pub async fn arrive(layer: &SessionLayer) -> String {
    let (status, cookie) = visit(layer, None, async |session: Session| {
        session.insert("count", 0_u32)
    })
    .await;
    assert_eq!(status, StatusCode::OK);
    cookie.expect("a session has a cookie")
}

/// Sends as many requests as asked for at once, in turn to each layer, that count in one session; all are answered.
pub async fn count_at_once(layers: &[SessionLayer], cookie: &str, requests: usize) {
    let sent: Vec<_> = (0..requests)
        .map(|number| {
            let layer = layers[number % layers.len()].clone();
            let cookie = cookie.to_owned();
            tokio::spawn(async move {
                let count =
                    async |session: Session| session.update("count", |count: &mut u32| *count += 1);
                visit(&layer, Some(&cookie), count).await.0
            })
        })
        .collect();
    for request in sent {
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
}

/// Reads how far a session has counted.
pub async fn counted(layer: &SessionLayer, cookie: &str) -> Option<u32> {
    let (sender, receiver) = oneshot::channel();
    let read = async move |session: Session| {
        sender.send(session.get::<u32>("count")?).unwrap();
        Ok(())
    };
    let (status, _) = visit(layer, Some(cookie), read).await;
    assert_eq!(status, StatusCode::OK);
    receiver.await.unwrap()
}

/// Reads who is signed in.
pub async fn principal(layer: &SessionLayer, cookie: &str) -> Option<String> {
    let (sender, receiver) = oneshot::channel();
    let ask = async move |session: Session| {
        let principal = session.principal().map(|principal| principal.to_string());
        sender.send(principal).unwrap();
        Ok(())
    };
    let (status, _) = visit(layer, Some(cookie), ask).await;
    assert_eq!(status, StatusCode::OK);
    receiver.await.unwrap()
}

/// Counts in a session, and says how that was answered.
pub async fn count(layer: &SessionLayer, cookie: &str) -> StatusCode {
    let count = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
    quiet(&send(layer, Some(cookie), count).await)
}

/// Reads a session, and says how that was answered.
pub async fn read(layer: &SessionLayer, cookie: &str) -> StatusCode {
    let read = async |session: Session| session.get::<u32>("count").map(drop);
    quiet(&send(layer, Some(cookie), read).await)
}

/// Ends a session.
pub async fn log_out(layer: &SessionLayer, cookie: &str) -> Response<String> {
    let logout = async |session: Session| session.logout();
    send(layer, Some(cookie), logout).await
}

/// Says how a request was answered; the browser must not have been told anything of its cookie.
pub fn quiet(response: &Response<String>) -> StatusCode {
    assert_eq!(told(response), Told::Nothing, "{response:?}");
    response.status()
}

pub const OK: StatusCode = StatusCode::OK;
pub const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
