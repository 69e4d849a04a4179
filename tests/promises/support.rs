//! A browser with a cookie jar, and a store that records what it is asked and fails on demand.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tenure::{
    Clock, CredentialStamp, Error, Handle, PrincipalId, Session, SessionLayer, SessionSlot,
    store::{
        Answer, Created, Cursor, Entered, Entry, Loaded, MemoryStore, PrincipalIndex, Record,
        SessionStore, StoreError, Updated, Version, Walked,
    },
};
use tokio::sync::Semaphore;
use tower::{Layer, ServiceExt, service_fn};

/// What a test's handler answers.
pub(crate) type Answered = Result<StatusCode, Error>;

/// A handler as a table keeps it.
pub(crate) type Handler =
    Box<dyn FnOnce(Session) -> Pin<Box<dyn Future<Output = Answered> + Send>> + Send>;

/// Boxes a handler for a table.
pub(crate) fn handler<F>(handler: impl FnOnce(Session) -> F + Send + 'static) -> Handler
where
    F: Future<Output = Answered> + Send + 'static,
{
    Box::new(move |session| Box::pin(handler(session)))
}

/// A store, its clock, and a layer on it.
pub(crate) struct Site {
    pub(crate) store: Recorder,
    pub(crate) clock: Clock,
    pub(crate) layer: SessionLayer,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(
        settings: impl FnOnce(tenure::SessionLayerBuilder) -> tenure::SessionLayerBuilder,
    ) -> Self {
        let clock = Clock::manual();
        let store = Recorder::new(MemoryStore::new().with_clock(clock.clone()));
        let layer = settings(SessionLayer::builder(store.clone()))
            .build()
            .unwrap();
        Self {
            store,
            clock,
            layer,
        }
    }

    /// Makes a site whose store lets others go first before it answers, as an engine does.
    pub(crate) fn slow() -> Self {
        let mut site = Self::new();
        site.store.yields = true;
        site.layer = SessionLayer::new(site.store.clone());
        site
    }

    /// Makes a site whose store keeps an index of principals.
    pub(crate) fn with_index(
        settings: impl FnOnce(tenure::SessionLayerBuilder) -> tenure::SessionLayerBuilder,
    ) -> Self {
        let mut site = Self::new();
        site.store.has_index = true;
        let builder = SessionLayer::builder(site.store.clone());
        site.layer = settings(builder).build().unwrap();
        site
    }

    /// Returns a browser that has not been here yet.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            layer: self.layer.clone(),
            cookie: None,
        }
    }

    /// Returns a browser that has a session with the value `a = 1`, and forgets what that took.
    pub(crate) async fn visitor(&self) -> Browser {
        let mut browser = self.browser();
        let response = browser
            .visit(|session| async move {
                session.insert("a", 1)?;
                Ok(StatusCode::OK)
            })
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        self.store.calls();
        browser
    }

    /// Returns a browser with a session of `principal` and the value `a = 1`, and forgets what that took.
    pub(crate) async fn member(&self, principal: &'static str) -> Browser {
        let mut browser = self.visitor().await;
        let response = browser
            .visit(move |session| async move {
                session.login(principal)?;
                Ok(StatusCode::OK)
            })
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        self.store.calls();
        browser
    }
}

/// A browser as far as one cookie goes. A clone is another tab that has the cookie it had when it was opened.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) layer: SessionLayer,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    /// Sends a request that a handler answers, and takes the cookie in.
    pub(crate) async fn visit<F>(
        &mut self,
        handler: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response<String>
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        let response = self.send(Request::new(String::new()), handler).await;
        self.take_in(response.headers());
        response
    }

    /// Sends a request and keeps the cookie it has.
    pub(crate) async fn send<F>(
        &self,
        mut request: Request<String>,
        handler: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response<String>
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        if let Some(cookie) = &self.cookie {
            request
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
        }
        send(&self.layer, request, handler).await
    }

    /// Does what a browser does with `Set-Cookie`.
    pub(crate) fn take_in(&mut self, headers: &HeaderMap) {
        for field in headers.get_all(header::SET_COOKIE) {
            let text = field.to_str().unwrap();
            let pair = text.split(';').next().unwrap();
            self.cookie = (!text.contains("Max-Age=0")).then(|| pair.to_owned());
        }
    }

    /// Reads a number out of the session.
    pub(crate) async fn read(&self, key: &'static str) -> Option<u32> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let read = move |session: Session| async move {
            sender.send(session.get::<u32>(key)?).unwrap();
            Ok(StatusCode::OK)
        };
        let response = self.send(Request::new(String::new()), read).await;
        assert_eq!(response.status(), StatusCode::OK);
        receiver.await.unwrap()
    }

    /// Says who is signed in.
    pub(crate) async fn principal(&self) -> Option<String> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let ask = move |session: Session| async move {
            sender
                .send(session.principal().map(|principal| principal.to_string()))
                .unwrap();
            Ok(StatusCode::OK)
        };
        self.send(Request::new(String::new()), ask).await;
        receiver.await.unwrap()
    }
}

/// What a response says of the cookie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    Id,
    Nothing,
    Removal,
}

/// Reads what a response says of the cookie.
pub(crate) fn told(response: &Response<String>) -> Told {
    match response.headers().get(header::SET_COOKIE) {
        None => Told::Nothing,
        Some(field) if field.to_str().unwrap().contains("Max-Age=0") => Told::Removal,
        Some(_) => Told::Id,
    }
}

