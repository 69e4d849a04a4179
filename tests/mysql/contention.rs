//! Several processes at one row, and what each of them is told.

use std::time::Duration;

use tenure::{
    Handle, SessionLayer,
    store::{Created, MySqlStore, SessionStore, StoreErrorKind, Sweep, Updated},
};
use tokio::task::{JoinHandle, JoinSet};

use super::{
    HANDLE, HOUR,
    bed::{
        mariadb::{Database, MariaDb, number, run},
        visitor,
    },
    open, record, version,
};

#[tokio::test(flavor = "multi_thread")]
async fn parallel_updates_of_one_session_over_two_nodes_all_count() {
    let database = Database::new().await;
    let layers = [
        SessionLayer::new(open(&database).await),
        SessionLayer::new(open(&database).await),
    ];
    let cookie = visitor::arrive(&layers[0]).await;
    visitor::count_at_once(&layers, &cookie, 200).await;
    assert_eq!(visitor::counted(&layers[1], &cookie).await, Some(200));
}

/// Lets a store update a row that somebody else has changed and not yet committed, then commits or rolls back, and
/// returns what the store answers.
async fn updated_behind(database: &Database, change: &str, end: &str) -> (Updated, MySqlStore) {
    let store = open(database).await;
    store.delete(&HANDLE).await.unwrap();
    let created = store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)));
    let mut other = database.client().await;
    run(&mut other, &format!("START TRANSACTION; {change}")).await;
    let update = update(&store);
    database.until_one_waits("UPDATE").await;
    run(&mut other, end).await;
    (update.await.unwrap(), store)
}

fn update(store: &MySqlStore) -> JoinHandle<Updated> {
    let store = store.clone();
    tokio::spawn(async move {
        let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
        updated.unwrap()
    })
}

const THEIRS: &str = "UPDATE tenure_sessions SET version = 99, payload = 'theirs'";

