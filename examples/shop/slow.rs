//! A store that takes its time, to see what a store far away feels like, and what a visitor is told when it does not
//! answer: the layer waits two seconds for a load.

use std::{future::Future, sync::Arc, time::Duration};

use tenure::{
    CredentialStamp, Handle, PrincipalId, Timestamp,
    store::{
        Answer, Created, Cursor, Entered, Entry, Loaded, PrincipalIndex, Record, SessionStore,
        StoreError, Updated, Version, Walked,
    },
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

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        self.store.index().map(|_| self as _)
    }
}

impl<S: SessionStore> PrincipalIndex for Slow<S> {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let (principal, stamp) = (principal.clone(), stamp.copied());
        self.later(move |store| index(&*store).enter(&principal, entry, stamp.as_ref(), most))
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let principal = principal.clone();
        self.later(move |store| index(&*store).entries(&principal))
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let (principal, entries) = (principal.clone(), entries.to_vec());
        self.later(move |store| index(&*store).leave(&principal, &entries))
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let (principal, stamp) = (principal.clone(), *stamp);
        self.later(move |store| index(&*store).restamp(&principal, &stamp))
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let handles = handles.to_vec();
        self.later(move |store| index(&*store).load_all(&handles))
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let from = from.cloned();
        self.later(move |store| index(&*store).walk(from.as_ref(), most))
    }

    fn count(&self) -> Answer<Option<u64>> {
        self.later(move |store| index(&*store).count())
    }
}

fn index(store: &impl SessionStore) -> &dyn PrincipalIndex {
    store.index().expect("it was asked for")
}
