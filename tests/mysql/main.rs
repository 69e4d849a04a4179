//! `MySqlStore` keeps the contract on a real server.

#[path = "../bed/mod.rs"]
mod bed;
mod contention;
mod engine;
mod faults;
mod index;
mod leftovers;
mod live;
mod loading;
mod model;
mod principals;
mod promises;
mod setup;

use std::{sync::Arc, time::Duration};

use bed::mariadb::Database;
use tenure::{
    Handle,
    store::{
        MySqlStore, PrincipalIndex, Record, SessionStore, Sweep, Version,
        conformance::{Indexed, Subject, Swept},
    },
};

/// A store in a database of its own.
struct Stored(
    MySqlStore,
    #[expect(dead_code, reason = "kept while it is used")] Database,
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
    let database = Database::new().await;
    Stored(open(&database).await, database)
}

tenure::store_conformance!(stored().await);
tenure::sweep_conformance!(stored().await);
tenure::index_conformance!(stored().await);

/// Opens a store as a process does that starts.
async fn open(database: &Database) -> MySqlStore {
    let store = MySqlStore::connect(database.url()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

const HANDLE: Handle = Handle::from_bytes([7; 16]);
const HOUR: Duration = Duration::from_secs(3_600);

fn version(number: u64) -> Version {
    Version::from_u64(number)
}

fn record(number: u64) -> Record {
    Record::new(version(number), [1], [2; 500])
}
