//! Several processes at one row, and what each of them is told.

use tenure::{
    Handle, SessionLayer,
    store::{Created, PostgresStore, SessionStore, Sweep, Updated},
};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::{
    HANDLE, HOUR,
    bed::{postgres::Database, visitor},
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
async fn updated_behind(statement: &str, end: &str) -> (Updated, PostgresStore, Database) {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let other = database.client().await;
    let begun = format!("BEGIN; {statement}");
    other.batch_execute(&begun).await.unwrap();
    let update = update(&store);
    until_one_waits(&other).await;
    other.batch_execute(end).await.unwrap();
    (update.await.unwrap(), store, database)
}

fn update(store: &PostgresStore) -> JoinHandle<Updated> {
    let store = store.clone();
    tokio::spawn(async move {
        let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
        updated.unwrap()
    })
}

/// Asks the server until a connection to this database waits for a lock.
pub(super) async fn until_one_waits(client: &Client) {
    until_waiting(client, 1).await;
}

/// Asks the server until so many do.
pub(super) async fn until_waiting(client: &Client, count: usize) {
    let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(text, &[]).await.unwrap().get::<_, i64>(0) < count as i64 {}
}

#[tokio::test]
async fn an_update_that_waited_for_another_update_brings_the_fresh_record() {
    let change = "UPDATE tenure_sessions SET version = 99, payload = 'theirs'";
    let (updated, store, _database) = updated_behind(change, "COMMIT").await;
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
    let (updated, store, _database) = updated_behind("DELETE FROM tenure_sessions", "COMMIT").await;
    assert_eq!(updated, Updated::Gone);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

#[tokio::test]
async fn an_update_that_waited_for_a_touch_or_for_nothing_is_done() {
    for (change, end) in [
        (
            "UPDATE tenure_sessions SET last_seen = last_seen + 1",
            "COMMIT",
        ),
        ("UPDATE tenure_sessions SET version = 99", "ROLLBACK"),
        ("DELETE FROM tenure_sessions", "ROLLBACK"),
    ] {
        let (updated, store, _database) = updated_behind(change, end).await;
        assert_eq!(updated, Updated::Done, "{change}; {end}");
        assert_eq!(
            store.load(&HANDLE).await.unwrap().unwrap().record,
            record(2)
        );
    }
}

#[tokio::test]
async fn an_update_is_not_carried_out_on_a_record_that_expires_while_it_waits() {
    let change = "UPDATE tenure_sessions SET expires = 1";
    let (updated, store, _database) = updated_behind(change, "COMMIT").await;
    assert_eq!(updated, Updated::Gone);
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
}

#[tokio::test]
async fn an_update_sees_what_was_committed_while_it_waited_whatever_the_roles_default_is() {
    let database = Database::new().await;
    let name = database.url().rsplit('/').next().unwrap();
    let other = database.client().await;
    let serializable =
        format!("ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'");
    other.batch_execute(&serializable).await.unwrap();
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    other
        .batch_execute("BEGIN; UPDATE tenure_sessions SET version = 99")
        .await
        .unwrap();
    let update = update(&store);
    until_one_waits(&other).await;
    other.batch_execute("COMMIT").await.unwrap();
    let updated = update.await.unwrap();
    assert!(matches!(updated, Updated::Conflict(Some(_))), "{updated:?}");
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
    let other = database.client().await;
    let expire = "UPDATE tenure_sessions SET expires = 1, sweep_after = 1";
    other.batch_execute(expire).await.unwrap();
    let lock = "BEGIN; SELECT FROM tenure_sessions WHERE handle = decode(repeat('01', 16), 'hex') FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 3, "all but the locked one");
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 1);
}
