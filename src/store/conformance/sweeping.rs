//! The contract of [`Sweep`] as tests.

use std::sync::Arc;

use super::{
    Clocked, HOUR, SHORT, Subject, TICK, create, handle, loaded, record, sentences, version,
};
use crate::store::{SessionStore, Sweep, Updated};

/// A store to be tested that sweeps.
pub trait Swept: Subject {
    /// Returns what sweeps it.
    fn sweep(&self) -> Arc<dyn Sweep>;
}

impl<S: SessionStore + Sweep + Clone> Swept for S {
    fn sweep(&self) -> Arc<dyn Sweep> {
        Arc::new(self.clone())
    }
}

impl<S: SessionStore + Sweep + Clone> Swept for Clocked<S> {
    fn sweep(&self) -> Arc<dyn Sweep> {
        Arc::new(self.0.clone())
    }
}

sentences! { $ Swept sweep_conformance sweep_conformance SWEEP_SENTENCES

/// A sweep removes what has been expired for as long as it had to live, and nothing else.
a_sweep_removes_what_has_expired(subject) {
    let store = subject.store();
    let live = handle();
    create(&*store, live, &record(1, b"live"), HOUR).await;
    for _ in 0..5 {
        create(&*store, handle(), &record(1, b"expired"), SHORT).await;
    }
    assert_eq!(subject.sweep().sweep(100).await.unwrap(), 0, "nothing has expired");
    subject.wait(SHORT * 2 + TICK).await;
    assert_eq!(subject.sweep().sweep(100).await.unwrap(), 5);
    assert_eq!(subject.sweep().sweep(100).await.unwrap(), 0, "they were removed");
    assert_eq!(loaded(&*store, live).await.record, record(1, b"live"));
}

/// A record that was given more time by a touch or an update is not removed when its first time has passed.
a_sweep_spares_what_was_given_more_time(subject) {
    let (store, touched, updated) = (subject.store(), handle(), handle());
    create(&*store, touched, &record(1, b""), SHORT).await;
    create(&*store, updated, &record(1, b""), SHORT).await;
    assert!(store.touch(&touched, version(1), HOUR).await.unwrap());
    assert_eq!(store.update(&updated, version(1), &record(2, b""), HOUR).await.unwrap(), Updated::Done);
    subject.wait(SHORT * 2 + TICK).await;
    subject.sweep().sweep(100).await.unwrap();
    assert!(store.load(&touched).await.unwrap().is_some(), "the touched one was removed");
    assert!(store.load(&updated).await.unwrap().is_some(), "the updated one was removed");
}

/// A record that was created on an expired one's handle is not removed in its stead.
a_sweep_spares_what_was_created_on_an_expired_handle(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b""), SHORT).await;
    subject.wait(SHORT * 2 + TICK).await;
    create(&*store, handle, &record(2, b""), HOUR).await;
    subject.sweep().sweep(100).await.unwrap();
    assert_eq!(loaded(&*store, handle).await.record, record(2, b""));
}

/// A sweep removes no more than it may.
a_sweep_removes_no_more_than_it_may(subject) {
    let store = subject.store();
    for _ in 0..7 {
        create(&*store, handle(), &record(1, b""), SHORT).await;
    }
    subject.wait(SHORT * 2 + TICK).await;
    let sweep = subject.sweep();
    for (most, removed) in [(0, 0), (3, 3), (3, 3), (3, 1), (3, 0)] {
        assert_eq!(sweep.sweep(most).await.unwrap(), removed, "of at most {most}");
    }
}

/// Sweeps at the same time do not fail, and remove nothing twice.
sweeps_at_the_same_time_share_the_work(subject) {
    let store = subject.store();
    for _ in 0..RECORDS {
        create(&*store, handle(), &record(1, b""), SHORT).await;
    }
    subject.wait(SHORT * 2 + TICK).await;
    let sweepers = (0..SWEEPERS).map(|_| {
        let sweep = subject.sweep();
        tokio::spawn(async move {
            let mut removed = 0;
            for _ in 0..RECORDS / SWEEPERS {
                removed += sweep.sweep(SWEEPERS).await.unwrap();
            }
            removed
        })
    });
    let mut removed = 0;
    for sweeper in sweepers.collect::<Vec<_>>() {
        removed += sweeper.await.unwrap();
    }
    removed += subject.sweep().sweep(RECORDS).await.unwrap();
    assert_eq!(removed, RECORDS, "they have counted {removed} of {RECORDS}");
}

}

const RECORDS: usize = 64;
const SWEEPERS: usize = 8;
