//! `SqliteStore` keeps the contract on real files.

#[path = "../bed/mod.rs"]
mod bed;
mod contention;
mod faults;
mod index;
mod leftovers;
mod live;
mod model;
mod principals;
mod promises;
#[cfg(feature = "keyring")]
mod rows;
#[cfg(feature = "keyring")]
mod sealed;
mod setup;
mod together;

use std::{sync::Arc, time::Duration};

use bed::{folder::Folder, visitor};
use tenure::{
    Clock, Handle, SessionLayer,
    store::{
        PrincipalIndex, Record, SessionStore, SqliteStore, Sweep, Version,
        conformance::{Indexed, Subject, Swept},
    },
};

/// A database in a folder of its own, which is gone with it.
#[derive(Debug)]
struct File(Folder);

impl File {
    fn new() -> Self {
        Self(Folder::new("sqlite"))
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("sessions.db").display())
    }

    /// Opens the file as a process does that starts.
    async fn open(&self) -> SqliteStore {
        let store = SqliteStore::connect(&self.url()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }
}

mod in_a_file {
    use super::*;

    struct Stored(
        SqliteStore,
        #[expect(dead_code, reason = "kept while it is used")] File,
    );

    impl Subject for Stored {
        fn store(&self) -> Arc<dyn SessionStore> {
            Arc::new(self.0.clone())
        }

        async fn wait(&self, duration: Duration) {
            tokio::time::sleep(duration).await;
        }
    }

    impl Swept for Stored {
        fn sweep(&self) -> Arc<dyn Sweep> {
            Arc::new(self.0.clone())
        }
    }

    impl Indexed for Stored {
        fn index(&self) -> Arc<dyn PrincipalIndex> {
            Arc::new(self.0.clone())
        }
    }

    async fn stored() -> Stored {
        let file = File::new();
        Stored(file.open().await, file)
    }

    tenure::store_conformance!(stored().await);
    tenure::sweep_conformance!(stored().await);
    tenure::index_conformance!(stored().await);
}

mod in_memory {
    use super::*;

    async fn memory() -> SqliteStore {
        let store = SqliteStore::connect("sqlite::memory:").await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    tenure::store_conformance!(memory().await);
    tenure::sweep_conformance!(memory().await);
    tenure::index_conformance!(memory().await);
}

#[tokio::test]
async fn a_session_is_kept_over_a_restart() {
    let file = File::new();
    let store = file.open().await;
    let layer = SessionLayer::new(store.clone());
    let cookie = visitor::arrive(&layer).await;
    visitor::count_at_once(std::slice::from_ref(&layer), &cookie, 3).await;
    store.pool().close().await;
    drop((store, layer));
    let layer = SessionLayer::new(file.open().await);
    assert_eq!(visitor::counted(&layer, &cookie).await, Some(3));
}

#[tokio::test]
async fn the_clock_is_this_machines_to_the_millisecond() {
    let store = SqliteStore::connect("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    let (handle, clock) = (Handle::from_bytes([7; 16]), Clock::system());
    let record = Record::new(Version::from_u64(1), [1], [2]);
    let hour = Duration::from_secs(3_600);
    store.create(&handle, &record, hour).await.unwrap();
    for _ in 0..200 {
        let before = clock.now();
        let now = store.load(&handle).await.unwrap().unwrap().now;
        assert!(before <= now && now <= clock.now(), "{before:?} {now:?}");
    }
}