/// By `max_statement_time`, which may strike after the commit as well.
#[tokio::test]
async fn a_change_that_took_too_long_may_have_been_made() {
    let server = MariaDb::start_with(&["max-statement-time=1"]);
    let database = server.database().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let mut other = database.client().await;
    run(&mut other, &format!("START TRANSACTION; {THEIRS}")).await;
    let error = store.touch(&HANDLE, version(1), HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    assert!(
        format!("{error:?}").contains("max_statement_time"),
        "{error:?}"
    );
    run(&mut other, "ROLLBACK").await;
    assert!(store.touch(&HANDLE, version(1), HOUR).await.unwrap());
}

#[tokio::test]
async fn an_update_that_waited_for_another_update_brings_the_fresh_record() {
    let database = Database::new().await;
    let (updated, store) = updated_behind(&database, THEIRS, "COMMIT").await;
    brings_theirs(updated, &store).await;
}

async fn brings_theirs(updated: Updated, store: &MySqlStore) {
    let fresh = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(
        (fresh.record.version(), fresh.record.values()),
        (version(99), &b"theirs"[..])
    );
    match updated {
        Updated::Conflict(Some(brought)) => assert_eq!(brought.record, fresh.record),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_update_that_waited_for_a_deletion_finds_nothing() {
    let database = Database::new().await;
    let delete = "DELETE FROM tenure_sessions";
    let (updated, store) = updated_behind(&database, delete, "COMMIT").await;
    assert_eq!(updated, Updated::Gone);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

#[tokio::test]
async fn an_update_that_waited_for_a_touch_or_for_nothing_is_done() {
    let database = Database::new().await;
    for (change, end) in [
        (
            "UPDATE tenure_sessions SET last_seen = last_seen + 1",
            "COMMIT",
        ),
        ("UPDATE tenure_sessions SET version = 99", "ROLLBACK"),
        ("DELETE FROM tenure_sessions", "ROLLBACK"),
    ] {
        let (updated, store) = updated_behind(&database, change, end).await;
        assert_eq!(updated, Updated::Done, "{change}; {end}");
        let found = store.load(&HANDLE).await.unwrap().unwrap();
        assert_eq!(found.record, record(2));
    }
}

#[tokio::test]
async fn an_update_is_not_carried_out_on_a_record_that_expires_while_it_waits() {
    let database = Database::new().await;
    // It is expired by the clock when the lock is free, and was not when the update began.
    let soon = format!("UPDATE tenure_sessions SET expires = {NOW} + 500");
    let wait = "DO SLEEP(0.6); COMMIT";
    let (updated, store) = updated_behind(&database, &soon, wait).await;
    assert_eq!(updated, Updated::Gone);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

const NOW: &str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";

#[tokio::test]
async fn an_update_sees_what_was_committed_while_it_waited_whatever_the_servers_default_is() {
    for isolation in [
        &["transaction-isolation=SERIALIZABLE"][..],
        &["transaction-isolation=READ-COMMITTED"],
    ] {
        let server = MariaDb::start_with(isolation);
        let database = server.database().await;
        let (updated, store) = updated_behind(&database, THEIRS, "COMMIT").await;
        brings_theirs(updated, &store).await;
        let layers = [
            SessionLayer::new(store),
            SessionLayer::new(open(&database).await),
        ];
        let cookie = visitor::arrive(&layers[0]).await;
        visitor::count_at_once(&layers, &cookie, 50).await;
        let counted = visitor::counted(&layers[1], &cookie).await;
        assert_eq!(counted, Some(50), "{isolation:?}");
    }
}

#[tokio::test]
async fn a_reader_does_not_wait_for_a_writer_and_sees_what_is_committed() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let mut other = database.client().await;
    run(&mut other, &format!("START TRANSACTION; {THEIRS}")).await;
    let before = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(before.record, record(1));
    run(&mut other, "COMMIT").await;
    let after = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(after.record.version(), version(99));
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_holds_up_one_connection_and_is_unavailable() {
    let database = Database::new().await;
    open(&database).await;
    let builder = MySqlStore::builder(database.url()).unwrap();
    let store = builder.with_connections(2).connect().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let mut other = database.client().await;
    run(&mut other, &lock(HANDLE)).await;
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        waiting.spawn(async move { store.update(&HANDLE, version(1), &record(2), HOUR).await });
    }
    database.until_one_waits("UPDATE").await;
    let another = Handle::from_bytes([8; 16]);
    assert_eq!(
        store.load(&another).await.unwrap(),
        None,
        "they wait for it"
    );
    let created = store.create(&another, &record(1), HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
    while let Some(updated) = waiting.join_next().await {
        let error = updated.unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    }
    run(&mut other, "ROLLBACK").await;
    let found = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(found.record, record(1), "what is unavailable was not done");
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
}

#[tokio::test]
async fn a_sweep_does_not_wait_for_a_row_that_somebody_is_at() {
    let database = Database::new().await;
    let store = open(&database).await;
    for number in 0..4 {
        let handle = Handle::from_bytes([number; 16]);
        let created = store.create(&handle, &record(1), HOUR).await.unwrap();
        assert!(matches!(created, Created::Done(_)));
    }
    let mut other = database.client().await;
    let expire = "UPDATE tenure_sessions SET expires = 1, sweep_after = 1";
    run(&mut other, expire).await;
    run(&mut other, &lock(Handle::from_bytes([1; 16]))).await;
    assert_eq!(store.sweep(100).await.unwrap(), 3, "all but the locked one");
    run(&mut other, "COMMIT").await;
    assert_eq!(store.sweep(100).await.unwrap(), 1);
}

/// Begins a transaction and locks a row in it.
fn lock(handle: Handle) -> String {
    let hex: String = handle.as_bytes().map(|byte| format!("{byte:02x}")).concat();
    format!(
        "START TRANSACTION; SELECT 1 FROM tenure_sessions WHERE handle = UNHEX('{hex}') FOR UPDATE"
    )
}

/// A deadlock would be an error of whoever is its victim.
#[tokio::test(flavor = "multi_thread")]
async fn sweepers_and_writers_do_not_lock_each_other_out() {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = nodes[usize::from(writer) % 2].clone();
        writers.spawn(async move {
            for round in 0..60 {
                be_busy(&store, handle(writer, round)).await;
            }
        });
    }
    let sweepers = nodes.clone().map(|store| {
        tokio::spawn(async move {
            let mut swept = 0;
            loop {
                swept += store.sweep(20).await.unwrap();
                if store.load(&DONE).await.unwrap().is_some() {
                    return swept;
                }
            }
        })
    });
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    nodes[0].create(&DONE, &record(1), HOUR).await.unwrap();
    let mut swept = 0;
    for sweeper in sweepers {
        swept += sweeper.await.unwrap();
    }
    // What was left to expire has been by now, or is removed here.
    let mut client = database.client().await;
    let expire = format!(
        "UPDATE tenure_sessions SET expires = 1, sweep_after = 1 WHERE expires < {NOW} + 60000"
    );
    run(&mut client, &expire).await;
    swept += nodes[0].sweep(1_000).await.unwrap();
    assert_eq!(swept, 8 * 60, "one of two in each round");
}

/// Makes two records on neighbouring handles; one lives shortly, the other is changed and deleted.
async fn be_busy(store: &MySqlStore, handle: Handle) {
    let mut short = *handle.as_bytes();
    short[15] ^= 1;
    let short = Handle::from_bytes(short);
    let millisecond = Duration::from_millis(1);
    store.create(&short, &record(1), millisecond).await.unwrap();
    store.create(&handle, &record(1), HOUR).await.unwrap();
    store.touch(&handle, version(1), HOUR * 9).await.unwrap();
    let updated = store.update(&handle, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    // Taken again, if it has expired and nobody has swept it; swept all the same.
    store.touch(&short, version(1), millisecond).await.unwrap();
    assert!(store.delete(&handle).await.unwrap());
}

/// Neighbours in the index, whoever writes them.
fn handle(writer: u8, round: u8) -> Handle {
    let mut handle = [0; 16];
    (handle[13], handle[14]) = (round, writer);
    Handle::from_bytes(handle)
}

const DONE: Handle = Handle::from_bytes([0xff; 16]);

#[tokio::test]
async fn an_update_that_nobody_waits_for_is_carried_out_and_leaves_its_connection_to_the_next() {
    let database = Database::new().await;
    let builder = MySqlStore::builder(database.url()).unwrap();
    let store = builder.with_connections(1).connect().await.unwrap();
    store.migrate().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let mut other = database.client().await;
    let before = connection_of_the_store(&database).await;
    run(
        &mut other,
        "START TRANSACTION; UPDATE tenure_sessions SET last_seen = last_seen + 1",
    )
    .await;
    let update = update(&store);
    database.until_one_waits("UPDATE").await;
    update.abort();
    assert!(update.await.unwrap_err().is_cancelled());
    run(&mut other, "COMMIT").await;
    let found = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(found.record, record(2));
    assert_eq!(connection_of_the_store(&database).await, before);
}

/// Returns the number of the oldest connection of this database.
async fn connection_of_the_store(database: &Database) -> i64 {
    let text = format!(
        "SELECT CAST(min(id) AS SIGNED) FROM information_schema.processlist WHERE db = '{}' AND user = 'tenure'",
        database.name()
    );
    number(&mut database.client().await, &text).await
}
