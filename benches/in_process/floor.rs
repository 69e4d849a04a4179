//! A hand-written minimum: a byte scan for the cookie, SHA-256, a sharded map, values kept serialized one by one.
//!
//! It promises nothing: no versions, no errors, no expiry that moves, no caching headers.

use std::{
    cell::Cell,
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderValue, Request, Response,
        header::{COOKIE, SET_COOKIE},
        request::Parts,
    },
    routing::get,
};
use pin_project_lite::pin_project;
use sha2::{Digest, Sha256};
use tower::{Layer, Service};

use crate::{
    finish,
    workload::{Comes, Subject, Workload, cookies, values},
};

type Id = [u8; 48];
type Key = [u8; 32];
type Flat = Arc<[u8]>;

struct Entry {
    values: Flat,
    expires: SystemTime,
}

struct Store([Mutex<HashMap<Key, Entry>>; 64]);

impl Store {
    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, Entry>> {
        &self.0[usize::from(key[0] & 63)]
    }

    fn load(&self, key: &Key) -> Option<Flat> {
        let shard = self.shard(key).lock().unwrap();
        let entry = shard
            .get(key)
            .filter(|entry| entry.expires > SystemTime::now())?;
        Some(entry.values.clone())
    }

    fn save(&self, key: Key, values: Flat) {
        let expires = SystemTime::now() + Duration::from_secs(1_800);
        self.shard(&key)
            .lock()
            .unwrap()
            .insert(key, Entry { values, expires });
    }
}

fn hash(id: &Id) -> Key {
    Sha256::digest(id).into()
}

#[derive(Default)]
struct State {
    loaded: bool,
    values: Option<Flat>,
    written: Option<Flat>,
    cycle: bool,
}

#[derive(Clone)]
struct Session(Arc<Slot>);

struct Slot {
    store: Arc<Store>,
    id: Option<Id>,
    state: Mutex<State>,
}

impl Slot {
    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap();
        if !state.loaded {
            state.loaded = true;
            state.values = self.id.and_then(|id| self.store.load(&hash(&id)));
        }
        act(&mut state)
    }

    fn get(&self, key: &str) -> Option<String> {
        self.with(|state| {
            let values = state.written.as_ref().or(state.values.as_ref())?;
            let (_, range) = entries(values).find(|(name, _)| *name == key.as_bytes())?;
            serde_json::from_slice(&values[range]).ok()
        })
    }

    fn insert(&self, key: &str, value: &str) {
        let json = serde_json::to_vec(value).unwrap();
        self.with(|state| {
            let old: &[u8] = state
                .written
                .as_ref()
                .or(state.values.as_ref())
                .map_or(&[], |old| old);
            let mut new = Vec::with_capacity(old.len() + json.len() + key.len() + 5);
            for (name, range) in entries(old).filter(|(name, _)| *name != key.as_bytes()) {
                push(&mut new, name, &old[range]);
            }
            push(&mut new, key.as_bytes(), &json);
            state.written = Some(new.into());
        });
    }

    /// Saves what was changed, and returns the cookie of a new id.
    fn commit(&self) -> Option<HeaderValue> {
        let mut state = self.state.lock().unwrap();
        let written = state.written.take();
        if state.cycle || (written.is_some() && state.values.is_none()) {
            let mut id = [0; 48];
            getrandom::fill(&mut id).unwrap();
            let values = written
                .or(state.values.take())
                .unwrap_or_else(|| Arc::new([]));
            if state.cycle
                && let Some(old) = self.id
            {
                self.store
                    .shard(&hash(&old))
                    .lock()
                    .unwrap()
                    .remove(&hash(&old));
            }
            self.store.save(hash(&id), values);
            return Some(set_cookie(&id));
        }
        if let (Some(written), Some(id)) = (written, self.id) {
            self.store.save(hash(&id), written);
        }
        None
    }
}

fn push(flat: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    flat.push(name.len() as u8);
    flat.extend_from_slice(name);
    flat.extend_from_slice(&(value.len() as u32).to_be_bytes());
    flat.extend_from_slice(value);
}