/// Sends a request through a layer to a handler.
pub(crate) async fn send<F>(
    layer: &SessionLayer,
    request: Request<String>,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> Response<String>
where
    F: Future<Output = Answered> + Send + 'static,
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
            Ok::<_, std::convert::Infallible>(answered.map_or_else(
                |error| error.to_response(),
                |status| {
                    let mut response = Response::new(String::new());
                    *response.status_mut() = status;
                    response
                },
            ))
        }
    });
    layer.layer(service).oneshot(request).await.unwrap()
}

/// Returns the handle in `name=value`: the first 16 of its bytes, as far as whole characters show them.
pub(crate) fn handle_in(cookie: &str) -> String {
    cookie.split('=').nth(1).unwrap()[..21].to_owned()
}

/// Makes a request that another site's form has sent.
pub(crate) fn cross_site_post() -> Request<String> {
    Request::builder()
        .method(Method::POST)
        .header("sec-fetch-site", "cross-site")
        .body(String::new())
        .unwrap()
}

/// What a store does wrong, once.
pub(crate) enum Fault {
    /// It waits at a gate before it does what it is asked.
    Gate(Gate),
    /// It does what it is asked and never answers.
    HangAfter,
    /// It does nothing and never answers.
    HangBefore,
    /// It does what it is asked, and the answer is lost.
    LostAfter,
    /// The question is lost.
    LostBefore,
    /// It refuses.
    Unavailable,
}

/// A place where one waits until another lets him through.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Waits until somebody stands at the gate.
    pub(crate) async fn reached(&self) {
        self.0.0.acquire().await.unwrap().forget();
    }

    /// Lets one through.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(1);
    }

    /// Stands at the gate until it is opened.
    pub(crate) async fn pass(&self) {
        self.0.0.add_permits(1);
        self.0.1.acquire().await.unwrap().forget();
    }
}

/// A memory store that records its calls and fails on demand.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) inner: MemoryStore,
    calls: Arc<Mutex<Vec<&'static str>>>,
    faults: Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    /// It lets others go first before it answers, as an engine does.
    pub(crate) yields: bool,
    /// It keeps an index of principals.
    has_index: bool,
}

impl Recorder {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            calls: Arc::default(),
            faults: Arc::default(),
            yields: false,
            has_index: false,
        }
    }

    /// Returns what it was asked since this was asked last.
    pub(crate) fn calls(&self) -> String {
        std::mem::take(&mut *self.calls.lock().unwrap()).join(" ")
    }

    /// Does something wrong the next time a verb is asked for; several for one verb come in order.
    pub(crate) fn fail(&self, verb: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push_back((verb, fault));
    }

    /// Does nothing wrong any more.
    pub(crate) fn forget_faults(&self) {
        self.faults.lock().unwrap().clear();
    }

    fn carry_out<T: Send + Unpin + 'static>(
        &self,
        verb: &'static str,
        call: impl FnOnce(&MemoryStore) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        self.calls.lock().unwrap().push(verb);
        let mut faults = self.faults.lock().unwrap();
        let place = faults.iter().position(|(failing, _)| *failing == verb);
        let fault = place.and_then(|place| faults.remove(place));
        drop(faults);
        let inner = self.inner.clone();
        match fault.map(|(_, fault)| fault) {
            None if self.yields => Answer::later(async move {
                tokio::task::yield_now().await;
                let done = call(&inner).await;
                tokio::task::yield_now().await;
                done
            }),
            None => call(&inner),
            Some(Fault::Gate(gate)) => Answer::later(async move {
                gate.pass().await;
                call(&inner).await
            }),
            Some(Fault::HangAfter) => {
                let done = call(&inner);
                Answer::later(async move {
                    drop(done.await);
                    std::future::pending().await
                })
            }
            Some(Fault::HangBefore) => Answer::later(std::future::pending()),
            Some(Fault::LostAfter) => {
                let done = call(&inner);
                Answer::later(async move {
                    drop(done.await);
                    Err(StoreError::unknown("connection lost"))
                })
            }
            Some(Fault::LostBefore) => Answer::ready(Err(StoreError::unknown("connection lost"))),
            Some(Fault::Unavailable) => Answer::ready(Err(StoreError::unavailable("refused"))),
        }
    }
}

impl SessionStore for Recorder {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let (handle, record) = (*handle, record.clone());
        self.carry_out("create", move |store| {
            store.create(&handle, &record, expires_in)
        })
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let handle = *handle;
        self.carry_out("load", move |store| store.load(&handle))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let (handle, record) = (*handle, record.clone());
        self.carry_out("update", move |store| {
            store.update(&handle, expected, &record, expires_in)
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let handle = *handle;
        self.carry_out("touch", move |store| {
            store.touch(&handle, expected, expires_in)
        })
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let handle = *handle;
        self.carry_out("delete", move |store| store.delete(&handle))
    }

    fn now(&self) -> Option<tenure::Timestamp> {
        self.inner.now()
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        self.has_index.then_some(self)
    }
}

impl PrincipalIndex for Recorder {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let (principal, stamp) = (principal.clone(), stamp.copied());
        self.carry_out("enter", move |store| {
            store.enter(&principal, entry, stamp.as_ref(), most)
        })
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let principal = principal.clone();
        self.carry_out("entries", move |store| store.entries(&principal))
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let (principal, entries) = (principal.clone(), entries.to_vec());
        self.carry_out("leave", move |store| store.leave(&principal, &entries))
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let (principal, stamp) = (principal.clone(), *stamp);
        self.carry_out("restamp", move |store| store.restamp(&principal, &stamp))
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let handles = handles.to_vec();
        self.carry_out("load_all", move |store| store.load_all(&handles))
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let from = from.cloned();
        self.carry_out("walk", move |store| store.walk(from.as_ref(), most))
    }
}
