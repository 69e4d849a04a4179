//! A hand-written minimum: a byte scan for the cookie, SHA-256, a sharded map, values kept serialized one by one.
//!
//! It promises nothing: no versions, no errors, no expiry that moves, no caching headers.

use std::{
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
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tower::{Layer, Service};

use crate::workload::{Comes, Subject, Workload, begin, values};

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
    /// What the id is stored under, once it was looked up and found.
    key: Option<Key>,
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
            if let Some(id) = &self.id {
                let key = hash(id);
                state.values = self.store.load(&key);
                state.key = state.values.is_some().then_some(key);
            }
        }
        act(&mut state)
    }

    fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.with(|state| {
            let values = state.written.as_ref().or(state.values.as_ref())?;
            let (_, range) = entries(values).find(|(name, _)| *name == key.as_bytes())?;
            serde_json::from_slice(&values[range]).ok()
        })
    }

    fn insert(&self, key: &str, value: impl Serialize) {
        self.with(|state| {
            let old: &[u8] = state
                .written
                .as_ref()
                .or(state.values.as_ref())
                .map_or(&[], |old| old);
            let mut new = Vec::with_capacity(old.len() + key.len() + 32);
            for (name, range) in entries(old).filter(|(name, _)| *name != key.as_bytes()) {
                new.extend_from_slice(&old[range.start - name.len() - 5..range.end]);
            }
            new.push(key.len() as u8);
            new.extend_from_slice(key.as_bytes());
            let start = new.len() + 4;
            new.extend_from_slice(&[0; 4]);
            serde_json::to_writer(&mut new, &value).unwrap();
            let len = (new.len() - start) as u32;
            new[start - 4..start].copy_from_slice(&len.to_be_bytes());
            state.written = Some(new.into());
        });
    }

    /// Saves what was changed, and returns the cookie of a new id.
    fn commit(&self) -> Option<HeaderValue> {
        let mut state = self.state.lock().unwrap();
        let written = state.written.take();
        match state.key {
            Some(key) if state.cycle => {
                self.store.shard(&key).lock().unwrap().remove(&key);
                self.create(written.or(state.values.take())?)
            }
            Some(key) => {
                self.store.save(key, written?);
                None
            }
            None => self.create(written?),
        }
    }

    fn create(&self, values: Flat) -> Option<HeaderValue> {
        let mut id = [0; 48];
        getrandom::fill(&mut id).unwrap();
        self.store.save(hash(&id), values);
        Some(set_cookie(&id))
    }
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

const NAME: &[u8] = b"__Host-Http-id=";
const ATTRIBUTES: &[u8] = b"; Path=/; HttpOnly; SameSite=Lax; Secure";

fn set_cookie(id: &Id) -> HeaderValue {
    let mut text = Vec::with_capacity(NAME.len() + 64 + ATTRIBUTES.len());
    text.extend_from_slice(NAME);
    for group in id.chunks_exact(3) {
        let word = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        text.extend([18, 12, 6, 0].map(|shift| ALPHABET[(word >> shift) as usize & 63]));
    }
    text.extend_from_slice(ATTRIBUTES);
    HeaderValue::try_from(text).unwrap()
}

fn read_id(headers: &HeaderMap) -> Option<Id> {
    let field = headers.get(COOKIE)?.as_bytes();
    let value = field
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii_start().strip_prefix(NAME))?;
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
    Subject::new(app, workload, begin).checked(workload)
}

fn fill(session: &Session, comes: Comes) -> &'static str {
    values(comes)
        .iter()
        .for_each(|(key, value)| session.0.insert(key, value));
    "ok"
}

async fn read(session: Session) -> &'static str {
    match session.0.get::<u32>("visits") {
        Some(_) => "found",
        None => "missing",
    }
}

async fn write(session: Session) -> &'static str {
    session.0.insert("visits", 10_000);
    "ok"
}

async fn read_write(session: Session) -> &'static str {
    let Some(visits) = session.0.get::<u32>("visits") else {
        return "missing";
    };
    session.0.insert("visits", visits + 1);
    "found"
}

async fn cycle(session: Session) -> &'static str {
    session.0.with(|state| state.cycle = true);
    "ok"
}
