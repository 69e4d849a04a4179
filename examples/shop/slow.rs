//! A store that takes its time, to see what a store far away feels like, and what a visitor is told when it does not
//! answer: the layer waits two seconds for a load.

use std::{future::Future, sync::Arc, time::Duration};

use tenure::{
    Handle, Timestamp,
    store::{Answer, Created, Loaded, Record, SessionStore, StoreError, Updated, Version},
};

pub(crate) struct Slow<S> {
    store: Arc<S>,
    delay: Duration,
}

impl<S: SessionStore> Slow<S> {
    pub(crate) fn new(store: S, delay: Duration) -> Self {
        Self {
            store: Arc::new(store),
            delay,
        }
    }

    fn later<T, F>(&self, verb: impl FnOnce(Arc<S>) -> F + Send + 'static) -> Answer<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
        T: 'static,
    {
        let (store, delay) = (self.store.clone(), self.delay);
        Answer::later(async move {
            tokio::time::sleep(delay).await;
            verb(store).await
        })
    }
}

impl<S: SessionStore> SessionStore for Slow<S> {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let (handle, record) = (*handle, record.clone());
        self.later(move |store| store.create(&handle, &record, expires_in))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let handle = *handle;
        self.later(move |store| store.load(&handle))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let (handle, record) = (*handle, record.clone());
        self.later(move |store| store.update(&handle, expected, &record, expires_in))
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let handle = *handle;
        self.later(move |store| store.touch(&handle, expected, expires_in))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let handle = *handle;
        self.later(move |store| store.delete(&handle))
    }

    fn now(&self) -> Option<Timestamp> {
        self.store.now()
    }
}
