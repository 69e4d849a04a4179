//! `actix-session` on its own framework, its cookies encrypted, as is its default.
//!
//! It publishes no store in memory: what stands below keeps its states in one map, as its trait hands them over. `sliding`
//! moves the expiry with every request: the documented `TtlExtensionPolicy::OnEveryRequest`.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Instant,
};

use actix_http::Request;
use actix_session::{
    Session, SessionMiddleware,
    config::{BrowserSession, TtlExtensionPolicy},
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::{
    App, Error,
    body::{BodySize, MessageBody as _},
    cookie::{Key, time::Duration},
    dev::{Service, ServiceResponse},
    http::header::{COOKIE, HeaderValue, SET_COOKIE},
    test::{TestRequest, init_service},
    web,
};

use super::{
    Answers,
    requests::{Requests, Unknown},
};
use crate::{
    finish,
    workload::{Comes, Workload, values},
};

/// What a request brings, in the terms of this framework.
pub(crate) type Cookie = HeaderValue;

/// A site of actix and what it is sent.
struct OnActix<S> {
    site: S,
    requests: Requests<HeaderValue>,
}

pub(crate) fn noop(workload: &Workload) -> Box<dyn Answers> {
    let cookie = || HeaderValue::from_static(AS_LONG_AS_OTHERS);
    let requests = Requests::new(
        workload,
        Box::new(cookie),
        Box::new(cookie),
        Unknown::Always,
    );
    let site = finish(idle_site());
    Box::new(OnActix { site, requests })
}

/// Handlers that have no session, behind a layer that does nothing.
pub(crate) async fn idle_site() -> impl Site {
    let answer = || web::get().to(|| async { "ok" });
    let app = App::new()
        .wrap_fn(|request, inner| inner.call(request))
        .route("/unused", answer())
        .route("/read", answer())
        .route("/write", answer())
        .route("/read-write", answer())
        .route("/cycle", answer());
    init_service(app).await
}

pub(crate) fn subject(workload: &Workload) -> Box<dyn Answers> {
    prepared(workload, &TtlExtensionPolicy::OnStateChanges)
}

pub(crate) fn sliding(workload: &Workload) -> Box<dyn Answers> {
    prepared(workload, &TtlExtensionPolicy::OnEveryRequest)
}

fn prepared(workload: &Workload, policy: &TtlExtensionPolicy) -> Box<dyn Answers> {
    let comes = workload.comes;
    let open = || finish(site(Memory::default(), policy.clone(), comes));
    let (here, elsewhere) = (Rc::new(open()), open());
    let site = here.clone();
    let requests = Requests::new(
        workload,
        Box::new(move || finish(begin(&*here))),
        Box::new(move || finish(begin(&elsewhere))),
        Unknown::Always,
    );
    let mut subject = OnActix { site, requests };
    subject.check(workload);
    Box::new(subject)
}

/// What answers requests of actix.
pub(crate) trait Site: Service<Request, Response = ServiceResponse, Error = Error> {}

impl<S: Service<Request, Response = ServiceResponse, Error = Error>> Site for S {}

/// The handlers on a store, with sessions of 30 minutes.
pub(crate) async fn site(
    store: impl SessionStore + 'static,
    policy: TtlExtensionPolicy,
    comes: Comes,
) -> impl Site {
    let lifecycle = BrowserSession::default()
        .state_ttl(Duration::minutes(30))
        .state_ttl_extension_policy(policy);
    // One key for all sites of a run, so that an id of one can be read and is unknown in another.
    let sessions = SessionMiddleware::builder(store, Key::from(&KEY))
        .session_lifecycle(lifecycle)
        .build();
    let app = App::new()
        .wrap(sessions)
        .route("/unused", web::get().to(|| async { "ok" }))
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/read-write", web::get().to(read_write))
        .route("/cycle", web::get().to(cycle))
        .route(
            "/fill",
            web::get().to(move |session: Session| async move { fill(&session, comes) }),
        );
    init_service(app).await
}

/// Starts a session by the path that fills one, and returns its cookie as a browser would send it.
pub(crate) async fn begin(site: &impl Site) -> HeaderValue {
    let request = TestRequest::with_uri("/fill").to_request();
    let response = site.call(request).await.expect("an answer");
    let set = response.headers().get(SET_COOKIE).expect("a cookie");
    let pair = set.as_bytes().split(|byte| *byte == b';').next();
    HeaderValue::from_bytes(pair.unwrap_or_default()).expect("a header")
}

/// Makes a request with a cookie, if there is one.
pub(crate) fn request(path: &str, cookie: Option<HeaderValue>) -> Request {
    let request = TestRequest::with_uri(path);
    match cookie {
        Some(cookie) => request.insert_header((COOKIE, cookie)).to_request(),
        None => request.to_request(),
    }
}

impl<S: Site> OnActix<S> {
    fn check(&mut self, workload: &Workload) {
        self.prepare(1);
        let request = request(self.requests.path, self.requests.cookie());
        let response = finish(self.site.call(request)).expect("an answer");
        assert!(response.status().is_success(), "{}", workload.name);
        let length = response.response().body().size();
        assert_eq!(length, BodySize::Sized(workload.answers.len() as u64));
        let sets_cookie = response.headers().contains_key(SET_COOKIE);
        assert!(!workload.sets_cookie || sets_cookie, "{}", workload.name);
    }
}

impl<S: Site> Answers for OnActix<S> {
    fn prepare(&mut self, requests: u32) {
        self.requests.prepare(requests);
    }

    fn answer(&mut self) {
        let request = request(self.requests.path, self.requests.cookie());
        drop(finish(self.site.call(request)));
    }
}

fn fill(session: &Session, comes: Comes) -> Result<&'static str, Error> {
    for (key, value) in values(comes) {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn read(session: Session) -> Result<&'static str, Error> {
    Ok(match session.get::<u32>("visits")? {
        Some(_) => "found",
        None => "missing",
    })
}

async fn write(session: Session) -> Result<&'static str, Error> {
    session.insert("visits", 10_000)?;
    Ok("ok")
}

