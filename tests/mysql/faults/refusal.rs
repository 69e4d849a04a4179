//! A server that is there and refuses: no connection is left, its disk is full, it takes no writes.

use http::StatusCode;
use sqlx::MySqlConnection;
use tenure::{
    Handle, Session, SessionLayer,
    store::{MySqlStore, Record, SessionStore, StoreErrorKind, Version},
};

use super::{
    super::{
        HOUR,
        bed::{
            load::{member, until_it_counts},
            mariadb::{Database, MariaDb, run, try_client},
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
    let server = MariaDb::start_with(&["innodb-flush-log-at-trx-commit=2", "max-connections=10"]);
    let database = server.database().await;
    let proxy = Proxy::to(database.server()).await;
    let layer = SessionLayer::new(over(&proxy, &database).await);
    let cookie = member(&layer).await;
    proxy.is_away();
    let others = occupy(&database, 10).await;
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
async fn occupy(database: &Database, connections: usize) -> Vec<MySqlConnection> {
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
    let server = MariaDb::start_limited(16 * 1_024);
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
    until_there_is_room(&layer, &cookie).await;
}

/// Creates records until there is no room, and returns their handles.
async fn fill(store: &MySqlStore) -> Vec<Handle> {
    let mut kept = Vec::new();
    for number in 0..2_000_u128 {
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

/// The server gives room back in its own time.
async fn until_there_is_room(layer: &SessionLayer, cookie: &str) {
    for _ in 0..1_000 {
        if store_large(layer, cookie).await == OK {
            return;
        }
    }
    panic!("there is no room");
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
    let server = MariaDb::start();
    let database = server.database().await;
    let store = open(&database).await;
    let layer = SessionLayer::new(store.clone());
    let touching = visitor::touching(store);
    let cookie = member(&layer).await;
    let mut client = database.client().await;
    run(&mut client, "SET GLOBAL read_only = 1").await;
    for _ in 0..10 {
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(read(&layer, &cookie).await, OK);
        assert_eq!(counted(&layer, &cookie).await, Some(0));
        assert_eq!(counted(&touching, &cookie).await, Some(0));
    }
    run(&mut client, "SET GLOBAL read_only = 0").await;
    assert_eq!(count(&layer, &cookie).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}
