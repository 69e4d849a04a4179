//! A store whose answers get lost.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tenure::{
    Handle,
    store::{Answer, Created, Loaded, Record, SessionStore, StoreError, Updated, Version},
};

/// A store between which and its engine an answer gets lost on demand, or a question.
#[derive(Clone)]
pub struct Lossy {
    inner: Arc<dyn SessionStore>,
    losses: Arc<Mutex<VecDeque<(&'static str, Lost)>>>,
}

/// What gets lost on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lost {
    Answer,
    Nothing,
    Question,
}

impl Lossy {
    pub fn new(inner: Arc<dyn SessionStore>) -> Self {
        Self {
            inner,
            losses: Arc::default(),
        }
    }

    /// Loses the next question or answer of a verb.
    pub fn lose(&self, verb: &'static str, lost: Lost) {
        self.losses.lock().unwrap().push_back((verb, lost));
    }

    fn carry_out<T: Send + Unpin + 'static>(
        &self,
        verb: &'static str,
        call: impl FnOnce(&dyn SessionStore) -> Answer<T>,
    ) -> Answer<T> {
        let mut losses = self.losses.lock().unwrap();
        let place = losses.iter().position(|(losing, _)| *losing == verb);
        let lost = place.and_then(|place| losses.remove(place));
        let gone = || StoreError::unknown("connection lost");
        match lost.map_or(Lost::Nothing, |(_, lost)| lost) {
            Lost::Nothing => call(&*self.inner),
            Lost::Question => Answer::ready(Err(gone())),
            Lost::Answer => {
                let answer = call(&*self.inner);
                Answer::later(async move {
                    drop(answer.await);
                    Err(gone())
                })
            }
        }
    }
}

impl SessionStore for Lossy {
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
        self.carry_out("update", |store| {
            store.update(handle, expected, record, expires_in)
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        self.inner.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        self.carry_out("delete", |store| store.delete(handle))
    }

    fn now(&self) -> Option<tenure::Timestamp> {
        self.inner.now()
    }
}