async fn read_write(session: Session) -> Result<&'static str, Error> {
    let Some(visits) = session.get::<u32>("visits")? else {
        return Ok("missing");
    };
    session.insert("visits", visits + 1)?;
    Ok("found")
}

async fn cycle(session: Session) -> Result<&'static str, Error> {
    session.renew();
    Ok("ok")
}

/// States in one map, until they expire.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<HashMap<String, Entry>>>);

struct Entry {
    state: State,
    expires: Instant,
}

type State = HashMap<String, String>;

impl Memory {
    fn put(&self, key: &SessionKey, state: State, ttl: &Duration) {
        let expires = Instant::now() + ttl.unsigned_abs();
        let mut entries = self.0.lock().expect("nobody panics");
        entries.insert(key.as_ref().to_owned(), Entry { state, expires });
    }
}

impl SessionStore for Memory {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let entries = self.0.lock().expect("nobody panics");
        let entry = entries.get(key.as_ref());
        let live = entry.filter(|entry| entry.expires > Instant::now());
        Ok(live.map(|entry| entry.state.clone()))
    }

    async fn save(&self, state: State, ttl: &Duration) -> Result<SessionKey, SaveError> {
        let key = new_key().map_err(SaveError::Other)?;
        self.put(&key, state, ttl);
        Ok(key)
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        self.put(&key, state, ttl);
        Ok(key)
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &Duration) -> anyhow::Result<()> {
        let mut entries = self.0.lock().expect("nobody panics");
        if let Some(entry) = entries.get_mut(key.as_ref()) {
            entry.expires = Instant::now() + ttl.unsigned_abs();
        }
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> anyhow::Result<()> {
        self.0.lock().expect("nobody panics").remove(key.as_ref());
        Ok(())
    }
}

/// Makes a key of as many characters as its stores for engines do.
fn new_key() -> anyhow::Result<SessionKey> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let digits = bytes
        .iter()
        .fold(String::with_capacity(64), |mut digits, byte| {
            digits.extend(
                [byte >> 4, byte & 15]
                    .map(|half| char::from(b"0123456789abcdef"[usize::from(half)])),
            );
            digits
        });
    Ok(digits.try_into()?)
}

const KEY: [u8; 64] = [7; 64];

/// A cookie that nobody reads.
const AS_LONG_AS_OTHERS: &str = "id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
