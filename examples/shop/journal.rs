//! What the store was asked, request by request, so that the shop can show it.
//!
//! A store around a store sees every call; a task-local tells it the request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{extract::Request, middleware::Next, response::Response};
use tenure::{
    CredentialStamp, Handle, PrincipalId, Timestamp,
    store::{
        Answer, Created, Cursor, Entered, Entry, Loaded, PrincipalIndex, Record, SessionStore,
        Updated, Version, Walked,
    },
};

/// What one request asked of the store for one session.
#[derive(Clone)]
pub(crate) struct Line {
    handle: Handle,
    pub(crate) request: Arc<str>,
    pub(crate) verbs: Vec<&'static str>,
}

/// Names the request for everything that happens in it.
pub(crate) async fn begin(request: Request, next: Next) -> Response {
    let name = format!("{} {}", request.method(), request.uri().path());
    REQUEST.scope(name.into(), next.run(request)).await
}

/// Returns the last lines of a session, this request's first.
pub(crate) fn of(handle: &Handle) -> Vec<Line> {
    let theirs = |line: &&Line| line.handle == *handle;
    let lines = lines();
    lines.iter().filter(theirs).take(SHOWN).cloned().collect()
}

/// A store whose calls are written down.
pub(crate) struct Journaled<S>(pub(crate) S);

impl<S: SessionStore> SessionStore for Journaled<S> {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        note(handle, "create");
        self.0.create(handle, record, expires_in)
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        note(handle, "load");
        self.0.load(handle)
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        note(handle, "update");
        self.0.update(handle, expected, record, expires_in)
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        note(handle, "touch");
        self.0.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        note(handle, "delete");
        self.0.delete(handle)
    }

    fn now(&self) -> Option<Timestamp> {
        self.0.now()
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        self.0.index().map(|_| self as _)
    }
}

/// What concerns one session is written down.
impl<S: SessionStore> PrincipalIndex for Journaled<S> {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        note(&entry.handle, "enter");
        self.inner().enter(principal, entry, stamp, most)
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        self.inner().entries(principal)
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        self.inner().leave(principal, entries)
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        self.inner().restamp(principal, stamp)
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        self.inner().load_all(handles)
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        self.inner().walk(from, most)
    }

    fn count(&self) -> Answer<Option<u64>> {
        self.inner().count()
    }
}

impl<S: SessionStore> Journaled<S> {
    fn inner(&self) -> &dyn PrincipalIndex {
        self.0.index().expect("it was asked for")
    }
}

fn note(handle: &Handle, verb: &'static str) {
    let Ok(request) = REQUEST.try_with(Arc::clone) else {
        return;
    };
    let mut lines = lines();
    let same = |line: &&mut Line| line.handle == *handle && Arc::ptr_eq(&line.request, &request);
    match lines.iter_mut().find(same) {
        Some(line) => line.verbs.push(verb),
        None => lines.push_front(Line {
            handle: *handle,
            request,
            verbs: vec![verb],
        }),
    }
    lines.truncate(KEPT);
}

fn lines() -> MutexGuard<'static, VecDeque<Line>> {
    static LINES: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());
    LINES
        .lock()
        .expect("nothing panics while it holds the lines")
}

tokio::task_local! {
    static REQUEST: Arc<str>;
}

const KEPT: usize = 1_000;
const SHOWN: usize = 5;
