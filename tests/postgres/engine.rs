//! What the server sees: how many statements, which clock, which rows move.

use std::time::Duration;

use http::StatusCode;
use tenure::{
    Session, SessionLayer, Timestamp,
    store::{PostgresStore, PrincipalIndex, SessionStore, StoreErrorKind, Sweep, Updated},
};
use tokio_postgres::Client;

use super::{
    HANDLE, HOUR,
    bed::{
        postgres::{Database, Postgres},
        visitor,
    },
    open, record, version,
};

#[tokio::test]
async fn each_verb_is_one_statement() {
    let database = Database::new().await;
    let client = database.client().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.delete(&HANDLE).await.unwrap();
    count_statements(&client).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(statements(&client).await, 1, "create");
    store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(statements(&client).await, 1, "load");
    let updated = store
        .update(&HANDLE, version(1), &record(2), HOUR)
        .await
        .unwrap();
    assert_eq!((updated, statements(&client).await), (Updated::Done, 1));
    let updated = store
        .update(&HANDLE, version(1), &record(3), HOUR)
        .await
        .unwrap();
    assert!(matches!(updated, Updated::Conflict(Some(_))), "{updated:?}");
    assert_eq!(statements(&client).await, 1, "a conflict");
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    assert_eq!(statements(&client).await, 1, "touch");
    assert!(store.delete(&HANDLE).await.unwrap());
    assert_eq!(statements(&client).await, 1, "delete");
    let updated = store
        .update(&HANDLE, version(1), &record(3), HOUR)
        .await
        .unwrap();
    assert_eq!((updated, statements(&client).await), (Updated::Gone, 1));
}

/// To compile a statement takes longer than to carry it out.
#[tokio::test]
async fn no_statement_is_compiled() {
    // A compiler that is none: to use it is an error.
    let server = Postgres::start_with(&["fsync=off", "jit_provider=plpgsql"]);
    let database = server.database().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(store.count().await.unwrap(), Some(1));
    store.walk(None, 1_000).await.unwrap();
    store.load_all(&[HANDLE; 10]).await.unwrap();
    store.sweep(100).await.unwrap();
    assert!(store.delete(&HANDLE).await.unwrap());
}

/// Lets the server count statements from now on.
pub(super) async fn count_statements(client: &Client) {
    let extension = "CREATE EXTENSION pg_stat_statements";
    client.batch_execute(extension).await.unwrap();
    forget(client).await;
}

/// Returns how many statements about the table the server has carried out since it was last asked.
pub(super) async fn statements(client: &Client) -> i64 {
    let text = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
                WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                AND query LIKE '%tenure_sessions%'";
    let count = client.query_one(text, &[]).await.unwrap().get(0);
    forget(client).await;
    count
}

pub(super) async fn forget(client: &Client) {
    let text = "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()";
    client.query(text, &[]).await.unwrap();
}

/// A database whose clock a test moves: the store's statements find this function before the server's own.
async fn with_a_clock() -> (Database, Client, PostgresStore) {
    let database = Database::new().await;
    let client = database.client().await;
    let clock = "CREATE SCHEMA moved; CREATE TABLE moved.by (span interval NOT NULL); INSERT INTO moved.by VALUES ('0'); \
                 CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
                 'SELECT pg_catalog.clock_timestamp() + span FROM moved.by'";
    client.batch_execute(clock).await.unwrap();
    let url = format!(
        "{}?options=-c%20search_path%3Dmoved,pg_catalog,public",
        database.url()
    );
    let store = PostgresStore::connect(&url).await.unwrap();
    let store_in_public = store.migrate().await;
    store_in_public.unwrap();
    (database, client, store)
}

async fn advance(client: &Client, minutes: u32) {
    let text = format!("UPDATE moved.by SET span = span + '{minutes} minutes'");
    client.batch_execute(&text).await.unwrap();
}

