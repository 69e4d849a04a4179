//! A server that is there and refuses: it is full, it takes no writes, it has forgotten the scripts.

use std::time::Duration;

use tenure::{
    Handle, Session, SessionLayer,
    store::{Created, Record, RedisStore, SessionStore, Version},
};

use super::{
    super::bed::{
        load::{Load, Lost, member, until_it_counts},
        redis::Redis,
        visitor::{
            self, OK, Told, UNAVAILABLE, count, counted, log_out, principal, quiet, read, send,
            told,
        },
    },
    impatient, open, patient,
};

#[tokio::test]
async fn a_full_server_refuses_what_is_new_and_keeps_what_is_there() {
    let server = Redis::start_with(&["maxmemory 8mb", "maxmemory-policy noeviction"]);
    let store = open(&server.url()).await;
    let layer = SessionLayer::new(store.clone());
    let touching = visitor::touching(store.clone());
    let (cookie, leaving) = (member(&layer).await, member(&layer).await);
    assert_eq!(count(&layer, &cookie).await, OK);
    let kept = fill(&store).await;
    // What it takes for its connections comes and goes; it is to be full whatever that is.
    server.ask("CONFIG SET maxmemory 6mb");
    assert_eq!(store_large(&layer, Some(&cookie)).await, UNAVAILABLE);
    assert_eq!(store_large(&layer, None).await, UNAVAILABLE);
    for node in [&layer, &touching] {
        assert_eq!(read(node, &cookie).await, OK);
        assert_eq!(counted(node, &cookie).await, Some(1));
        assert_eq!(principal(node, &cookie).await.as_deref(), Some("ada"));
    }
    let last = kept.last().unwrap();
    assert_eq!(store.load(last).await.unwrap().unwrap().record, large());
    let left = log_out(&layer, &leaving).await;
    assert_eq!((left.status(), told(&left)), (OK, Told::Removal));
    assert_eq!(principal(&layer, &leaving).await, None);
    for handle in &kept {
        assert!(store.delete(handle).await.unwrap());
    }
    server.ask("CONFIG SET maxmemory 8mb");
    assert_eq!(store_large(&layer, Some(&cookie)).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

/// Creates records until there is no room, and returns their handles.
async fn fill(store: &RedisStore) -> Vec<Handle> {
    let mut kept = Vec::new();
    for number in 0..10_000_u128 {
        let handle = Handle::from_bytes(number.to_be_bytes());
        match store.create(&handle, &large(), HOUR).await.unwrap() {
            Created::Full => {
                assert_eq!(store.load(&handle).await.unwrap(), None);
                return kept;
            }
            created => assert!(matches!(created, Created::Done(_)), "{created:?}"),
        }
        kept.push(handle);
    }
    panic!("there is always room");
}

fn large() -> Record {
    Record::new(Version::from_u64(1), [1], [7; 16_000])
}

async fn store_large(layer: &SessionLayer, cookie: Option<&str>) -> http::StatusCode {
    let insert = async |session: Session| session.insert("large", "x".repeat(16_000));
    let response = send(layer, cookie, insert).await;
    match cookie {
        Some(_) => quiet(&response),
        None => response.status(),
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes_for_want_of_replicas_still_serves_reads() {
    let server = Redis::start();
    let store = open(&server.url()).await;
    let layer = impatient(store.clone());
    let touching = visitor::touching(store);
    let (cookie, leaving) = (member(&layer).await, member(&layer).await);
    server.ask("CONFIG SET min-replicas-to-write 1");
    for _ in 0..10 {
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(read(&layer, &cookie).await, OK);
        assert_eq!(counted(&layer, &cookie).await, Some(0));
        assert_eq!(counted(&touching, &cookie).await, Some(0));
    }
    let left = log_out(&layer, &leaving).await;
    assert_eq!((left.status(), told(&left)), (UNAVAILABLE, Told::Removal));
    server.ask("CONFIG SET min-replicas-to-write 0");
    assert_eq!(count(&layer, &cookie).await, OK);
    assert_eq!(counted(&layer, &cookie).await, Some(1));
    layer.drained().await;
    assert_eq!(principal(&layer, &leaving).await, None);
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_is_unavailable_until_it_is_a_primary_again() {
    let (server, primary) = (Redis::start(), Redis::start());
    let layer = impatient(open(&server.url()).await);
    let cookie = member(&layer).await;
    // A replica of a server that it cannot reach keeps what it has.
    primary.pause();
    server.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    for _ in 0..10 {
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    }
    server.ask("REPLICAOF NO ONE");
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_a_server_forgets_its_scripts() {
    let server = Redis::start();
    let load = Load::start(&patient(&server.url()).await).await;
    for _ in 0..20 {
        load.until_acknowledged(20).await;
        server.ask("SCRIPT FLUSH");
    }
    load.until_acknowledged(20).await;
    assert_eq!(load.seen().refused, 0);
    assert_eq!(load.end().await, Lost::default());
}

const HOUR: Duration = Duration::from_secs(3_600);
