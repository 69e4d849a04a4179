//! Many writers of one file: all are served, and nobody is told that the database is locked.

use tenure::{
    Handle, SessionLayer,
    store::{Created, Record, SessionStore, SqliteStore, StoreErrorKind, Version},
};

use super::{File, bed::visitor};

#[tokio::test(flavor = "multi_thread")]
async fn parallel_updates_of_one_session_over_two_processes_all_count() {
    let file = File::new();
    let layers = [
        SessionLayer::new(file.open().await),
        SessionLayer::new(file.open().await),
    ];
    let cookie = visitor::arrive(&layers[0]).await;
    visitor::count_at_once(&layers, &cookie, 200).await;
    assert_eq!(visitor::counted(&layers[1], &cookie).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_several_processes_wait_for_each_other() {
    let file = File::new();
    let stores = [file.open().await, file.open().await, file.open().await];
    let writers: Vec<_> = (0..90)
        .map(|number| tokio::spawn(write(stores[number % stores.len()].clone())))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(store: SqliteStore) {
    let handle = Handle::from_bytes(random());
    let record = |number| Record::new(Version::from_u64(number), [1], [2; 500]);
    let created = store.create(&handle, &record(0), HOUR).await;
    assert!(matches!(created, Ok(Created::Done(_))), "{created:?}");
    for number in 0..5 {
        let (before, next) = (Version::from_u64(number), record(number + 1));
        store.update(&handle, before, &next, HOUR).await.unwrap();
    }
    assert!(store.delete(&handle).await.unwrap());
}

#[tokio::test]
async fn a_lock_that_is_held_for_too_long_is_an_error_that_says_nothing_was_done() {
    let file = File::new();
    let store = file.open().await;
    let other = file.open().await;
    let mut held = other.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let handle = Handle::from_bytes(random());
    let record = Record::new(Version::from_u64(1), [1], [2]);
    let error = store.create(&handle, &record, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    sqlx::query("SELECT 1").execute(&mut *held).await.unwrap();
    held.rollback().await.unwrap();
    assert_eq!(store.load(&handle).await.unwrap(), None);
    let created = store.create(&handle, &record, HOUR).await;
    assert!(matches!(created, Ok(Created::Done(_))), "{created:?}");
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