#[tokio::test]
async fn the_servers_clock_decides_and_not_the_nodes() {
    let (_database, client, store) = with_a_clock().await;
    let before = loaded_now(&store).await;
    advance(&client, 60 * 24).await;
    let after = loaded_now(&store).await;
    assert!(after.since(before) >= HOUR * 24, "{before:?} {after:?}");
    let layer = SessionLayer::new(store);
    let cookie = visitor::arrive(&layer).await;
    visitor::count_at_once(std::slice::from_ref(&layer), &cookie, 3).await;
    advance(&client, 29).await;
    assert_eq!(
        visitor::counted(&layer, &cookie).await,
        Some(3),
        "and touched"
    );
    advance(&client, 29).await;
    assert_eq!(
        visitor::counted(&layer, &cookie).await,
        Some(3),
        "because of the touch"
    );
    advance(&client, 34).await;
    assert_eq!(
        visitor::counted(&layer, &cookie).await,
        None,
        "by the server's clock it is over"
    );
}

async fn loaded_now(store: &PostgresStore) -> Timestamp {
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.load(&HANDLE).await.unwrap().unwrap().now
}

#[tokio::test]
async fn of_ten_touches_eight_move_no_index() {
    let (_database, client, store) = with_a_clock().await;
    let idle = Duration::from_secs(30 * 60);
    store.create(&HANDLE, &record(1), idle).await.unwrap();
    for _ in 0..100 {
        advance(&client, 3).await;
        assert!(store.touch(&HANDLE, version(1), idle).await.unwrap());
    }
    // A connection tells the server's statistics at the latest when it ends.
    drop(store);
    let (updates, hot) = updates(&client, 100).await;
    assert!(hot * 10 >= updates * 8, "{hot} of {updates} were heap-only");
}

/// Returns how many updates the server has counted, and how many of them moved no index; waits until it has counted
/// so many.
async fn updates(client: &Client, expected: i64) -> (i64, i64) {
    let text = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tenure_sessions'";
    loop {
        let row = client.query_one(text, &[]).await.unwrap();
        let (updates, hot) = (row.get(0), row.get(1));
        if updates >= expected {
            return (updates, hot);
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.client().await.batch_execute(end).await.unwrap();
    let loaded = loop {
        match store.load(&HANDLE).await {
            Ok(loaded) => break loaded.unwrap(),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    StoreErrorKind::Unavailable | StoreErrorKind::Unknown
                ),
                "{error:?}"
            ),
        }
    };
    assert_eq!(loaded.record, record(1));
}

#[tokio::test]
async fn statements_that_no_longer_fit_the_table_are_prepared_again() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.load(&HANDLE).await.unwrap();
    let change = "CREATE DOMAIN stamp AS bigint; ALTER TABLE tenure_sessions ALTER COLUMN created TYPE stamp";
    database.client().await.batch_execute(change).await.unwrap();
    let mut loaded = store.load(&HANDLE).await;
    for _ in 0..100 {
        if loaded.is_ok() {
            break;
        }
        loaded = store.load(&HANDLE).await;
    }
    assert_eq!(loaded.unwrap().unwrap().record, record(1));
}

#[tokio::test]
async fn the_principal_is_in_a_column_of_its_own() {
    let database = Database::new().await;
    let client = database.client().await;
    let layer = SessionLayer::new(open(&database).await);
    for (principal, column) in [("ada", Some("ada")), ("a\0da", None)] {
        let login = async move |session: Session| session.login(principal);
        let (status, cookie) = visitor::visit(&layer, None, login).await;
        assert_eq!(status, StatusCode::OK, "{principal:?}");
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let ask = async move |session: Session| {
            sender
                .send(session.principal().unwrap().to_string())
                .unwrap();
            session.logout()
        };
        let text = "SELECT principal FROM tenure_sessions";
        let kept: Option<String> = client.query_one(text, &[]).await.unwrap().get(0);
        assert_eq!(kept.as_deref(), column);
        visitor::visit(&layer, cookie.as_deref(), ask).await;
        assert_eq!(receiver.await.unwrap(), principal);
    }
}
