//! A server that is there and refuses: no connection is left, its disk is full, it takes no writes.

use http::StatusCode;
use tenure::{
    Handle, Session, SessionLayer,
    store::{PostgresStore, Record, SessionStore, StoreErrorKind, Version},
};
use tokio_postgres::Client;

use super::{
    super::{
        HOUR,
        bed::{
            load::{member, until_it_counts, until_it_is_read},
            postgres::{Database, Postgres, try_client},
            proxy::Proxy,
            visitor::{
                self, OK, Told, UNAVAILABLE, count, counted, log_out, principal, quiet, read, send,
                told,
            },
        },
        open,
    },
    over,
};

#[tokio::test]
async fn a_server_without_a_free_connection_is_answered_as_unavailable() {
    let server = Postgres::start_with(&["fsync=off", "max_connections=8"]);
    let database = server.database().await;
    let proxy = Proxy::to(database.server()).await;
    let layer = SessionLayer::new(over(&proxy, &database).await);
    let cookie = member(&layer).await;
    proxy.is_away();
    let others = occupy(&database, 8).await;
    proxy.is_back();
    for _ in 0..5 {
        assert_eq!(read(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    }
    drop(others);
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

/// Takes all connections that a server has.
async fn occupy(database: &Database, connections: usize) -> Vec<Client> {
    let mut held = Vec::new();
    // Those that were closed just now become free in their own time.
    for _ in 0..10_000 {
        held.extend(try_client(database.url()).await.ok());
        if held.len() == connections {
            return held;
        }
    }
    panic!("the server has only {} connections", held.len());
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_keeps_what_is_there() {
    let server = Postgres::start_limited(4 * 1_024);
    let database = server.database().await;
    let store = open(&database).await;
    let layer = SessionLayer::new(store.clone());
    let (cookie, leaving) = (member(&layer).await, member(&layer).await);
    assert_eq!(count(&layer, &cookie).await, OK);
    let kept = fill(&store).await;
    assert_eq!(store_large(&layer, &cookie).await, UNAVAILABLE);
    assert_eq!(read(&layer, &cookie).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(1));
    let last = kept.last().unwrap();
    assert_eq!(store.load(last).await.unwrap().unwrap().record, large());
    let left = log_out(&layer, &leaving).await;
    assert_eq!((left.status(), told(&left)), (OK, Told::Removal));
    assert_eq!(principal(&layer, &leaving).await, None);
    for handle in &kept {
        assert!(store.delete(handle).await.unwrap());
    }
    let vacuum = "VACUUM tenure_sessions";
    database.client().await.batch_execute(vacuum).await.unwrap();
    assert_eq!(store_large(&layer, &cookie).await, OK);
}

/// Creates records until there is no room, and returns their handles.
async fn fill(store: &PostgresStore) -> Vec<Handle> {
    let mut kept = Vec::new();
    for number in 0..1_000_u128 {
        let handle = Handle::from_bytes(number.to_be_bytes());
        if let Err(error) = store.create(&handle, &large(), HOUR).await {
            let kinds = [StoreErrorKind::Full, StoreErrorKind::Unavailable];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert_eq!(store.load(&handle).await.unwrap(), None);
            return kept;
        }
        kept.push(handle);
    }
    panic!("there is always room");
}

/// A record that does not let itself be compressed.
fn large() -> Record {
    let mut seed = 1_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(32_000)
    .collect();
    Record::new(Version::from_u64(1), [1], bytes)
}

async fn store_large(layer: &SessionLayer, cookie: &str) -> StatusCode {
    let insert = async |session: Session| {
        let numbers: Vec<u8> = large().values()[..7_000].to_vec();
        session.insert("large", numbers)
    };
    quiet(&send(layer, Some(cookie), insert).await)
}

#[tokio::test]
async fn a_server_that_takes_no_writes_still_serves_reads() {
    let database = Database::new().await;
    let store = open(&database).await;
    let layer = SessionLayer::new(store.clone());
    let touching = visitor::touching(store);
    let cookie = member(&layer).await;
    let name = database.name();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only TO on");
    become_so(&database, &read_only).await;
    until_it_is_read(&layer, &cookie).await;
    for _ in 0..10 {
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(read(&layer, &cookie).await, OK);
        assert_eq!(counted(&layer, &cookie).await, Some(0));
        assert_eq!(counted(&touching, &cookie).await, Some(0));
    }
    let client = database.client().await;
    let this_one = "SET default_transaction_read_only TO off";
    client.batch_execute(this_one).await.unwrap();
    let writable = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    client.batch_execute(&writable).await.unwrap();
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

/// Changes a setting, and ends the connections that still have another.
async fn become_so(database: &Database, setting: &str) {
    let client = database.client().await;
    client.batch_execute(setting).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.batch_execute(end).await.unwrap();
}
