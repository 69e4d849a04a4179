//! A store at which logins can be held between the index and the record.

use std::{sync::Arc, time::Duration};

use tenure::{
    Handle, Timestamp,
    store::{Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, Updated, Version},
};
use tokio::sync::watch;

/// A store whose writes that bind a record wait while its gate is closed.
#[derive(Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

/// Open at first.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Default)]
struct State {
    is_closed: bool,
    arrived: usize,
}

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    pub fn close(&self) {
        self.0.send_modify(|state| state.is_closed = true);
    }

    pub fn open(&self) {
        self.0.send_modify(|state| state.is_closed = false);
    }

    /// Waits until so many have come to the gate.
    pub async fn arrived(&self, count: usize) {
        let mut states = self.0.subscribe();
        let state = states.wait_for(|state| state.arrived >= count).await;
        drop(state);
    }

    async fn pass(self) {
        self.0.send_modify(|state| state.arrived += 1);
        let mut states = self.0.subscribe();
        let state = states.wait_for(|state| !state.is_closed).await;
        drop(state);
    }
}

impl<S> Gated<S> {
    pub const fn new(inner: S, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

impl<S: SessionStore + PrincipalIndex + Clone> SessionStore for Gated<S> {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        self.inner.create(handle, record, expires_in)
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        self.inner.load(handle)
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        if record.principal().is_none() {
            return self.inner.update(handle, expected, record, expires_in);
        }
        let (inner, gate) = (self.inner.clone(), self.gate.clone());
        let (handle, record) = (*handle, record.clone());
        Answer::later(async move {
            gate.pass().await;
            inner.update(&handle, expected, &record, expires_in).await
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        self.inner.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        self.inner.delete(handle)
    }

    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        Some(&self.inner)
    }
}