fn entries(flat: &[u8]) -> impl Iterator<Item = (&[u8], std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let len = usize::from(*flat.get(at)?);
        let name = &flat[at + 1..at + 1 + len];
        at += 1 + len;
        let len = u32::from_be_bytes(flat[at..at + 4].try_into().unwrap()) as usize;
        let range = at + 4..at + 4 + len;
        at = range.end;
        Some((name, range))
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut index = 0;
    while index < 64 {
        values[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    values
};

fn set_cookie(id: &Id) -> HeaderValue {
    let mut text = Vec::with_capacity(140);
    text.extend_from_slice(b"__Host-Http-id=");
    for group in id.chunks_exact(3) {
        let word = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        text.extend([18, 12, 6, 0].map(|shift| ALPHABET[(word >> shift) as usize & 63]));
    }
    text.extend_from_slice(b"; Path=/; HttpOnly; SameSite=Lax; Secure");
    HeaderValue::try_from(text).unwrap()
}

fn read_id(headers: &HeaderMap) -> Option<Id> {
    let field = headers.get(COOKIE)?.as_bytes();
    let value = field
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.strip_prefix(b"__Host-Http-id="))?;
    let mut id = [0; 48];
    for (text, bytes) in value.chunks_exact(4).zip(id.chunks_exact_mut(3)) {
        let word = text.iter().fold(0, |word, char| {
            word << 6 | u32::from(VALUES[*char as usize])
        });
        bytes.copy_from_slice(&word.to_be_bytes()[1..]);
    }
    (value.len() == 64).then_some(id)
}

#[derive(Clone)]
struct FloorLayer(Arc<Store>);

#[derive(Clone)]
struct Floor<S>(S, Arc<Store>);

impl<S> Layer<S> for FloorLayer {
    type Service = Floor<S>;

    fn layer(&self, inner: S) -> Floor<S> {
        Floor(inner, self.0.clone())
    }
}

impl<S: Service<Request<B>, Response = Response<R>>, B, R> Service<Request<B>> for Floor<S> {
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Commit<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let slot = Arc::new(Slot {
            store: self.1.clone(),
            id: read_id(request.headers()),
            state: Mutex::default(),
        });
        request.extensions_mut().insert(Session(slot.clone()));
        Commit {
            inner: self.0.call(request),
            slot,
        }
    }
}

pin_project! {
    struct Commit<F> {
        #[pin]
        inner: F,
        slot: Arc<Slot>,
    }
}

impl<F: Future<Output = Result<Response<R>, E>>, R, E> Future for Commit<F> {
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        if let Some(cookie) = this.slot.commit() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Poll::Ready(Ok(response))
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().unwrap().clone())
    }
}

pub(crate) fn subject(workload: &Workload) -> Subject {
    let comes = workload.comes;
    let store = Arc::new(Store(std::array::from_fn(|_| Mutex::default())));
    let app = Router::new()
        .route("/unused", get(|| async { "ok" }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/read-write", get(read_write))
        .route("/cycle", get(cycle))
        .route(
            "/fill",
            get(move |session: Session| async move { fill(&session, comes) }),
        )
        .layer(FloorLayer(store));
    let cookies = cookies(workload, || begin(&app));
    Subject {
        app,
        path: workload.path,
        cookies,
        next: Cell::new(0),
    }
}

fn begin(app: &Router) -> HeaderValue {
    let mut request = Request::new(axum::body::Body::empty());
    *request.uri_mut() = http::Uri::from_static("/fill");
    let response = finish(app.clone().call(request)).unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().parse().unwrap()
}

fn fill(session: &Session, comes: Comes) -> &'static str {
    values(comes)
        .iter()
        .for_each(|(key, value)| session.0.insert(key, value));
    "ok"
}

async fn read(session: Session) -> &'static str {
    std::hint::black_box(session.0.get("theme"));
    "ok"
}

async fn write(session: Session) -> &'static str {
    session.0.insert("theme", "dark");
    "ok"
}

async fn read_write(session: Session) -> &'static str {
    let theme = session.0.get("theme");
    session.0.insert(
        "theme",
        if theme.as_deref() == Some("dark") {
            "pale"
        } else {
            "dark"
        },
    );
    "ok"
}

async fn cycle(session: Session) -> &'static str {
    session.0.with(|state| state.cycle = true);
    "ok"
}
