//! Changes that wait for replicas.

use std::{error::Error, time::Duration};

use tenure::{
    CredentialStamp, PrincipalId,
    store::{
        Created, Entry, PrincipalIndex, RedisStore, SessionStore, StoreError, StoreErrorKind,
        Updated,
    },
};

use super::{
    HANDLE, HOUR,
    bed::redis::{Redis, is_following, node::until},
    record, version,
};

/// A primary, its replica, and a store that waits for one.
async fn waiting(timeout: Duration) -> (Redis, Redis, RedisStore) {
    let primary = Redis::start();
    let follow = format!("replicaof 127.0.0.1 {}", primary.port());
    let replica = Redis::start_with(&[&follow]);
    until("it follows", || is_following(&replica));
    let builder = RedisStore::builder(&primary.url()).unwrap();
    let store = builder.with_replicas(1, timeout).connect().await.unwrap();
    (primary, replica, store)
}

/// Checks that too few replicas have acknowledged something.
fn is_unknown<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unknown);
    let cause = error.source().unwrap().to_string();
    assert!(
        cause.starts_with("0 of 1 replicas have acknowledged"),
        "{cause}"
    );
}

#[tokio::test]
async fn what_is_answered_is_on_the_replica() {
    let (_primary, replica, store) = waiting(PATIENT).await;
    let key = format!("tenure:{HANDLE}");
    let exists = || replica.ask(&format!("EXISTS {key}")).number();
    let created = store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)));
    assert_eq!(exists(), 1);
    let update = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(update.unwrap(), Updated::Done);
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    assert!(store.delete(&HANDLE).await.unwrap());
    assert_eq!(exists(), 0);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_no_replica_has_acknowledged_is_unknown_and_a_load_does_not_wait() {
    let (_primary, replica, store) = waiting(SHORT).await;
    replica.pause();
    is_unknown(store.create(&HANDLE, &record(1), HOUR).await);
    let loaded = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(loaded.record, record(1), "the primary has it");
    is_unknown(store.update(&HANDLE, version(1), &record(2), HOUR).await);
    is_unknown(store.touch(&HANDLE, version(2), HOUR).await);
    is_unknown(store.delete(&HANDLE).await);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_carried_out_before_is_waited_for_all_the_same() {
    let (primary, replica, store) = waiting(SHORT).await;
    let other = RedisStore::connect(&primary.url()).await.unwrap();
    other.create(&HANDLE, &record(1), HOUR).await.unwrap();
    replica.pause();
    for _ in 0..2 {
        is_unknown(store.update(&HANDLE, version(1), &record(2), HOUR).await);
        // A connection that has written nothing yet has nothing to wait for.
        lose_connections(&primary, &store).await;
    }
    let loaded = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(loaded.record, record(2));
    for _ in 0..2 {
        is_unknown(store.delete(&HANDLE).await);
        lose_connections(&primary, &store).await;
    }
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
    replica.resume();
    until("it has caught up", || {
        replica.ask(&format!("EXISTS tenure:{HANDLE}")).number() == 0
    });
}

#[tokio::test]
async fn what_the_index_has_answered_is_on_the_replica() {
    let (_primary, replica, store) = waiting(PATIENT).await;
    let (ada, entry) = (PrincipalId::from("ada"), Entry::new(HANDLE, version(1)));
    let count = || replica.ask("ZCARD tenure:@ada").number();
    store.enter(&ada, entry, None, usize::MAX).await.unwrap();
    assert_eq!(count(), 1);
    store
        .restamp(&ada, &CredentialStamp::of("new"))
        .await
        .unwrap();
    assert_eq!(count(), 2);
    store.leave(&ada, &[entry]).await.unwrap();
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn what_the_index_was_told_and_no_replica_has_acknowledged_is_unknown() {
    let (primary, replica, store) = waiting(SHORT).await;
    let (ada, entry) = (PrincipalId::from("ada"), Entry::new(HANDLE, version(1)));
    let stamp = CredentialStamp::of("new");
    let other = RedisStore::connect(&primary.url()).await.unwrap();
    other.enter(&ada, entry, None, usize::MAX).await.unwrap();
    replica.pause();
    for _ in 0..2 {
        is_unknown(store.enter(&ada, entry, Some(&stamp), usize::MAX).await);
        is_unknown(store.restamp(&ada, &stamp).await);
        lose_connections(&primary, &store).await;
    }
    assert_eq!(
        store.entries(&ada).await.unwrap(),
        [entry],
        "the primary has it"
    );
    is_unknown(store.leave(&ada, &[entry]).await);
    assert_eq!(store.entries(&ada).await.unwrap(), []);
}

async fn lose_connections(primary: &Redis, store: &RedisStore) {
    primary.ask("CLIENT KILL TYPE normal SKIPME yes");
    while store.load(&HANDLE).await.is_err() {}
}

const PATIENT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(50);
