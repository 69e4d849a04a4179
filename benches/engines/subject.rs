//! What is measured: a request, and `tenure` answering it.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{Response, StatusCode, header::COOKIE};
use tenure::{Error, Handle, Lifetime, Session, SessionLayer, SessionSlot, store::SessionStore};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{bed::visitor::visit, request};

/// How many sessions there are.
pub(crate) const SESSIONS: usize = 1_024;

/// What every session holds, in bytes of JSON.
pub(crate) const PAYLOAD: usize = 400;

/// How many bytes a session's record has, its header and its values.
pub(crate) const RECORD: usize = 474;

/// Answers a request of a session.
pub(crate) type Request =
    Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Something that answers requests.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) is_minimum: bool,
    pub(crate) request: Request,
}

impl Subject {
    /// Makes a handler of what is asked of an engine: it is sent a request as the layer's is, with a cookie that names the
    /// session.
    pub(crate) fn minimum(name: &'static str, ask: Request) -> Self {
        let service = service_fn(move |request: http::Request<String>| {
            let answer = ask(named(&request));
            async move {
                answer.await;
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        });
        let cookies = (0..SESSIONS).map(|session| format!("id={session:064}"));
        let request = sent(cookies.collect(), service);
        Self {
            name,
            is_minimum: true,
            request,
        }
    }

    pub(crate) fn tenure(name: &'static str, request: Request) -> Self {
        Self {
            name,
            is_minimum: false,
            request,
        }
    }
}

/// Makes what a minimum writes: as much as the site does, and as there no two the same. What stays as it is some engines
/// do not write.
pub(crate) fn written(version: i64) -> Vec<u8> {
    let mut record = vec![b'y'; RECORD];
    record[..8].copy_from_slice(&version.to_be_bytes());
    record
}

/// Reads which session a request's cookie names.
fn named(request: &http::Request<String>) -> usize {
    let cookie = request.headers()[COOKIE].to_str().expect("it is a number");
    let value = cookie.strip_prefix("id=").expect("it has a name");
    value.parse().expect("it is a number")
}

/// A site on a store, with its sessions.
#[derive(Clone)]
pub(crate) struct Site {
    layer: SessionLayer,
    sliding: SessionLayer,
    store: Arc<dyn SessionStore>,
    cookies: Arc<[String]>,
    handles: Arc<[Handle]>,
}

impl Site {
    pub(crate) async fn new(store: impl SessionStore + Clone) -> Self {
        let layer = SessionLayer::new(store.clone());
        let every_time = Lifetime::new().with_touch_every(Duration::ZERO);
        let sliding = SessionLayer::builder(store.clone()).with_lifetime(every_time);
        let mut cookies = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..SESSIONS {
            let (sender, receiver) = oneshot::channel();
            let fill = async move |session: Session| {
                session.insert("payload", "x".repeat(PAYLOAD))?;
                session.insert("count", 0_u32)?;
                session.commit().await?;
                sender
                    .send(session.handle())
                    .expect("somebody waits for it");
                Ok(())
            };
            let (status, cookie) = visit(&layer, None, fill).await;
            assert_eq!(status, StatusCode::OK);
            cookies.push(cookie.expect("a session has a cookie"));
            handles.extend(receiver.await.expect("a handle"));
        }
        let loaded = store.load(&handles[0]).await.expect("an answer");
        let record = loaded.expect("a session").record;
        assert_eq!(record.header().len() + record.values().len(), RECORD);
        Self {
            layer,
            sliding: sliding.build().expect("good settings"),
            store: Arc::new(store),
            cookies: cookies.into(),
            handles: handles.into(),
        }
    }

    /// Reads a value; the session is touched when that is due, every three minutes.
    pub(crate) fn read(&self) -> Request {
        self.reading(&self.layer)
    }

    /// Reads a value, and touches the session each time.
    pub(crate) fn read_and_touch(&self) -> Request {
        self.reading(&self.sliding)
    }

    fn reading(&self, layer: &SessionLayer) -> Request {
        let read = async |session: Session| session.get::<u32>("count").map(drop);
        let service = service_fn(move |request| answered(request, read));
        sent(self.cookies.clone(), layer.layer(service))
    }

    /// Asks the store alone, without the layer.
    pub(crate) fn load(&self) -> Request {
        let (store, handles) = (self.store.clone(), self.handles.clone());
        request(move |session| {
            let answer = store.load(&handles[session]);
            async move {
                let loaded = answer.await.expect("an answer");
                assert!(loaded.is_some());
            }
        })
    }

    /// Changes a value.
    pub(crate) fn write(&self) -> Request {
        let write = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
        let service = service_fn(move |request| answered(request, write));
        sent(self.cookies.clone(), self.layer.layer(service))
    }
}

/// Sends requests of many sessions to a service, which is made once.
fn sent<S>(cookies: Arc<[String]>, service: S) -> Request
where
    S: Service<http::Request<String>, Response = Response<String>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    request(move |session| {
        let mut request = http::Request::new(String::new());
        let cookie = cookies[session].parse().expect("a header");
        request.headers_mut().insert(COOKIE, cookie);
        let answer = service.clone().oneshot(request);
        async move {
            let Ok(response) = answer.await;
            assert_eq!(response.status(), StatusCode::OK);
        }
    })
}

/// Lets a handler have a request's session.
async fn answered<F>(
    request: http::Request<String>,
    handler: impl Fn(Session) -> F,
) -> Result<Response<String>, Infallible>
where
    F: Future<Output = Result<(), Error>>,
{
    let slot = SessionSlot::from_extensions(request.extensions()).expect("there is a layer");
    let answered = match slot.session().await {
        Ok(session) => handler(session).await,
        Err(error) => Err(error),
    };
    Ok(answered.map_or_else(
        |error| error.to_response(),
        |()| Response::new(String::new()),
    ))
}
